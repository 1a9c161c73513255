"""What there is to say about a site at one moment."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bluegreen_cdn.domain.control import Outcome
from bluegreen_cdn.domain.observation import Observed
from bluegreen_cdn.domain.routing import role_of
from bluegreen_cdn.domain.status_rates import ErrorRate
from bluegreen_cdn.domain.status_releases import Schedule, next_step
from bluegreen_cdn.domain.traffic import next_state


@dataclass(frozen=True, kw_only=True)
class BuildStatus:
    """A build that exists.

    Attributes:
        build: Its id.
        role: `stable`, `candidate` or `other` at the edge.
        pinned: Whether it is pinned.
        latched: Whether it is taken out.
        retained: Whether the edge may serve it.
        missing_regions: Where its manifest has not arrived.
    """

    build: str
    role: str
    pinned: bool
    latched: bool
    retained: bool
    missing_regions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SiteStatus:
    """A site at one moment.

    Attributes:
        site: Its name.
        seen: Routing state, control state, alias, deployments, alarms.
        builds: The builds that exist.
        next: What the deployment in progress does next; None if there is none.
        missing_alarms: Alarms that should watch and do not exist.
        own_alarms: Alarms about the control plane that are on.
        rates: How often pages went wrong lately, by role.
        window_seconds: What "lately" means.
        outcome: How the last release went.
        drift: What the edge does otherwise than the alias says, a sentence each.
    """

    site: str
    seen: Observed
    builds: tuple[BuildStatus, ...]
    next: str | None
    missing_alarms: tuple[str, ...]
    own_alarms: tuple[str, ...]
    rates: Mapping[str, ErrorRate]
    window_seconds: int
    outcome: Outcome | None
    drift: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """The status for scripts."""
        seen, running = self.seen, self.seen.running
        routing, control, outcome = seen.routing, seen.control, self.outcome
        return {
            "site": self.site,
            "at": int(seen.now),
            "edge": {
                "epoch": routing.epoch,
                "stable": routing.stable,
                "candidate": routing.candidate,
                "weight": routing.weight,
                "holdout": routing.holdout,
                "regions_out": list(routing.regions_out),
            },
            "alias": {
                "primary": seen.alias.primary,
                "additional": seen.alias.additional,
                "additional_weight": seen.alias.additional_weight,
            },
            "pin": control.pin.build if control.pin else None,
            "latches": [{"build": latch.build, "deployment": latch.deployment} for latch in control.latches],
            "deployment": None
            if running is None
            else {
                "id": running.id,
                "target": running.target,
                "previous": running.previous,
                "rollback": running.is_rollback,
                "began": running.created,
                "next": self.next,
            },
            "alarms": {
                "on": [alarm.name for alarm in seen.alarms],
                "missing": list(self.missing_alarms),
                "control_plane": list(self.own_alarms),
            },
            "rates": {role: _rate_json(rate) for role, rate in self.rates.items()},
            "rates_window_seconds": self.window_seconds,
            "outcome": None
            if outcome is None
            else {
                "build": outcome.build,
                "deployment": outcome.deployment,
                "result": outcome.kind.value,
                "reason": outcome.reason,
                "at": outcome.at,
            },
            "drift": list(self.drift),
            "builds": [
                {
                    "build": build.build,
                    "role": build.role,
                    "pinned": build.pinned,
                    "latched": build.latched,
                    "retained": build.retained,
                    "missing_regions": list(build.missing_regions),
                }
                for build in self.builds
            ],
        }


def site_status(
    *,
    site: str,
    seen: Observed,
    outcome: Outcome | None,
    published: Mapping[str, Collection[str]],
    retained: Collection[str],
    missing_alarms: Sequence[str],
    own_alarms: Sequence[str],
    rates: Mapping[str, ErrorRate],
    window_seconds: int,
    schedule: Schedule | None,
) -> SiteStatus:
    """Put a site's status together.

    Args:
        site: Its name.
        seen: What the traffic sync would see.
        outcome: How the last release went.
        published: The builds whose manifest is in a region, by region, the primary one first.
        retained: The builds that the edge may serve.
        missing_alarms: Alarms that should watch and do not exist.
        own_alarms: Alarms about the control plane that are on.
        rates: How often pages went wrong lately, by role.
        window_seconds: What "lately" means.
        schedule: The rollout, if there is a deployment in progress and CodeDeploy says.
    """
    routing, control, running = seen.routing, seen.control, seen.running
    pinned = control.pin.build if control.pin else None
    named = {routing.stable, routing.candidate, pinned} - {None}
    ids = sorted({build for builds in published.values() for build in builds} | {str(build) for build in named})
    return SiteStatus(
        site=site,
        seen=seen,
        builds=tuple(
            BuildStatus(
                build=build,
                role=role_of(routing, build),
                pinned=build == pinned,
                latched=control.is_latched(build),
                retained=build in retained,
                missing_regions=tuple(region for region, builds in published.items() if build not in builds),
            )
            for build in ids
        ),
        next=None
        if running is None
        else next_step(running, seen.alias.weight_of(running.target), schedule, control.hook, seen.now),
        missing_alarms=tuple(missing_alarms),
        own_alarms=tuple(own_alarms),
        rates=rates,
        window_seconds=window_seconds,
        outcome=outcome,
        drift=_drift(seen),
    )


def _drift(seen: Observed) -> tuple[str, ...]:
    found = []
    pin = seen.control.pin
    if pin is not None and pin.build != seen.alias.primary:
        found.append(f"the edge has build {pin.build} by its pin, the alias has build {seen.alias.primary}")
    decision = next_state(seen)
    if decision is not None and decision.routing != seen.routing:
        found.append(f"the traffic sync has still to follow: {'; '.join(decision.reasons)}")
    return tuple(found)


def _rate_json(rate: ErrorRate) -> dict[str, object]:
    low, high = rate.interval
    return {"page_loads": rate.page_loads, "bad": rate.bad, "rate": rate.rate, "low": low, "high": high}
