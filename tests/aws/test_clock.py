import pytest

from bluegreen_cdn.aws.clock import TIME_SCALE_VARIABLE, Clock
from bluegreen_cdn.aws.fakes import FakeClock
from bluegreen_cdn.errors import InvalidInput


def test_without_a_scale_a_minute_is_a_minute() -> None:
    for environment in ({}, {TIME_SCALE_VARIABLE: ""}, {TIME_SCALE_VARIABLE: "1"}):
        assert Clock.from_environment(environment).minutes(2) == 120


def test_a_scale_shortens_durations_and_never_the_time_of_day() -> None:
    clock = Clock.from_environment({TIME_SCALE_VARIABLE: "60"})
    assert (clock.minutes(2), clock.seconds(30)) == (2, 0.5)
    assert abs(clock.now() - Clock().now()) < 5


@pytest.mark.parametrize("text", ["fast", "0", "-1", "nan", "inf", "1,5"])
def test_a_scale_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"scale|TIME_SCALE"):
        Clock.from_environment({TIME_SCALE_VARIABLE: text})


def test_the_fakes_time_passes_by_sleeping_alone() -> None:
    seen: list[float] = []
    clock = FakeClock(100, on_sleep=lambda: seen.append(clock.now()))
    clock.sleep(5)
    clock.sleep(-5)
    assert clock.now() == 105
    assert seen == [105, 105]
