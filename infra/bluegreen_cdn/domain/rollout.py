"""How a candidate is let in: in which steps, how long it is watched, who is held out.

The steps are CodeDeploy's to carry out, so a rollout is exactly what CodeDeploy's time-based configurations say;
everything else is refused here, at synth, instead of by CloudFormation minutes later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from bluegreen_cdn import defaults
from bluegreen_cdn.domain.no_traffic import NoTraffic
from bluegreen_cdn.errors import InvalidRollout

_PROMOTE = NoTraffic.promote()
_ROLLOUT = re.compile(
    r"(?P<word>canary|linear|all-at-once)(:(?P<percent>\d{1,6})%(:(?P<interval>\d{1,6})m)?)?"
    r"(:bake=(?P<bake>\d{1,6})m)?(:holdout=(?P<holdout>\d{1,6}(\.\d{1,4})?)%)?"
    r"(:no-traffic=(?P<no_traffic>[a-z]+(@\d+)?))?",
    re.ASCII,
)


class RolloutKind(StrEnum):
    """CodeDeploy's names for the ways to shift a Lambda alias."""

    CANARY = "TimeBasedCanary"
    LINEAR = "TimeBasedLinear"
    ALL_AT_ONCE = "AllAtOnce"


_WORDS = {RolloutKind.CANARY: "canary", RolloutKind.LINEAR: "linear", RolloutKind.ALL_AT_ONCE: "all-at-once"}
_KINDS = {word: kind for kind, word in _WORDS.items()}


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """The way from no traffic to all of it. Make one with `canary`, `linear`, `all_at_once` or `parse`.

    Attributes:
        kind: Which of CodeDeploy's schedules.
        percent: Share of the first step (canary) or of every step (linear), 1 to 99; 100 when all at once.
        interval_minutes: Between the two steps (canary) or between any two (linear); 0 when all at once.
        bake_minutes: How long the full candidate is watched before the release counts as succeeded.
        holdout_percent: Share of the visitors kept on stable until then, so that there is a control group.
        on_no_traffic: What becomes of a candidate that too few visitors have seen by then.
    """

    kind: RolloutKind
    percent: int
    interval_minutes: int
    bake_minutes: int = defaults.BAKE_MINUTES
    holdout_percent: float = defaults.HOLDOUT_PERCENT
    on_no_traffic: NoTraffic = _PROMOTE

    def __post_init__(self) -> None:
        """Refuse what CodeDeploy, or a hook's hour, cannot hold."""
        if self.kind is RolloutKind.ALL_AT_ONCE:
            if (self.percent, self.interval_minutes) != (100, 0):
                raise InvalidRollout("all-at-once has no percent and no interval; use canary or linear for steps")
        else:
            self._check_steps()
        _whole("bake_minutes", self.bake_minutes, 0, defaults.BAKE_MAXIMUM_MINUTES, "a hook has an hour")
        _check_holdout(self.holdout_percent)
        self._check_no_traffic()

    @classmethod
    def canary(
        cls,
        *,
        percent: int = defaults.CANARY_PERCENT,
        interval_minutes: int = defaults.CANARY_INTERVAL_MINUTES,
        bake_minutes: int = defaults.BAKE_MINUTES,
        holdout_percent: float = defaults.HOLDOUT_PERCENT,
        on_no_traffic: NoTraffic = _PROMOTE,
    ) -> Rollout:
        """Two steps: `percent` first, everything after `interval_minutes`.

        Example:
            `Rollout.canary(percent=10, interval_minutes=5)`

        Raises:
            InvalidRollout: CodeDeploy cannot express it.
        """
        return cls(
            kind=RolloutKind.CANARY,
            percent=percent,
            interval_minutes=interval_minutes,
            bake_minutes=bake_minutes,
            holdout_percent=holdout_percent,
            on_no_traffic=on_no_traffic,
        )

    @classmethod
    def linear(
        cls,
        *,
        percent: int = defaults.CANARY_PERCENT,
        interval_minutes: int = defaults.LINEAR_INTERVAL_MINUTES,
        bake_minutes: int = defaults.BAKE_MINUTES,
        holdout_percent: float = defaults.HOLDOUT_PERCENT,
        on_no_traffic: NoTraffic = _PROMOTE,
    ) -> Rollout:
        """Equal steps of `percent`, `interval_minutes` apart.

        Example:
            `Rollout.linear(percent=10, interval_minutes=1)`

        Raises:
            InvalidRollout: CodeDeploy cannot express it.
        """
        return cls(
            kind=RolloutKind.LINEAR,
            percent=percent,
            interval_minutes=interval_minutes,
            bake_minutes=bake_minutes,
            holdout_percent=holdout_percent,
            on_no_traffic=on_no_traffic,
        )

    @classmethod
    def all_at_once(
        cls,
        *,
        bake_minutes: int = defaults.BAKE_MINUTES,
        holdout_percent: float = defaults.HOLDOUT_PERCENT,
        on_no_traffic: NoTraffic = _PROMOTE,
    ) -> Rollout:
        """One step: everybody but the hold-out, at once."""
        return cls(
            kind=RolloutKind.ALL_AT_ONCE,
            percent=100,
            interval_minutes=0,
            bake_minutes=bake_minutes,
            holdout_percent=holdout_percent,
            on_no_traffic=on_no_traffic,
        )

    @classmethod
    def parse(cls, text: str) -> Rollout:
        """Read what `describe` writes; what is left out has its default.

        Example:
            `canary:10%:5m`, `linear:20%:1m:bake=10m`, `all-at-once:holdout=0%`

        Raises:
            InvalidRollout: The text is not a rollout, or CodeDeploy cannot express it.
        """
        match = _ROLLOUT.fullmatch(text.strip())
        if match is None:
            raise InvalidRollout(
                f"rollout {text!r} cannot be read; write it like canary:10%:5m, linear:10%:1m or all-at-once, "
                "with whole percents and minutes, and :bake=5m:holdout=5%:no-traffic=promote at its end if you want "
                "other than these"
            )
        kind = _KINDS[match["word"]]
        bake = int(match["bake"] or defaults.BAKE_MINUTES)
        holdout = float(match["holdout"] or defaults.HOLDOUT_PERCENT)
        no_traffic = NoTraffic.parse(match["no_traffic"]) if match["no_traffic"] else _PROMOTE
        if kind is RolloutKind.ALL_AT_ONCE:
            if match["percent"] is not None:
                raise InvalidRollout(
                    f"rollout {text!r}: all-at-once has no percent and no interval; use canary or linear"
                )
            return cls.all_at_once(bake_minutes=bake, holdout_percent=holdout, on_no_traffic=no_traffic)
        interval = defaults.CANARY_INTERVAL_MINUTES if kind is RolloutKind.CANARY else defaults.LINEAR_INTERVAL_MINUTES
        return cls(
            kind=kind,
            percent=int(match["percent"] or defaults.CANARY_PERCENT),
            interval_minutes=int(match["interval"] or interval),
            bake_minutes=bake,
            holdout_percent=holdout,
            on_no_traffic=no_traffic,
        )

    def describe(self) -> str:
        """The rollout in one line which `parse` reads back."""
        steps = "" if self.kind is RolloutKind.ALL_AT_ONCE else f":{self.percent}%:{self.interval_minutes}m"
        rest = "" if self.on_no_traffic == _PROMOTE else f":no-traffic={self.on_no_traffic.describe()}"
        holdout = f"{self.holdout_basis_points / 100:g}"
        return f"{_WORDS[self.kind]}{steps}:bake={self.bake_minutes}m:holdout={holdout}%{rest}"

    def steps(self) -> tuple[tuple[int, int], ...]:
        """Every step as (minutes since traffic began to shift, the alias's weight in basis points), up to 10000."""
        full = defaults.FULL_WEIGHT_BASIS_POINTS
        if self.kind is RolloutKind.ALL_AT_ONCE:
            return ((0, full),)
        first = self.percent * 100
        if self.kind is RolloutKind.CANARY:
            return ((0, first), (self.interval_minutes, full))
        count = -(-full // first)
        return tuple((step * self.interval_minutes, min((step + 1) * first, full)) for step in range(count))

    @property
    def holdout_basis_points(self) -> int:
        """The hold-out as the routing state writes it."""
        return round(self.holdout_percent * 100)

    def _check_steps(self) -> None:
        _whole("percent", self.percent, 1, 99, "for 100 use all-at-once")
        longest = defaults.ROLLOUT_INTERVAL_MAXIMUM_MINUTES
        _whole("interval_minutes", self.interval_minutes, 1, longest, "CodeDeploy shifts traffic for two days at most")
        shifting = self.steps()[-1][0]
        if shifting > longest:
            raise InvalidRollout(
                f"{self.percent} % every {self.interval_minutes} minutes shifts traffic for {shifting} minutes; "
                f"CodeDeploy takes at most {longest}: choose larger steps or a shorter interval"
            )

    def _check_no_traffic(self) -> None:
        if not isinstance(self.on_no_traffic, NoTraffic):
            raise InvalidRollout(
                f"on_no_traffic is {self.on_no_traffic!r}; pass NoTraffic.promote() or NoTraffic.abort()"
            )
        if self.on_no_traffic != _PROMOTE and self.steps()[-1][0] + self.bake_minutes == 0:
            raise InvalidRollout(
                "on_no_traffic aborts what nobody has seen, and all at once without a bake nobody can have; "
                "give the bake some minutes"
            )


def _whole(name: str, value: object, least: int, most: int, why: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidRollout(f"{name} is {value!r}; it must be a whole number from {least} to {most} ({why})")


def _check_holdout(value: object) -> None:
    most = defaults.HOLDOUT_MAXIMUM_PERCENT
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most
    if not fits or abs(float(value) * 100 - round(float(value) * 100)) > 1e-6:  # type: ignore[arg-type]
        raise InvalidRollout(f"holdout_percent is {value!r}; it must be from 0 to {most}, in steps of 0.01")
