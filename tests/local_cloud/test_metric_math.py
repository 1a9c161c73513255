"""Metric math, as CloudWatch documents it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.local.cloud.metric_grammar import MathError, names, parse
from bluegreen_cdn.local.cloud.metric_math import Evaluation, Value, as_series
from bluegreen_cdn.local.cloud.metric_query import period_of, resolve, returned

GRID = [0.0, 60.0, 120.0]
VALUES: dict[str, Value] = {
    "m1": {0.0: 4.0, 60.0: 9.0, 120.0: 16.0},
    "m2": {0.0: 2.0, 120.0: 0.0},
    "empty": {},
    "two": 2.0,
}


def run(expression: str) -> Value:
    return Evaluation(values=VALUES, grid=GRID).run(expression)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("2 ^ 3 ^ 2", 512.0),
        ("-2 ^ 2", -4.0),
        ("10 - 2 - 3", 5.0),
        ("1 < 2 AND NOT 2 < 1", 1.0),
        ("1 > 2 || 3 >= 3", 1.0),
        ("1 == 1 && 1 != 1", 0.0),
        ("m1 + m2", {0.0: 6.0, 120.0: 16.0}),
        ("m1 / m2", {0.0: 2.0}),
        ("m1 / FILL(m2, 1)", {0.0: 2.0, 60.0: 9.0}),
        ("FILL(m2, 0)", {0.0: 2.0, 60.0: 0.0, 120.0: 0.0}),
        ("FILL(empty, 7)", dict.fromkeys(GRID, 7.0)),
        ("FILL(m2, REPEAT)", {0.0: 2.0, 60.0: 2.0, 120.0: 0.0}),
        ("FILL(m2, m1)", {0.0: 2.0, 60.0: 9.0, 120.0: 0.0}),
        ("SQRT(m1)", {0.0: 2.0, 60.0: 3.0, 120.0: 4.0}),
        ("SQRT(m1 - 9)", {60.0: 0.0, 120.0: math.sqrt(7)}),
        ("ABS(m2 - 2)", {0.0: 0.0, 120.0: 2.0}),
        ("m1 > 8", {0.0: 0.0, 60.0: 1.0, 120.0: 1.0}),
        ("IF(m1 > 8, m1, 0)", {0.0: 0.0, 60.0: 9.0, 120.0: 16.0}),
        ("IF(m1 > 8, m2, 1)", {0.0: 1.0, 120.0: 0.0}),
        ("IF(two > 1, m2, m1)", {0.0: 2.0, 120.0: 0.0}),
        ("IF(m1 > 8, 5)", {60.0: 5.0, 120.0: 5.0}),
        ("MAX(m1)", 16.0),
        ("SUM([m1, m2])", {0.0: 6.0, 60.0: 9.0, 120.0: 16.0}),
        ("MIN([m1, 5])", {0.0: 4.0, 60.0: 5.0, 120.0: 5.0}),
        ("AVG(m2)", 1.0),
        ("RUNNING_SUM(m1)", {0.0: 4.0, 60.0: 13.0, 120.0: 29.0}),
        ("DIFF(m1)", {60.0: 5.0, 120.0: 7.0}),
        ("RATE(m1)", {60.0: 5 / 60, 120.0: 7 / 60}),
        ("PERIOD(m1)", 60.0),
        ("m1 + m2 > 5 AND two == 2", {0.0: 1.0, 120.0: 1.0}),
    ],
)
def test_an_expression_gives(expression: str, expected: Value) -> None:
    assert run(expression) == expected


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("m1 +", "its end"),
        ("(m1", "expected"),
        ("m1 m2", "expected"),
        ("m1 @ 2", "not part of metric math"),
        ("unknown + 1", "id 'unknown'"),
        ("ANOMALY_DETECTION_BAND(m1, 2)", "ANOMALY_DETECTION_BAND with 2 arguments"),
        ("FILL(m1)", "FILL takes"),
    ],
)
def test_a_wrong_expression_is_refused(expression: str, complaint: str) -> None:
    with pytest.raises(MathError, match=complaint.replace("(", r"\(")):
        run(expression)


def test_names_are_found_at_every_depth() -> None:
    assert names(parse("IF(FILL(a, REPEAT) > 1, SUM([b, c]), -d)")) == {"a", "b", "c", "d", "REPEAT"}


def test_a_number_becomes_a_constant_series() -> None:
    assert as_series(3.0, GRID) == dict.fromkeys(GRID, 3.0)
    assert as_series(math.nan, GRID) == {}
    with pytest.raises(MathError, match="array"):
        as_series([1.0], GRID)


numbers = st.integers(-50, 50)


@given(
    st.recursive(
        numbers.map(str),
        lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        ),
        max_leaves=12,
    )
)
def test_arithmetic_is_pythons(expression: str) -> None:
    assert run(expression) == eval(expression)


@given(st.dictionaries(st.sampled_from(GRID), st.floats(-1e6, 1e6)), st.floats(-1e6, 1e6))
def test_fill_leaves_no_gap_and_changes_no_point(series: dict[float, float], filler: float) -> None:
    evaluation = Evaluation(values={"m": series, "filler": filler}, grid=GRID)
    filled = evaluation.run("FILL(m, filler)")
    assert isinstance(filled, dict)
    assert list(filled) == GRID
    assert all(filled[moment] == value for moment, value in series.items())


def test_queries_refer_to_each_other() -> None:
    queries = [
        {"Id": "share", "Expression": "100 * errors / loads"},
        {"Id": "errors", "MetricStat": {"Metric": {"MetricName": "Errors"}, "Period": 60}, "ReturnData": False},
        {"Id": "loads", "MetricStat": {"Metric": {"MetricName": "Loads"}, "Period": 60}, "ReturnData": False},
    ]
    read = {"Errors": {0.0: 1.0}, "Loads": {0.0: 4.0, 60.0: 8.0}}
    values = resolve(queries, lambda stat: read[stat["Metric"]["MetricName"]], GRID, 60)
    assert values["share"] == {0.0: 25.0}
    assert returned(queries) == ["share"]
    assert period_of(queries) == 60


def test_a_query_that_refers_to_itself_is_refused() -> None:
    queries = [{"Id": "a", "Expression": "b + 1"}, {"Id": "b", "Expression": "a + 1"}]
    with pytest.raises(MathError, match="refers to itself"):
        resolve(queries, lambda stat: {}, GRID, 60)
