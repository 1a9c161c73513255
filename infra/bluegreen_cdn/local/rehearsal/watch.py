"""Watches a release from outside: routing at every edge location, and what the cloud says happened."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from bluegreen_cdn.errors import LocalCloudError
from bluegreen_cdn.local.rehearsal.releases import EdgeRouting, Outcome, Release, observe

POLL_SECONDS = 0.2
_ENDED_BADLY = ("Stopped", "Failed")


class Watch:
    """Notes on the release under way whatever the edge and the cloud show.

    Args:
        edge_status: Asks the edge simulator for its status.
        cloud_events: Asks the local cloud for its events after a sequence number.
        now: Seconds since the rehearsal began.
        from_wall: Turns seconds since 1970 into seconds since the rehearsal began.
        site: The site's name: alarms and deployments of others are not ours. Default: all are ours.

    Attributes:
        release: The release under way.
        locations: What each edge location has for routing state.
        alarms_on: The alarms that are on.
        seen: Our events so far, each with `at`, in seconds since the rehearsal began.
        problem: Why the last look failed.
    """

    def __init__(
        self,
        *,
        edge_status: Callable[[], Mapping[str, Any]],
        cloud_events: Callable[[int], list[dict[str, Any]]],
        now: Callable[[], float],
        from_wall: Callable[[float], float],
        site: str = "",
    ) -> None:
        self._edge_status, self._cloud_events = edge_status, cloud_events
        self._now, self._from_wall = now, from_wall
        self._site = site
        self._deployments: set[str] = set()
        self._sequence = 0
        self.release: Release | None = None
        self.locations: dict[str, EdgeRouting] = {}
        self.alarms_on: set[str] = set()
        self.seen: list[dict[str, Any]] = []
        self.problem = ""

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(POLL_SECONDS)

    async def look(self) -> None:
        """Look once; a cloud that does not answer in time is asked again."""
        try:
            asked = self._now()
            status = await asyncio.to_thread(self._edge_status)
            self.locations = read_locations(status)
            if self.release is not None:
                observe(self.release, self._now(), self.locations, asked=asked)
            for event in await asyncio.to_thread(self._cloud_events, self._sequence):
                self._sequence = max(self._sequence, int(event["sequence"]))
                self._note(event)
            self.problem = ""
        except (LocalCloudError, OSError, ValueError) as error:
            self.problem = f"{type(error).__name__}: {error}"

    def _note(self, event: Mapping[str, Any]) -> None:
        if not self._is_ours(event):
            return
        self.seen.append({**event, "at": self._from_wall(float(event["time"]))})
        alarm = alarm_change(event)
        if alarm is not None:
            name, on = alarm
            (self.alarms_on.add if on else self.alarms_on.discard)(name)
        if self.release is not None:
            note(self.release, event, self._from_wall(float(event["time"])))

    def _is_ours(self, event: Mapping[str, Any]) -> bool:
        """Resources are named after their site's stack, alarms after the site."""
        if not self._site:
            return True
        if event.get("kind") == "alarm":
            return str(event.get("alarm")).startswith(f"bluegreen-{self._site}-")
        deployment = str(event.get("deployment", ""))
        if str(event.get("group", "")).startswith(f"{self._site}-"):
            self._deployments.add(deployment)
        return deployment in self._deployments

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until something is true; False when it was not in time."""
        deadline = self._now() + seconds
        while not condition():
            if self._now() > deadline:
                return False
            await asyncio.sleep(POLL_SECONDS / 2)
        return True

    def last(self, kind: str, **details: object) -> dict[str, Any] | None:
        """Return our newest event of a kind with these details, such as `deployment="d-1"`."""
        wanted = {"kind": kind, **details}
        found = (
            event for event in reversed(self.seen) if all(event.get(name) == value for name, value in wanted.items())
        )
        return next(found, None)

    def weight_everywhere(self, build_id: str) -> int | None:
        """Return the weight that every location gives a build, in basis points; None while they differ."""
        weights = {routing.weight_of(build_id)[0] for routing in self.locations.values()}
        return weights.pop() if len(weights) == 1 else None

    def everywhere(self, build_id: str) -> bool:
        """Say whether this build is stable, without a candidate, at every location."""
        return bool(self.locations) and all(
            routing.stable == build_id and routing.candidate is None for routing in self.locations.values()
        )

    def without(self, build_id: str) -> bool:
        """Say whether no location lets anybody into this build."""
        return bool(self.locations) and all(routing.weight_of(build_id)[0] == 0 for routing in self.locations.values())


def read_locations(status: Mapping[str, Any]) -> dict[str, EdgeRouting]:
    """Read the routing state of every location out of the edge simulator's status."""
    locations: Mapping[str, Any] = status.get("locations") or {}
    return {
        name: EdgeRouting.from_json(location["routing"])
        for name, location in locations.items()
        if isinstance(location.get("routing"), dict)
    }


def alarm_change(event: Mapping[str, Any]) -> tuple[str, bool] | None:
    """Return an alarm's name and whether it went on, if the event says so."""
    if event.get("kind") == "alarm":
        return str(event.get("alarm")), event.get("new") == "ALARM"
    return None


def note(release: Release, event: Mapping[str, Any], at: float) -> None:
    """Note on a release what an event says about it: the first alarm, and CodeDeploy's rollback after it."""
    if at < release.started or release.expected is Outcome.FIRST:
        return
    alarm = alarm_change(event)
    if alarm is not None and alarm[1] and release.alarm_at is None and release.first_weight_at is not None:
        release.alarm_name, release.alarm_at = alarm[0], at
    if (
        event.get("kind") == "deployment"
        and event.get("status") in _ENDED_BADLY
        and release.rollback_at is None
        and not str(event.get("creator", "")).startswith("codeDeploy")
    ):
        release.rollback_at = at
        release.error = str(event.get("message") or event.get("error") or "")
