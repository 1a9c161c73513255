"""The releases of a rehearsal as they were observed: weights at the edge, alarm, rollback."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from bluegreen_cdn import defaults


class Outcome(StrEnum):
    """How a release ended."""

    FIRST = "first"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    REFUSED = "refused"
    """Ended before anybody was let in."""
    UNFINISHED = "unfinished"


@dataclass(frozen=True, kw_only=True)
class WeightMark:
    """A change of a build's traffic weight, as the edge locations see it.

    Attributes:
        at: Seconds since the rehearsal began.
        weight: The largest weight any location gives the build, in basis points.
        least: The smallest; equal to `weight` once the change has reached them all.
        share: The share of visitors that the weight means, hold-out taken off, in basis points.
        until: When the locations were last asked and said so. Default: nobody noted it.
    """

    at: float
    weight: int
    least: int
    share: int
    until: float | None = None

    @property
    def everywhere(self) -> bool:
        """Say whether all locations agree."""
        return self.weight == self.least


@dataclass(frozen=True, kw_only=True)
class Window:
    """A time in which every location gave a build the same weight."""

    start: float
    end: float
    weight: int
    share: int


@dataclass(kw_only=True)
class Release:
    """One release, from the start of its deployment to its end.

    Attributes:
        name: What the report calls its build.
        build_id: The build.
        expected: How it is to end.
        also: Other ends that are right, too.
        by_alarm: Whether an alarm is what takes it back, if it is taken back.
        steps: The weights that the edge must have shown, in basis points.
        started: When its deployment was begun.
        ended: When the deployment was over and the edge had followed.
        outcome: How it ended.
        weights: The weights that were seen.
        alarm_name: The first alarm while it had visitors.
        alarm_at: When that went on.
        by_hand_at: When somebody began to take it back by hand.
        rollback_at: When CodeDeploy ended its deployment as stopped or failed.
        error: Why it ended badly.
    """

    name: str
    build_id: str
    expected: Outcome
    also: tuple[Outcome, ...] = ()
    by_alarm: bool = True
    steps: tuple[int, ...] = ()
    started: float = 0.0
    ended: float | None = None
    outcome: Outcome = Outcome.UNFINISHED
    weights: list[WeightMark] = field(default_factory=list)
    alarm_name: str | None = None
    alarm_at: float | None = None
    by_hand_at: float | None = None
    rollback_at: float | None = None
    error: str = ""

    @property
    def ended_as_expected(self) -> bool:
        """Whether its end is one of those that are right."""
        return self.outcome is self.expected or self.outcome in self.also

    @property
    def judged_as(self) -> Outcome:
        """The end whose demands it has to meet."""
        return self.outcome if self.ended_as_expected else self.expected

    def windows(self, end: float) -> list[Window]:
        """Cut the observed weights into the times in which all locations agreed.

        A weight is known to have held until they were last asked, not until they were found to have another.
        """
        marks = self.weights
        changed = [mark.at for mark in marks[1:]] + [end] * bool(marks)
        until = [at if mark.until is None else min(mark.until, at) for mark, at in zip(marks, changed, strict=True)]
        return [
            Window(start=mark.at, end=stop, weight=mark.weight, share=mark.share)
            for mark, stop in zip(marks, until, strict=True)
            if mark.everywhere and stop > mark.at
        ]

    @property
    def first_weight_at(self) -> float | None:
        """When the edge first let visitors into this build."""
        return next((mark.at for mark in self.weights if mark.weight > 0), None)

    @property
    def zero_at(self) -> float | None:
        """When, after having had visitors, the build had none at every location; None while it has some."""
        first = self.first_weight_at
        if first is None:
            return None
        zero = [mark.at for mark in self.weights if mark.at > first and mark.weight == 0]
        return zero[-1] if zero and self.weights[-1].weight == 0 else None

    @property
    def seconds_from_alarm_to_weight_zero(self) -> float | None:
        """How long visitors were still let in after the alarm."""
        if self.alarm_at is None or self.zero_at is None:
            return None
        return max(0.0, self.zero_at - self.alarm_at)


@dataclass(frozen=True, kw_only=True)
class EdgeRouting:
    """The routing state of one edge location, reduced to what decides shares."""

    stable: str
    candidate: str | None = None
    weight: int = 0
    holdout: int = 0

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> "EdgeRouting":
        """Read the KeyValueStore value `routing`."""
        candidate = value.get("candidate")
        return cls(
            stable=str(value["stable"]),
            candidate=str(candidate) if candidate else None,
            weight=int(str(value.get("weight", 0))),
            holdout=int(str(value.get("holdout", 0))),
        )

    def weight_of(self, build_id: str) -> tuple[int, int]:
        """Return a build's weight and the share of visitors it means, both in basis points."""
        full = defaults.FULL_WEIGHT_BASIS_POINTS
        taken = min(self.weight, full - self.holdout) if self.candidate else 0
        if build_id == self.candidate:
            return self.weight, taken
        if build_id == self.stable:
            return full - (self.weight if self.candidate else 0), full - taken
        return 0, 0


def observe(release: Release, at: float, locations: Mapping[str, EdgeRouting], *, asked: float | None = None) -> bool:
    """Note what the locations say about a release; True when that is news.

    Args:
        release: The release.
        at: When they had said it, in seconds since the rehearsal began.
        locations: What each of them has for routing state.
        asked: When they were asked. Default: it is not known.
    """
    if not locations:
        return False
    seen = [routing.weight_of(release.build_id) for routing in locations.values()]
    mark = WeightMark(
        at=at,
        weight=max(weight for weight, _ in seen),
        least=min(weight for weight, _ in seen),
        share=max(share for _, share in seen),
        until=asked,
    )
    last = release.weights[-1] if release.weights else None
    if last is not None and (last.weight, last.least, last.share) == (mark.weight, mark.least, mark.share):
        release.weights[-1] = replace(last, until=asked)
        return False
    if last is None and mark.weight == 0:
        return False
    release.weights.append(mark)
    return True
