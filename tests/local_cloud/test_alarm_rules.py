"""The tables of CloudWatch's documentation on missing data, and M out of N."""

import pytest

from bluegreen_cdn.local.cloud.alarm_rules import ALARM, INSUFFICIENT_DATA, OK, AlarmRule

POINTS = {"0": 0.0, "X": 9.0, "-": None}
KEPT = "kept"
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


def decide(points: str, treat: str, *, periods: int, datapoints: int) -> str:
    rule = AlarmRule(
        comparison="GreaterThanThreshold",
        threshold=1,
        evaluation_periods=periods,
        datapoints_to_alarm=datapoints,
        treat_missing_data=treat,
    )
    return rule.decide([POINTS[point] for point in points.split()], KEPT)


@pytest.mark.parametrize(
    ("points", "states"),
    [
        ("0 - X - X", (OK, OK, OK, OK)),
        ("0 - - - -", (OK, OK, OK, OK)),
        ("- - - - -", (INSUFFICIENT_DATA, KEPT, ALARM, OK)),
        ("0 X X - X", (ALARM, ALARM, ALARM, ALARM)),
        ("- - X - -", (ALARM, KEPT, ALARM, OK)),
    ],
)
def test_three_of_three(points: str, states: tuple[str, ...]) -> None:
    assert tuple(decide(points, treat, periods=3, datapoints=3) for treat in TREATMENTS) == states


@pytest.mark.parametrize(
    ("points", "states"),
    [
        ("0 - X - X", (ALARM, ALARM, ALARM, ALARM)),
        ("0 0 X 0 X", (ALARM, ALARM, ALARM, ALARM)),
        ("0 - X - -", (OK, OK, ALARM, OK)),
        ("- - - - 0", (OK, OK, ALARM, OK)),
        ("- - - X -", (ALARM, KEPT, ALARM, OK)),
    ],
)
def test_two_of_three(points: str, states: tuple[str, ...]) -> None:
    assert tuple(decide(points, treat, periods=3, datapoints=2) for treat in TREATMENTS) == states


@pytest.mark.parametrize(
    ("comparison", "breaches"),
    [
        ("GreaterThanThreshold", (False, False, True)),
        ("GreaterThanOrEqualToThreshold", (False, True, True)),
        ("LessThanThreshold", (True, False, False)),
        ("LessThanOrEqualToThreshold", (True, True, False)),
    ],
)
def test_comparisons(comparison: str, breaches: tuple[bool, ...]) -> None:
    rule = AlarmRule(comparison=comparison, threshold=5)
    assert tuple(rule.decide([value], OK) == ALARM for value in (4.0, 5.0, 6.0)) == breaches
