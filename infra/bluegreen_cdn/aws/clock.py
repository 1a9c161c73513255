"""The one clock of everything that waits, so that a rehearsal can run an hour's release in a minute."""

import math
import os
import time
from collections.abc import Mapping

from bluegreen_cdn.errors import InvalidInput

TIME_SCALE_VARIABLE = "BLUEGREEN_TIME_SCALE"


class Clock:
    """Real time, and durations which a rehearsal shortens.

    Args:
        scale: How many seconds of a release pass in one real second. Default: 1.
    """

    def __init__(self, scale: float = 1.0) -> None:
        if not math.isfinite(scale) or scale <= 0:
            raise InvalidInput(f"time scale is {scale!r}; it must be a number above 0, 1 for real time")
        self.scale = scale

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Clock":
        """The clock that `BLUEGREEN_TIME_SCALE` asks for; real time when it is not set.

        Raises:
            InvalidInput: It is not a number above 0.
        """
        text = environment.get(TIME_SCALE_VARIABLE) or "1"
        try:
            return cls(float(text))
        except ValueError as error:
            raise InvalidInput(f"{TIME_SCALE_VARIABLE} is {text!r}; it must be a number above 0") from error

    def now(self) -> float:
        """Epoch seconds, never scaled."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait for real seconds."""
        time.sleep(max(0.0, seconds))

    def seconds(self, number: float) -> float:
        """The real seconds that stand for a release's seconds."""
        return number / self.scale

    def minutes(self, number: float) -> float:
        """The real seconds that stand for a release's minutes."""
        return self.seconds(number * 60)
