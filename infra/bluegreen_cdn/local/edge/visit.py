"""What stays the same while one request is answered, and what is noted about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from bluegreen_cdn.local.edge.config import Behavior, Origin, OriginGroup
from bluegreen_cdn.local.edge.state import Loaded, Location

Target = Origin | OriginGroup


@dataclass(slots=True)
class Trace:
    """What happened to one request, for the access log and the answer's own headers."""

    request_id: str
    behavior: str = ""
    result: str = "Miss"
    custom_data: list[str] = field(default_factory=list)
    function_log: list[str] = field(default_factory=list)
    problem: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request's surroundings: the configuration it began with, where it is served, under which behaviour."""

    loaded: Loaded
    location: Location
    behavior: Behavior
    trace: Trace


def target_of(loaded: Loaded, behavior: Behavior) -> Target:
    """The origin, or origin group, that a behaviour names."""
    groups = loaded.distribution.origin_groups
    return groups.get(behavior.target) or loaded.distribution.origins[behavior.target]
