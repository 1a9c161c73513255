"""Scaled time: AWS's minutes, shorter."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True, kw_only=True)
class ScaledClock:
    """Wall time with shorter minutes: one of AWS's minutes takes `60 / time_scale` real seconds.

    Timestamps stay real everywhere; only durations (deployment steps, alarm periods, schedules, time-outs) shrink.

    Args:
        time_scale: How many times faster than AWS the local cloud goes. Default: 1.
    """

    time_scale: float = 1.0
    now: Callable[[], float] = time.time
    started: float = field(default_factory=time.time)

    def real_seconds(self, seconds: float) -> float:
        """Give the real seconds that stand for this many of AWS's seconds."""
        return seconds / self.time_scale

    def real_minutes(self, minutes: float) -> float:
        """Give the real seconds that stand for this many of AWS's minutes."""
        return self.real_seconds(minutes * 60)

    def to_cloud(self, moment: datetime) -> datetime:
        """Give the cloud's calendar time at a real moment; the calendar runs `time_scale` times as fast."""
        elapsed = moment.timestamp() - self.started
        return datetime.fromtimestamp(self.started + elapsed * self.time_scale, tz=UTC)

    def to_real(self, moment: datetime) -> datetime:
        """Give the real moment at which the cloud's calendar shows this time."""
        elapsed = moment.timestamp() - self.started
        return datetime.fromtimestamp(self.started + elapsed / self.time_scale, tz=UTC)
