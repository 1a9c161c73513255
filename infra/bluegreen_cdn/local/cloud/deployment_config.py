"""How CodeDeploy shifts a Lambda alias: predefined and own configurations, as steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

INTERVAL_MAXIMUM_MINUTES = 2880


class InvalidConfigError(ValueError):
    """A traffic routing configuration that CodeDeploy refuses."""


@dataclass(frozen=True, kw_only=True)
class DeploymentConfig:
    """A named schedule: `kind` is `AllAtOnce`, `TimeBasedCanary` or `TimeBasedLinear`."""

    name: str
    kind: str
    percent: int = 100
    interval_minutes: int = 0

    def steps(self) -> tuple[tuple[int, int], ...]:
        """Give (minute, percent on the new version) for each shift; the last is always 100."""
        if self.kind == "TimeBasedCanary":
            return ((0, self.percent), (self.interval_minutes, 100))
        if self.kind == "TimeBasedLinear":
            shares = [*range(self.percent, 100, self.percent), 100]
            return tuple((index * self.interval_minutes, share) for index, share in enumerate(shares))
        return ((0, 100),)

    def routing(self) -> dict[str, Any]:
        """Give the `trafficRoutingConfig` that the API shows."""
        if self.kind == "TimeBasedCanary":
            return {
                "type": self.kind,
                "timeBasedCanary": {"canaryPercentage": self.percent, "canaryInterval": self.interval_minutes},
            }
        if self.kind == "TimeBasedLinear":
            return {
                "type": self.kind,
                "timeBasedLinear": {"linearPercentage": self.percent, "linearInterval": self.interval_minutes},
            }
        return {"type": "AllAtOnce"}


def parse_routing(name: str, routing: Mapping[str, Any] | None) -> DeploymentConfig:
    """Read a `trafficRoutingConfig` (keys of the API) into a configuration.

    Raises:
        InvalidConfigError: The type is unknown, or a percentage or interval is outside CodeDeploy's limits.
    """
    routing = routing or {"type": "AllAtOnce"}
    kind = str(routing.get("type", ""))
    if kind == "AllAtOnce":
        return DeploymentConfig(name=name, kind=kind)
    keys = {
        "TimeBasedCanary": ("timeBasedCanary", "canaryPercentage", "canaryInterval"),
        "TimeBasedLinear": ("timeBasedLinear", "linearPercentage", "linearInterval"),
    }.get(kind)
    if keys is None:
        raise InvalidConfigError(f"traffic routing type {kind!r} is not AllAtOnce, TimeBasedCanary or TimeBasedLinear")
    holder = routing.get(keys[0]) or {}
    try:
        percent, interval = int(holder[keys[1]]), int(holder[keys[2]])
    except (KeyError, TypeError, ValueError):
        raise InvalidConfigError(f"{keys[0]} needs {keys[1]} and {keys[2]}") from None
    if not 1 <= percent <= 99:
        raise InvalidConfigError(f"{keys[1]} {percent} is not between 1 and 99")
    if not 1 <= interval <= INTERVAL_MAXIMUM_MINUTES:
        raise InvalidConfigError(f"{keys[2]} {interval} is not between 1 and {INTERVAL_MAXIMUM_MINUTES}")
    return DeploymentConfig(name=name, kind=kind, percent=percent, interval_minutes=interval)


def predefined() -> dict[str, DeploymentConfig]:
    """Give AWS's own configurations for Lambda, by name."""
    configs = [DeploymentConfig(name="CodeDeployDefault.LambdaAllAtOnce", kind="AllAtOnce")]
    configs += [
        DeploymentConfig(
            name=f"CodeDeployDefault.LambdaCanary10Percent{minutes}Minutes",
            kind="TimeBasedCanary",
            percent=10,
            interval_minutes=minutes,
        )
        for minutes in (5, 10, 15, 30)
    ]
    configs += [
        DeploymentConfig(
            name=f"CodeDeployDefault.LambdaLinear10PercentEvery{minutes}Minute{'s' if minutes > 1 else ''}",
            kind="TimeBasedLinear",
            percent=10,
            interval_minutes=minutes,
        )
        for minutes in (1, 2, 3, 10)
    ]
    return {config.name: config for config in configs}
