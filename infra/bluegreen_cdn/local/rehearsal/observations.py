"""What visitors observe, as values: builds, pages, answers and how they are judged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """How one answer to a page's request is judged."""

    GOOD = "good"
    FAILED = "failed"
    """No answer, an error status, or bytes that belong to no build."""
    MIXED = "mixed"
    """Another build's bytes: the fault that this project exists to prevent."""
    SHARED_COOKIE = "shared cookie"
    """An un-hashed file of the visitor's last document, opened in another tab since: stated, counted apart."""
    NOT_IN_BUILD = "not in build"
    """The page's own build has no such file: the build's fault, or a false find of the scanner."""


@dataclass(frozen=True, kw_only=True)
class BuildFiles:
    """One build as its manifest lists it.

    Attributes:
        build_id: Its name.
        digests: SHA-256 by path, without leading slash.
        hashed: The paths whose names carry a content hash.
    """

    build_id: str
    digests: Mapping[str, str]
    hashed: frozenset[str] = frozenset()

    def documents(self) -> set[str]:
        """Return the digests of this build's documents."""
        return {digest for path, digest in self.digests.items() if path.endswith(".html")}


@dataclass(kw_only=True)
class Page:
    """One document in one tab."""

    number: int
    visitor: str
    tab: int
    at: float
    url: str
    build_id: str | None
    first_visit: bool
    via: str
    problems: list[str] = field(default_factory=list)
    mixed: bool = False


@dataclass(frozen=True, kw_only=True)
class LazySeen:
    """One answer to a page that had been open for a while."""

    build_id: str | None
    opened: float
    at: float
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Incident:
    """Something that a reader of the report should see, in words."""

    at: float
    kind: str
    text: str
