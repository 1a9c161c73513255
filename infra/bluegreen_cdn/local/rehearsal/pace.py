"""How fast a rehearsal's minutes may pass on this machine as it is now.

The visitors' scripts run on the machine that plays everybody else, too. When it is busy they load fewer pages in a
second; with minutes as short as ever an alarm would have too few of them to go on.
"""

import os

from bluegreen_cdn.local.rehearsal.options import TIME_SCALE, TIME_SCALE_LIMITS

EASY_LOAD_PER_CORE = 1.5
SLOWEST = 5.0


def time_scale(load_per_core: float) -> float:
    """Choose a time scale: the usual one while there is something left of the machine, then less in proportion.

    Args:
        load_per_core: Processes that want to run, for each core; 1 keeps the machine just busy.
    """
    slowest = max(SLOWEST, TIME_SCALE_LIMITS[0])
    return round(max(slowest, min(TIME_SCALE, TIME_SCALE * EASY_LOAD_PER_CORE / max(load_per_core, 0.01))), 1)


def load_per_core() -> float:
    """Measure the last minute's load; 0 where the system does not tell."""
    try:
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    except OSError:
        return 0.0
