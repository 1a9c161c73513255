"""Which releases an operator has taken back: the value `operations` of the KeyValueStore.

CodeDeploy calls a release a success for ever, even if its build was rolled back by hand an hour later. Without this
note, a rollback of the release after it would lead straight back to that build.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from bluegreen_cdn.defaults import KVS_VALUE_MAXIMUM_BYTES
from bluegreen_cdn.domain.builds import check_build_id
from bluegreen_cdn.errors import ForeignState, InvalidBuildId, UnsupportedFormat

OPERATIONS_KEY = "operations"
OPERATIONS_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class TakenBack:
    """A release that an operator has taken back.

    Attributes:
        build: Its build.
        deployment: Its deployment.
        to: The build that took its place.
        at: When, in epoch seconds.
    """

    build: str
    deployment: str
    to: str
    at: int


@dataclass(frozen=True)
class OperationsLog:
    """What operators have done, newest last; as much of it as one value holds. An absent value is the empty log."""

    taken_back: tuple[TakenBack, ...] = ()

    def of(self, deployment: str) -> TakenBack | None:
        """The note about a release."""
        return next((note for note in self.taken_back if note.deployment == deployment), None)

    def with_note(self, note: TakenBack) -> OperationsLog:
        """The same with one more note."""
        return OperationsLog((*(old for old in self.taken_back if old.deployment != note.deployment), note))

    def without(self, build: str) -> OperationsLog:
        """The same without the notes of a build, which has been let in again."""
        return OperationsLog(tuple(note for note in self.taken_back if note.build != build))

    def to_json(self) -> str:
        """The log as it is stored; the oldest notes are left out when there are too many."""
        for start in range(len(self.taken_back) + 1):
            text = _text(self.taken_back[start:])
            if len(text.encode()) <= KVS_VALUE_MAXIMUM_BYTES:
                return text
        raise AssertionError("unreachable")

    @classmethod
    def from_json(cls, text: str | None) -> OperationsLog:
        """Read a stored log.

        Raises:
            UnsupportedFormat: A newer version of this package wrote it.
            ForeignState: This package did not write it.
        """
        if text is None:
            return cls()
        try:
            value = json.loads(text)
            if value["format"] > OPERATIONS_FORMAT:
                raise UnsupportedFormat(
                    f"the KeyValueStore's value {OPERATIONS_KEY!r} has format {value['format']}, this version of "
                    f"bluegreen-cdn reads up to {OPERATIONS_FORMAT}: upgrade it"
                )
            return cls(
                tuple(
                    TakenBack(
                        build=check_build_id(item["build"]),
                        deployment=str(item["deployment"]),
                        to=check_build_id(item["to"]),
                        at=int(item["at"]),
                    )
                    for item in value["taken_back"]
                )
            )
        except (KeyError, TypeError, ValueError, RecursionError, InvalidBuildId) as error:
            raise ForeignState(
                f"the KeyValueStore's value {OPERATIONS_KEY!r} was not written by bluegreen-cdn ({error}); remove it"
            ) from error


def _text(notes: Iterable[TakenBack]) -> str:
    items = [{"build": note.build, "deployment": note.deployment, "to": note.to, "at": note.at} for note in notes]
    return json.dumps({"format": OPERATIONS_FORMAT, "taken_back": items}, separators=(",", ":"))
