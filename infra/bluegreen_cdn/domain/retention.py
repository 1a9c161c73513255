"""Which builds are kept and which may go: pure, and printable as it stands.

Builds go, files follow: a file may go when every manifest that names it has gone. Whether a file is named is asked of
a `KeySet`, which knows a million keys in eight megabytes.
"""

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from bluegreen_cdn.defaults import RETAINED_BUILDS, SKEW_WINDOW_DAYS
from bluegreen_cdn.errors import InvalidInput

_DAY_SECONDS = 86_400
_WORD_BYTES = 8
_PENDING_KEYS = 100_000


class Reason(StrEnum):
    """Why a build is kept."""

    LIVE = "live"
    ROLLBACK_TARGET = "rollback target"
    RECENT = "one of the last"
    YOUNG = "younger than the skew window"


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedBuild:
    """A build that has a manifest.

    Attributes:
        build: Its id.
        published: When its manifest was written, in epoch seconds of the store's clock.
        version: The version id of its manifest in the primary bucket.
    """

    build: str
    published: float
    version: str = ""


@dataclass(frozen=True, kw_only=True)
class InUse:
    """The builds that the site uses, as the cloud says just now.

    Attributes:
        live: Both sides of the alias, stable and candidate of the routing state, its channels, the pin.
        rollback_targets: Those of which a version of the release function exists.
    """

    live: frozenset[str] = frozenset()
    rollback_targets: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class RetentionPolicy:
    """What is kept besides what is in use.

    Attributes:
        keep_last: The builds published last, whatever their age. Default: 5.
        skew_days: How long after a later build was published an open page may still ask for a build's files.
            Default: 7, as long as the cookie that holds a visitor to a build.

    Raises:
        InvalidInput: One is out of its range.
    """

    keep_last: int = RETAINED_BUILDS
    skew_days: float = SKEW_WINDOW_DAYS

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.keep_last < 1:
            raise InvalidInput(f"keep_last is {self.keep_last!r}; it must be at least 1: the newest build always stays")
        if not 0 <= self.skew_days <= 3650:  # more is a slip, such as seconds
            raise InvalidInput(f"skew_days is {self.skew_days!r}; it must be from 0 to 3650")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fate:
    """What becomes of a build.

    Attributes:
        build: The build.
        reasons: Why it is kept; empty if it goes.
        rollback_target: Whether a version of the release function exists for it.
    """

    build: PublishedBuild
    reasons: tuple[Reason, ...]
    rollback_target: bool

    @property
    def kept(self) -> bool:
        """Whether it stays."""
        return bool(self.reasons)

    def to_json(self) -> dict[str, Any]:
        """The fate for other programs."""
        return {
            "build": self.build.build,
            "published": self.build.published,
            "kept": self.kept,
            "reasons": [reason.value for reason in self.reasons],
            "rollback_target": self.rollback_target,
        }


@dataclass(frozen=True, kw_only=True)
class RetentionPlan:
    """What becomes of every build.

    Attributes:
        fates: Of all of them, the newest first.
        missing: Builds in use that have no manifest: nothing of them can be kept or removed.
    """

    fates: tuple[Fate, ...]
    missing: tuple[str, ...] = ()

    @property
    def kept(self) -> tuple[str, ...]:
        """The builds that stay."""
        return tuple(fate.build.build for fate in self.fates if fate.kept)

    @property
    def doomed(self) -> tuple[str, ...]:
        """The builds that go, the oldest first."""
        return tuple(fate.build.build for fate in reversed(self.fates) if not fate.kept)

    def fate(self, build: str) -> Fate | None:
        """What becomes of one build; None if it has no manifest."""
        return next((fate for fate in self.fates if fate.build.build == build), None)


def plan_retention(
    builds: Iterable[PublishedBuild], in_use: InUse, policy: RetentionPolicy, *, now: float
) -> RetentionPlan:
    """Decide which builds are kept.

    A build counts as young until the skew window has passed since the *next* build was published: until then it may
    have been the one that visitors were given.

    Args:
        builds: Those that have manifests.
        in_use: What the site uses.
        policy: What is kept besides.
        now: Epoch seconds of the store's clock.
    """
    ordered = sorted(builds, key=lambda build: (-build.published, build.build))
    since = now - policy.skew_days * _DAY_SECONDS
    fates = []
    for place, build in enumerate(ordered):
        followed = ordered[place - 1].published if place else now
        reasons = (
            (Reason.LIVE, build.build in in_use.live),
            (Reason.ROLLBACK_TARGET, build.build in in_use.rollback_targets),
            (Reason.RECENT, place < policy.keep_last),
            (Reason.YOUNG, followed >= since),
        )
        fates.append(
            Fate(
                build=build,
                reasons=tuple(reason for reason, holds in reasons if holds),
                rollback_target=build.build in in_use.rollback_targets,
            )
        )
    known = {build.build for build in ordered}
    return RetentionPlan(fates=tuple(fates), missing=tuple(sorted(in_use.live - known)))


class KeySet:
    """A set of object keys in eight bytes each.

    It may take a key for one that it has (once in 10¹³ questions to a million keys), never the other way round: so it
    is asked which files to keep, and a mistake keeps a file too many.
    """

    def __init__(self) -> None:
        self._sorted: array[int] = array("Q")
        self._pending: list[int] = []

    def __len__(self) -> int:
        """How many keys there are."""
        self._settle()
        return len(self._sorted)

    def __contains__(self, key: str) -> bool:
        """Whether a key has been added."""
        self._settle()
        return self._has(_fingerprint(key))

    def add(self, key: str) -> None:
        """Add a key."""
        self._pending.append(_fingerprint(key))
        if len(self._pending) >= _PENDING_KEYS:
            self._settle()

    def to_bytes(self) -> bytes:
        """The set as it is stored, the same bytes on every machine."""
        self._settle()
        return b"".join(word.to_bytes(_WORD_BYTES, "big") for word in self._sorted)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a stored set.

        Raises:
            ValueError: It is none.
        """
        if len(data) % _WORD_BYTES:
            raise ValueError(f"a set of keys cannot have {len(data)} bytes")
        made = cls()
        words = (data[start : start + _WORD_BYTES] for start in range(0, len(data), _WORD_BYTES))
        made._sorted = array("Q", (int.from_bytes(word, "big") for word in words))
        if any(one >= other for one, other in zip(made._sorted, made._sorted[1:], strict=False)):
            raise ValueError("a set of keys is stored in order")
        return made

    def _settle(self) -> None:
        if not self._pending:
            return
        new = sorted({word for word in self._pending if not self._has(word)})
        self._pending.clear()
        # Both runs are sorted already, which `sorted` merges in one pass.
        self._sorted = array("Q", sorted([*self._sorted, *new])) if new else self._sorted

    def _has(self, word: int) -> bool:
        place = bisect_left(self._sorted, word)
        return place < len(self._sorted) and self._sorted[place] == word


def keys_in(keys: Iterable[str]) -> KeySet:
    """The set of some keys."""
    made = KeySet()
    for key in keys:
        made.add(key)
    return made


def without(builds: Sequence[PublishedBuild], gone: Iterable[PublishedBuild]) -> tuple[PublishedBuild, ...]:
    """The builds whose manifest is not one of those that go; one that was published again has another version."""
    versions = {(build.build, build.version) for build in gone}
    return tuple(build for build in builds if (build.build, build.version) not in versions)


def _fingerprint(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=_WORD_BYTES).digest(), "big")
