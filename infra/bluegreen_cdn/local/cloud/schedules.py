"""EventBridge schedules in scaled minutes."""

import contextlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from bluegreen_cdn.local.cloud.clock import ScaledClock
from bluegreen_cdn.local.cloud.seams import replace, require

TICK_SECONDS = 6
TICK_MINIMUM_REAL_SECONDS = 0.05


class ScheduledRuns:
    """Lets one scheduled run of a function be under way at a time.

    A minute of the cloud may be half a second here. On a busy machine, runs that do not end before the next begins
    would pile up until nothing ends any more; AWS has a machine for each of them, we leave out what comes too early.
    """

    def __init__(self) -> None:
        self._running: set[str] = set()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def one(self, function: str, event: object) -> Iterator[bool]:
        """Say whether this run may begin; every run that no schedule has asked for may."""
        if not (isinstance(event, dict) and event.get("detail-type") == "Scheduled Event"):
            yield True
            return
        with self._lock:
            may = function not in self._running
            self._running.add(function)
        try:
            yield may
        finally:
            if may:
                with self._lock:
                    self._running.discard(function)


def install(events: Any, clock: ScaledClock) -> None:
    """Make `rate()` count scaled minutes, `cron()` follow the cloud's calendar, and the ticker keep up with both."""
    require(events, "_tick_scheduled_rules", "_rule_last_fired")

    def rate_seconds(expression: str) -> float | None:
        seconds = original_rate(expression)
        return None if seconds is None else clock.real_seconds(seconds)

    def next_fire(fields: Any, after: datetime) -> datetime | None:
        found = original_next_fire(fields, clock.to_cloud(after.astimezone(UTC)))
        return None if found is None else clock.to_real(found)

    original_rate = replace(events, "_parse_rate_seconds", rate_seconds)
    original_next_fire = replace(events, "_cron_next_fire", next_fire)
    replace(events, "_SCHEDULER_TICK_INTERVAL", max(TICK_MINIMUM_REAL_SECONDS, clock.real_seconds(TICK_SECONDS)))
