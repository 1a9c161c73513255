"""What the control plane remembers between two looks: pin, latches, a hook that waits, how the last release went.

It lies beside the routing state in the KeyValueStore and is written together with it; the edge never reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from bluegreen_cdn.defaults import OUTCOME_KEY
from bluegreen_cdn.domain.builds import check_build_id
from bluegreen_cdn.errors import ForeignState, InvalidBuildId, UnsupportedFormat

CONTROL_FORMAT = 1
BEFORE_ALL_RELEASES = "-"
CHECKS = tuple(f"check-{number}" for number in range(8))
"""In place of a deployment's id where the stack refused a build before there was one: the last eight are kept."""
LATCHES_KEPT = 3
"""One is the rule; the bound keeps the value within the KeyValueStore's kilobyte."""
REASON_MAXIMUM_CHARACTERS = 600


class HookKind(StrEnum):
    """CodeDeploy's two moments."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True)
class Latch:
    """A build that an alarm, or a failed deployment, has taken out.

    Attributes:
        build: The build with weight 0.
        deployment: The deployment that was letting it in; a later one of the same build is not concerned.
    """

    build: str
    deployment: str


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A build that an operator has made stable, whatever the alias says.

    Attributes:
        build: The build.
        after: The newest release's deployment when the pin was set, or `BEFORE_ALL_RELEASES`; None until the sync has
            noted it. Only a later release is let in beside the pinned build, and clears the pin when it succeeds.
    """

    build: str
    after: str | None = None


@dataclass(frozen=True, kw_only=True)
class PendingHook:
    """A lifecycle hook that CodeDeploy waits for and the traffic sync will answer.

    Attributes:
        deployment: The deployment that waits.
        execution: CodeDeploy's id of this hook's run.
        kind: Before or after traffic.
        until: When to answer, in epoch seconds.
    """

    deployment: str
    execution: str
    kind: HookKind
    until: int


@dataclass(frozen=True, kw_only=True)
class ControlState:
    """The value `control` of the KeyValueStore. An absent value is the empty state."""

    pin: Pin | None = None
    latches: tuple[Latch, ...] = ()
    hook: PendingHook | None = None

    def with_latch(self, latch: Latch) -> ControlState:
        """The same with one more latch."""
        if latch in self.latches:
            return self
        return replace(self, latches=(*self.latches, latch)[-LATCHES_KEPT:])

    def without_hook(self) -> ControlState:
        """The same with no hook waiting."""
        return replace(self, hook=None)

    def is_latched(self, build: str | None) -> bool:
        """Whether a build is taken out."""
        return any(latch.build == build for latch in self.latches)

    def to_json(self) -> str:
        """The state as it is stored."""
        pin, hook = self.pin, self.hook
        value = {
            "format": CONTROL_FORMAT,
            "pin": pin.build if pin else None,
            "pin_after": pin.after if pin else None,
            "latches": [{"build": latch.build, "deployment": latch.deployment} for latch in self.latches],
            "hook": None
            if hook is None
            else {
                "deployment": hook.deployment,
                "execution": hook.execution,
                "kind": hook.kind.value,
                "until": hook.until,
            },
        }
        return json.dumps(value, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> ControlState:
        """Read a stored state.

        Raises:
            UnsupportedFormat: A newer version of this package wrote it.
            ForeignState: This package did not write it.
        """
        value = _ours("control", text)
        try:
            pin, hook = value["pin"], value["hook"]
            return cls(
                pin=None
                if pin is None
                else Pin(build=check_build_id(pin), after=_text_or_none(value.get("pin_after"))),
                latches=tuple(
                    Latch(check_build_id(latch["build"]), _text(latch["deployment"])) for latch in value["latches"]
                ),
                hook=None
                if hook is None
                else PendingHook(
                    deployment=_text(hook["deployment"]),
                    execution=_text(hook["execution"]),
                    kind=HookKind(hook["kind"]),
                    until=_number(hook["until"]),
                ),
            )
        except (KeyError, TypeError, ValueError, AttributeError, InvalidBuildId) as error:
            raise ForeignState(_foreign("control", f"{type(error).__name__}: {error}")) from error


class OutcomeKind(StrEnum):
    """How a release went, or that it has begun."""

    BEGUN = "begun"
    PROMOTED = "promoted"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How the last release went, and why: what CodeDeploy and CloudFormation cannot say. The value `outcome`.

    Attributes:
        build: The build that was released.
        deployment: Its deployment; one of `CHECKS` where it came to none.
        kind: Promoted, withdrawn by an alarm or refused before any traffic; begun, until one of these is known.
        reason: Why, in one sentence.
        at: When, in epoch seconds.
    """

    build: str
    deployment: str
    kind: OutcomeKind
    reason: str
    at: int

    def to_json(self) -> str:
        """The outcome as it is stored; a long reason is cut."""
        reason = self.reason
        if len(reason.encode()) > REASON_MAXIMUM_CHARACTERS:
            reason = reason.encode()[: REASON_MAXIMUM_CHARACTERS - 3].decode(errors="ignore") + "…"
        value = {
            "format": CONTROL_FORMAT,
            "build": self.build,
            "deployment": self.deployment,
            "kind": self.kind.value,
            "reason": reason,
            "at": self.at,
        }
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

    def puts(self) -> dict[str, str]:
        """What is stored of it: the last outcome, unless it has just begun, and that of its deployment, which stays.

        CodeDeploy cannot tell later which build a failed deployment was for: its version is removed with it.
        """
        text = self.to_json()
        if self.deployment == BEFORE_ALL_RELEASES:
            return {OUTCOME_KEY: text}
        if self.kind is OutcomeKind.BEGUN:
            return {outcome_key(self.deployment): text}
        return {OUTCOME_KEY: text, outcome_key(self.deployment): text}

    @classmethod
    def from_json(cls, text: str) -> Outcome:
        """Read a stored outcome.

        Raises:
            UnsupportedFormat: A newer version of this package wrote it.
            ForeignState: This package did not write it.
        """
        value = _ours("outcome", text)
        try:
            return cls(
                build=check_build_id(value["build"]),
                deployment=_text(value["deployment"]),
                kind=OutcomeKind(value["kind"]),
                reason=_text(value["reason"]),
                at=_number(value["at"]),
            )
        except (KeyError, TypeError, ValueError, InvalidBuildId) as error:
            raise ForeignState(_foreign("outcome", f"{type(error).__name__}: {error}")) from error


def outcome_key(deployment: str) -> str:
    """Where the outcome of a deployment, or of a check, is kept."""
    return f"{OUTCOME_KEY}/{deployment}"


def next_check(kept: Mapping[str, str | None]) -> str:
    """Which of `CHECKS` the next refusal takes the place of: one that is free, else the oldest.

    Args:
        kept: The values under their keys.

    Raises:
        UnsupportedFormat, ForeignState: As `Outcome.from_json`.
    """

    def age(check: str) -> int:
        text = kept[outcome_key(check)]
        return -1 if text is None else Outcome.from_json(text).at

    return min(CHECKS, key=age)


def _ours(key: str, text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ForeignState(_foreign(key, "it is not JSON")) from error
    if not isinstance(value, dict) or type(value.get("format")) is not int:
        raise ForeignState(_foreign(key, "it has no format number"))
    if value["format"] > CONTROL_FORMAT:
        raise UnsupportedFormat(
            f"the KeyValueStore's value {key!r} has format {value['format']}, this version of bluegreen-cdn reads "
            f"up to {CONTROL_FORMAT}: upgrade it here to at least the version that is deployed"
        )
    if value["format"] != CONTROL_FORMAT:
        raise ForeignState(_foreign(key, f"its format is {value['format']}"))
    return value


def _foreign(key: str, why: str) -> str:
    return f"the KeyValueStore's value {key!r} was not written by bluegreen-cdn ({why}); remove it or use another store"


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"{value!r} is not a text")
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _number(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is not a whole number")
    return value
