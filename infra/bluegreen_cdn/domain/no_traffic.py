"""What becomes of a release that too few visitors have seen to tell whether it is any good."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from bluegreen_cdn import defaults
from bluegreen_cdn.errors import InvalidRollout

_TEXT = re.compile(r"(?P<kind>promote|abort)(@(?P<least>\d{1,7}))?", re.ASCII)


class NoTrafficKind(StrEnum):
    """The two ways out."""

    PROMOTE = "promote"
    ABORT = "abort"


@dataclass(frozen=True, kw_only=True)
class NoTraffic:
    """Whether silence is taken for consent. Make one with `promote`, `abort` or `parse`.

    Attributes:
        kind: What is done.
        minimum_page_loads: Of the candidate, over the whole release; with fewer it is taken back. 0 when promoting.
    """

    kind: NoTrafficKind
    minimum_page_loads: int

    def __post_init__(self) -> None:
        """Refuse what could never or always be reached."""
        least, most = self.minimum_page_loads, defaults.NO_TRAFFIC_PAGE_LOADS_MAXIMUM
        if type(least) is not int:
            fits = False
        else:
            fits = least == 0 if self.kind is NoTrafficKind.PROMOTE else 1 <= least <= most
        if not fits:
            raise InvalidRollout(
                f"minimum_page_loads is {least!r}; it must be a whole number from 1 to {most} to abort below it, and "
                f"promoting asks for none: use NoTraffic.abort(minimum_page_loads=…) or NoTraffic.promote()"
            )

    @classmethod
    def promote(cls) -> NoTraffic:
        """A candidate against which nothing has been reported becomes stable, whoever has seen it."""
        return cls(kind=NoTrafficKind.PROMOTE, minimum_page_loads=0)

    @classmethod
    def abort(cls, *, minimum_page_loads: int = defaults.NO_TRAFFIC_PAGE_LOADS) -> NoTraffic:
        """A candidate that has not been seen enough is taken back.

        Args:
            minimum_page_loads: Of the candidate, as browsers reported, over the whole release. Default: 20.

        Raises:
            InvalidRollout: It is no such number.
        """
        return cls(kind=NoTrafficKind.ABORT, minimum_page_loads=minimum_page_loads)

    @classmethod
    def parse(cls, text: str) -> NoTraffic:
        """Read what `describe` writes.

        Example:
            `promote`, `abort`, `abort@100`

        Raises:
            InvalidRollout: It is something else.
        """
        match = _TEXT.fullmatch(text)
        if match is None or (match["kind"] == NoTrafficKind.PROMOTE and match["least"]):
            raise InvalidRollout(
                f"on_no_traffic {text!r} cannot be read; write promote, abort, or abort@100 to abort below 100 page "
                f"loads"
            )
        if match["kind"] == NoTrafficKind.PROMOTE:
            return cls.promote()
        return cls.abort(minimum_page_loads=int(match["least"] or defaults.NO_TRAFFIC_PAGE_LOADS))

    def describe(self) -> str:
        """The choice in a word which `parse` reads back."""
        return self.kind.value if self.kind is NoTrafficKind.PROMOTE else f"{self.kind}@{self.minimum_page_loads}"
