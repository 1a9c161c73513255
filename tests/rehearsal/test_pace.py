import pytest

from bluegreen_cdn.local.rehearsal.options import TIME_SCALE
from bluegreen_cdn.local.rehearsal.pace import SLOWEST, load_per_core, time_scale


@pytest.mark.parametrize(
    ("load", "scale"), [(0, TIME_SCALE), (1.5, TIME_SCALE), (3, TIME_SCALE / 2), (4, 7.5), (50, SLOWEST)]
)
def test_minutes_become_longer_when_the_machine_is_busy(load: float, scale: float) -> None:
    assert time_scale(load) == scale


def test_the_load_is_measured() -> None:
    assert load_per_core() >= 0
