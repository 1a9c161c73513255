import math
import random
import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bluegreen_cdn import defaults
from bluegreen_cdn.domain.verdict import (
    ASSET_FAILURES,
    METRIC_NAMES,
    PAGE_LOADS,
    SCRIPT_ERRORS,
    SLOW_LOADS,
    MetricMath,
    Role,
    Verdict,
)
from bluegreen_cdn.errors import InvalidInput
from bluegreen_cdn.local.cloud.metric_math import Evaluation

VERDICT = Verdict()


def sums(n1: float, b1: float, n0: float, b0: float, *, as_assets: bool = False) -> dict[tuple[Role, str], float]:
    kind = ASSET_FAILURES if as_assets else SCRIPT_ERRORS
    return {
        (Role.CANDIDATE, PAGE_LOADS): n1,
        (Role.CANDIDATE, kind): b1,
        (Role.STABLE, PAGE_LOADS): n0,
        (Role.STABLE, kind): b0,
    }


def direct(n1: int, b1: int, n0: int, b0: int) -> float:
    """The textbook formula: difference of proportions over its pooled standard error, corrected for continuity."""
    b1, b0 = min(b1, n1), min(b0, n0)
    pooled = (b1 + b0) / (n1 + n0)
    if pooled in (0, 1):
        return 0.0
    error = math.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n0))
    return max(0.0, (b1 / n1 - b0 / n0 - (1 / n1 + 1 / n0) / 2) / error)


loads = st.integers(0, 20_000)
enough = st.integers(defaults.VERDICT_MINIMUM_PAGE_LOADS, 20_000)


@given(enough, loads, enough, loads)
def test_score_is_the_textbook_formula(n1: int, b1: int, n0: int, b0: int) -> None:
    assert VERDICT.score(sums(n1, b1, n0, b0)) == pytest.approx(direct(n1, b1, n0, b0), rel=1e-9, abs=1e-9)


@given(loads, loads, loads, loads)
def test_score_is_finite_and_never_negative(n1: int, b1: int, n0: int, b0: int) -> None:
    score = VERDICT.score(sums(n1, b1, n0, b0))
    assert math.isfinite(score)
    assert score >= 0


@given(st.integers(0, defaults.VERDICT_MINIMUM_PAGE_LOADS - 1), loads, loads, loads)
def test_no_verdict_below_the_minimum_sample(n1: int, b1: int, n0: int, b0: int) -> None:
    assert VERDICT.score(sums(n1, b1, n0, b0)) == 0


def test_no_verdict_without_a_control_group() -> None:
    assert VERDICT.score(sums(1000, 1000, defaults.VERDICT_MINIMUM_STABLE_PAGE_LOADS - 1, 0)) == 0
    assert VERDICT.score({}) == 0


@given(enough, loads, enough, loads)
def test_a_candidate_that_is_no_worse_is_never_judged(n1: int, b1: int, n0: int, b0: int) -> None:
    assume(min(b1, n1) * n0 <= min(b0, n0) * n1)
    assert VERDICT.score(sums(n1, b1, n0, b0)) == 0


@given(enough, loads, enough, loads, st.integers(1, 100))
def test_more_errors_of_the_candidate_or_fewer_of_stable_never_help_it(
    n1: int, b1: int, n0: int, b0: int, more: int
) -> None:
    worse = VERDICT.score(sums(n1, b1 + more, n0, b0))
    assert worse >= VERDICT.score(sums(n1, b1, n0, b0)) - 1e-9


@given(enough, loads, enough, loads)
def test_errors_and_failed_assets_count_alike(n1: int, b1: int, n0: int, b0: int) -> None:
    assert VERDICT.score(sums(n1, b1, n0, b0)) == VERDICT.score(sums(n1, b1, n0, b0, as_assets=True))


def test_a_page_with_many_errors_is_one_bad_page() -> None:
    assert VERDICT.score(sums(100, 100_000, 900, 9)) == VERDICT.score(sums(100, 100, 900, 9))


def test_a_broken_page_is_caught_even_by_the_hold_out_alone() -> None:
    assert VERDICT.is_worse(sums(100, 20, 900, 4))
    assert VERDICT.is_worse(sums(400, 240, 20, 1))
    assert not VERDICT.is_worse(sums(100, 2, 900, 9))


def test_false_alarms_are_rare_when_both_builds_are_alike() -> None:
    """40,000 judged minutes; rates and volumes as real sites have them. A release is judged for some ten minutes."""
    rng = random.Random(20)
    alarms = 0
    minutes = 40_000
    for minute in range(minutes):
        rate = (0.0005, 0.002, 0.01, 0.05)[minute % 4]
        n1, n0 = ((20, 180), (100, 900), (950, 50), (500, 500))[minute // 4 % 4]
        b1, b0 = _binomial(rng, n1, rate), _binomial(rng, n0, rate)
        alarms += VERDICT.is_worse(sums(n1, b1, n0, b0))
    assert alarms / minutes < 0.0005, alarms


def _binomial(rng: random.Random, n: int, rate: float) -> int:
    """A draw by its gaps: quick where the rate is small."""
    count, at = 0, 0
    while True:
        at += int(math.log(1 - rng.random()) / math.log(1 - rate)) + 1
        if at > n:
            return count
        count += 1


# -- metric math ----------------------------------------------------------------------------------------------------


SLOWDOWN = VERDICT.slowdown_math()
assert SLOWDOWN is not None


def evaluate_as_text(math_: MetricMath, values: dict[tuple[Role, str], float]) -> float:
    """Evaluate the rendered text, not the tree: what an alarm that got these strings would compute."""
    known: dict[str, float | None] = {metric.id: values.get((metric.role, metric.name)) for metric in math_.metrics}
    scope = {"IF": lambda c, a, b: a if c else b, "SQRT": math.sqrt, "FILL": lambda v, to: to if v is None else v}
    result = math.nan
    for query in math_.queries:
        result = eval(query.expression, {"__builtins__": {}}, {**scope, **known})
        known[query.id] = result
    return result


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(Role), st.sampled_from(METRIC_NAMES)),
        loads,
    )
)
def test_the_rendered_text_computes_the_same_scores(values: dict[tuple[Role, str], float]) -> None:
    assert evaluate_as_text(VERDICT.metric_math(), values) == pytest.approx(VERDICT.score(values), rel=1e-9)
    assert SLOWDOWN is not None
    assert evaluate_as_text(SLOWDOWN, values) == pytest.approx(VERDICT.slowdown_score(values), rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.tuples(st.sampled_from(Role), st.sampled_from([PAGE_LOADS, SCRIPT_ERRORS])), loads),
        min_size=1,
        max_size=5,
    )
)
def test_the_local_cloud_computes_the_same_score_minute_by_minute(minutes: list[dict[tuple[Role, str], float]]) -> None:
    """An independent reading of metric math, over series with holes: what fires the alarm in a rehearsal."""
    math_ = VERDICT.metric_math()
    values: dict[str, Any] = {
        metric.id: {
            float(minute): float(sums_[metric.role, metric.name])
            for minute, sums_ in enumerate(minutes)
            if (metric.role, metric.name) in sums_
        }
        for metric in math_.metrics
    }
    grid = [float(minute) for minute in range(len(minutes))]
    for query in math_.queries:
        values[query.id] = Evaluation(values=values, grid=grid).run(query.expression)
    for minute, sums_ in enumerate(minutes):
        assert values["score"][float(minute)] == pytest.approx(VERDICT.score(sums_), rel=1e-9)


@pytest.mark.parametrize("which", ["verdict", "slowdown"])
def test_rendering_is_what_cloudwatch_accepts(which: str) -> None:
    verdict = Verdict(minimum_page_loads=70, z_threshold=3.5, slowdown_z_threshold=3.5, period_seconds=300)
    math_ = verdict.metric_math() if which == "verdict" else verdict.slowdown_math()
    assert math_ is not None
    ids = [metric.id for metric in math_.metrics] + [query.id for query in math_.queries]
    assert len(ids) == len(set(ids)), "every query has an id of its own"
    assert len(math_.metrics) <= 10, "an alarm takes at most ten metrics"
    assert len(math_.queries) <= 10, "and at most ten expressions"
    assert all(re.fullmatch(r"[a-z][A-Za-z0-9_]*", name) for name in ids)
    defined = {metric.id for metric in math_.metrics}
    for query in math_.queries:
        words = set(re.findall(r"[A-Za-z_]\w*", query.expression))
        assert words - {"IF", "SQRT", "FILL"} <= defined, "every query stands after what it refers to"
        assert len(query.expression) <= 1024
        defined.add(query.id)
    assert math_.queries[-1].id == "score"
    assert (math_.threshold, math_.period_seconds) == (3.5, 300)
    assert "candidate_loads >= 70" in math_.queries[-1].expression


@pytest.mark.parametrize(
    ("name", "value"),
    [("period_seconds", 45), ("period_seconds", 90), ("period_seconds", 7200), ("minimum_page_loads", 0),
     ("minimum_page_loads", True), ("minimum_stable_page_loads", 2.5), ("z_threshold", 0), ("z_threshold", math.nan),
     ("slowdown_z_threshold", 0), ("slowdown_ratio", 0.9), ("slowdown_ratio", math.nan), ("slowdown", "no")],
)  # fmt: skip
def test_a_verdict_that_cannot_be_reached_or_avoided_is_refused(name: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match=f"{name} is"):
        Verdict(**{name: value})


def test_a_partly_broken_build_is_found_out_by_the_hold_out_of_a_busy_site() -> None:
    """Five minutes at full weight: 5 % of the visitors are the control group."""
    assert VERDICT.is_worse(sums(4750, 950, 250, 2))
    assert not VERDICT.is_worse(sums(4750, 60, 250, 2))


# -- slowdown -------------------------------------------------------------------------------------------------------


def slow(n1: float, s1: float, n0: float, s0: float) -> dict[tuple[Role, str], float]:
    return {
        (Role.CANDIDATE, PAGE_LOADS): n1,
        (Role.CANDIDATE, SLOW_LOADS): s1,
        (Role.STABLE, PAGE_LOADS): n0,
        (Role.STABLE, SLOW_LOADS): s0,
    }


@given(enough, loads, enough, loads)
def test_the_slowdown_is_the_same_test_with_stables_slow_loads_weighted(n1: int, s1: int, n0: int, s0: int) -> None:
    same = Verdict(slowdown_ratio=1)
    assert same.slowdown_score(slow(n1, s1, n0, s0)) == VERDICT.score(sums(n1, s1, n0, s0))
    assert VERDICT.slowdown_score(slow(n1, s1, n0, 2 * s0)) == VERDICT.score(sums(n1, s1, n0, 3 * s0))


@given(enough, loads, enough, loads)
def test_slow_pages_are_no_errors_and_errors_not_slow(n1: int, b1: int, n0: int, b0: int) -> None:
    assert VERDICT.score(slow(n1, b1, n0, b0)) == 0
    assert VERDICT.slowdown_score(sums(n1, b1, n0, b0)) == 0


def test_a_slower_candidate_is_caught_and_a_cold_cache_is_not() -> None:
    assert VERDICT.is_slower(slow(300, 120, 2700, 270)), "40 % instead of 10 %"
    assert VERDICT.is_slower(slow(4750, 1425, 250, 12)), "30 % instead of 5 %, by the hold-out"
    assert not VERDICT.is_slower(slow(300, 45, 2700, 270)), "half as much again, while its files are in no cache"
    assert not VERDICT.is_slower(slow(19, 19, 2700, 0)), "too few to tell"


def test_a_site_can_do_without() -> None:
    without = Verdict(slowdown=False)
    assert without.slowdown_math() is None
    assert not without.is_slower(slow(300, 300, 2700, 0))


def test_false_alarms_of_the_slowdown_are_rare_even_at_the_ratio_that_is_tolerated() -> None:
    """Slow loads are far more common than errors; 40,000 judged minutes each of equals, and of the slowest allowed."""
    rng = random.Random(21)
    minutes = 40_000
    for ratio, most in ((1.0, 0), (1.5, 4)):
        alarms = 0
        for minute in range(minutes):
            rate = (0.005, 0.02, 0.1, 0.3)[minute % 4]
            n1, n0 = ((20, 180), (100, 900), (475, 25), (250, 250))[minute // 4 % 4]
            s1, s0 = _binomial(rng, n1, rate * ratio), _binomial(rng, n0, rate)
            alarms += VERDICT.is_slower(slow(n1, s1, n0, s0))
        assert alarms <= most, (ratio, alarms)
