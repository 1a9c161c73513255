"""Which build a visitor gets: the routing state and the decision that the edge takes from it.

`decide` is the twin of `viewer_request.js`: the same vectors run through both. It is what the control plane, the
rehearsal and the tests reason with; the JavaScript is what viewers meet.

A visitor's *slot* is a number in [0, 10000) that depends on the candidate and on the visitor, never on the weight.
Visitors below the weight get the candidate, so a raised weight only ever adds visitors. Because the candidate salts
the slot, each release tries other visitors first. All that a visitor's cookie holds is a seed; while there is none, the
seed comes from address and user agent. The top of the range is the hold-out: it stays on stable until the
release has succeeded.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bluegreen_cdn.defaults import (
    BUILD_ID_PATTERN,
    FULL_WEIGHT_BASIS_POINTS,
    HOLDOUT_BASIS_POINTS,
    KVS_VALUE_MAXIMUM_BYTES,
)
from bluegreen_cdn.errors import ForeignState, InvalidInput, UnsupportedFormat

ROUTING_FORMAT = 1
OLDEST_ROUTING_FORMAT = 0
"""Readers take formats n and n-1, so that edge and control plane may be updated in either order.

Writers keep the format that they found: an edge that is one format older than the traffic sync goes on being understood
and steered. Only the seed raises it, in a stack that is deployed after the edge's.
"""

_BUILD_ID = re.compile(BUILD_ID_PATTERN)
_VISITOR = re.compile(r"2\.([0-9a-z]{8,32})")


@dataclass(frozen=True, kw_only=True)
class RoutingState:
    """What every edge knows about the release: the KeyValueStore value `routing`.

    Attributes:
        epoch: Grows by one with every change; keeps writers apart.
        stable: The build that holds the traffic.
        candidate: The build being let in. Default: none.
        weight: The candidate's share in basis points, 0 to 10000. Default: 0.
        holdout: Share kept on stable whatever the weight, in basis points. Default: 500.
        regions_out: Regions whose replica is not asked. Default: none.
        channels: Reserved: build per named channel. Default: none.
        format: The format that it is written in. Default: the newest.

    Raises:
        InvalidInput: A number out of its range, or a build id that is none.
    """

    epoch: int
    stable: str
    candidate: str | None = None
    weight: int = 0
    holdout: int = HOLDOUT_BASIS_POINTS
    regions_out: tuple[str, ...] = ()
    channels: Mapping[str, str] = field(default_factory=dict)
    format: int = ROUTING_FORMAT

    def __post_init__(self) -> None:
        for name in ("weight", "holdout"):
            value = getattr(self, name)
            if not _is_whole(value) or not 0 <= value <= FULL_WEIGHT_BASIS_POINTS:
                raise InvalidInput(f"{name} is {value!r}; it must be whole basis points from 0 to 10000")
        if not _is_whole(self.epoch) or self.epoch < 0:
            raise InvalidInput(f"epoch is {self.epoch!r}; it must be a whole number from 0 upwards")
        for name, build in (("stable", self.stable), ("candidate", self.candidate)):
            if (build is not None or name == "stable") and not is_build_id(build):
                raise InvalidInput(f"{name} is {build!r}; it must be a build id, {BUILD_ID_PATTERN}")
        if self.candidate == self.stable:
            raise InvalidInput(f"candidate and stable are both {self.stable!r}; a release needs two builds")
        if self.candidate is None and self.weight:
            raise InvalidInput(f"weight is {self.weight!r} without a candidate; it must be 0")

    def to_json(self) -> str:
        """The state as it stands in the KeyValueStore.

        Raises:
            InvalidInput: It does not fit into the store's 1 KB.
        """
        text = json.dumps(
            {
                "format": self.format,
                "epoch": self.epoch,
                "stable": self.stable,
                "candidate": self.candidate,
                "weight": self.weight,
                "holdout": self.holdout,
                "out": list(self.regions_out),
                "channels": dict(sorted(self.channels.items())),
            },
            separators=(",", ":"),
        )
        if len(text.encode()) > KVS_VALUE_MAXIMUM_BYTES:
            raise InvalidInput(
                f"the routing state is {len(text.encode())} bytes long; the KeyValueStore takes "
                f"{KVS_VALUE_MAXIMUM_BYTES}: use shorter build ids or fewer channels"
            )
        return text

    @classmethod
    def from_json(cls, text: str) -> RoutingState:
        """Reads the KeyValueStore's value.

        Raises:
            UnsupportedFormat: Written by a newer version of this package.
            ForeignState: Not a routing state.
        """
        try:
            value = json.loads(text)
        except ValueError as error:
            raise ForeignState(f"the KeyValueStore's `routing` is not JSON: {text[:60]!r}") from error
        number = value.get("format") if isinstance(value, dict) else None
        if not isinstance(number, int) or isinstance(number, bool):
            raise ForeignState(f"the KeyValueStore's `routing` has no format number: {text[:60]!r}")
        if number > ROUTING_FORMAT:
            raise UnsupportedFormat(
                f"the KeyValueStore's `routing` has format {number}; this version reads up to {ROUTING_FORMAT}: "
                f"upgrade bluegreen-cdn"
            )
        try:
            out, channels = value.get("out", []), value.get("channels", {})
            if number < OLDEST_ROUTING_FORMAT or not _all_text(out) or not _all_text(channels.values()):
                raise ForeignState(f"the KeyValueStore's `routing` is not ours: {text[:60]!r}")
            return cls(
                epoch=value["epoch"],
                stable=value["stable"],
                candidate=value.get("candidate"),
                weight=value.get("weight", 0),
                holdout=value.get("holdout", HOLDOUT_BASIS_POINTS),
                regions_out=tuple(out),
                channels=dict(channels),
                format=number,
            )
        except (AttributeError, InvalidInput, KeyError, TypeError) as error:
            raise ForeignState(f"the KeyValueStore's `routing` is not ours: {error}") from error


class RequestKind(StrEnum):
    """What is asked for, as far as the choice of build goes."""

    ENTRY = "entry"
    FILE = "file"
    """A file without a hash: it has to match the document that asks for it."""


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """What a request says about who asks.

    Attributes:
        ip: The viewer's address.
        user_agent: The `user-agent` header. Default: empty.
        visitor_cookie: Value of `__Host-bg-visitor`, as the viewer sent it. Default: none.
        build_cookie: Value of `__Host-bg-build`, as the viewer sent it. Default: none.
    """

    ip: str
    user_agent: str = ""
    visitor_cookie: str | None = None
    build_cookie: str | None = None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The build that answers a request.

    Attributes:
        build: The build, or None: answer 503.
        role: `stable`, `candidate` or `other`; `preview`; `unknown` when the routing state could not be read.
        slot: The visitor's slot for the candidate, when one was needed.
    """

    build: str | None
    role: str
    slot: int | None = None


def slot(candidate: str, seed: str) -> int:
    """Where a visitor stands in [0, 10000) for one candidate."""
    return int(hashlib.sha256(f"{candidate}:{seed}".encode()).hexdigest()[:8], 16) % FULL_WEIGHT_BASIS_POINTS


def takes_candidate(state: RoutingState, slot: int) -> bool:
    """Whether a visitor with this slot gets the candidate."""
    return state.candidate is not None and slot < min(state.weight, FULL_WEIGHT_BASIS_POINTS - state.holdout)


def role_of(state: RoutingState, build: str) -> str:
    """What a build is in the present state: `stable`, `candidate` or `other`."""
    return "stable" if build == state.stable else "candidate" if build == state.candidate else "other"


def parse_visitor_cookie(value: str | None) -> str | None:
    """Reads the seed of `2.<seed>`; None for anything else, for a viewer may send what it likes."""
    match = _VISITOR.fullmatch(value or "")
    return match[1] if match else None


def seed_of(visitor: Visitor) -> str:
    """What a visitor's slot comes from: the cookie's seed, else one of address and user agent."""
    return parse_visitor_cookie(visitor.visitor_cookie) or _seed_of_address(visitor)


def cookie_to_set(state: RoutingState | None, visitor: Visitor, *, fresh_seed: str) -> str | None:
    """The visitor cookie that an answered entry brings; None where the viewer keeps what it has.

    The twin of `seedToKeep` in `viewer_response.js`.

    Args:
        state: The routing state, or None when the edge cannot read it.
        visitor: Who asked.
        fresh_seed: A random one. Used while no candidate is let in, when nobody's slot matters, so that people behind
            one address part ways before the next release.
    """
    if state is None or parse_visitor_cookie(visitor.visitor_cookie) is not None:
        return None
    return f"2.{fresh_seed if state.candidate is None else _seed_of_address(visitor)}"


def _seed_of_address(visitor: Visitor) -> str:
    return hashlib.sha256(f"{visitor.ip}|{visitor.user_agent}".encode()).hexdigest()[:16]


def is_build_id(value: object) -> bool:
    """Whether a value has the form of a build id."""
    return isinstance(value, str) and _BUILD_ID.fullmatch(value) is not None


def decide(
    state: RoutingState | None,
    visitor: Visitor,
    kind: RequestKind,
    *,
    retained: Container[str] = (),
    preview: str | None = None,
) -> Decision:
    """Chooses the build that answers a request.

    Args:
        state: The routing state, or None when the edge cannot read it.
        visitor: Who asks.
        kind: An entry, or a file that belongs to the visitor's last document.
        retained: The builds that still have a `build/<id>` key. Default: none.
        preview: The build of a valid preview token. Default: none.
    """
    last = visitor.build_cookie if is_build_id(visitor.build_cookie) else None
    if preview is not None:
        return Decision(build=preview, role="preview")
    if state is None:
        # Only what the visitor already has can be right; anything else may mix two builds on a page.
        return Decision(build=last, role="unknown")
    if kind is RequestKind.FILE and last is not None:
        role = role_of(state, last)
        if role != "other" or last in retained:
            return Decision(build=last, role=role)
    if state.candidate is None:
        return Decision(build=state.stable, role="stable")
    number = slot(state.candidate, seed_of(visitor))
    build = state.candidate if takes_candidate(state, number) else state.stable
    return Decision(build=build, role=role_of(state, build), slot=number)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _all_text(values: object) -> bool:
    return all(isinstance(value, str) for value in values)  # type: ignore[attr-defined]
