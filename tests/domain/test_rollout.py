import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn import defaults
from bluegreen_cdn.domain.no_traffic import NoTraffic
from bluegreen_cdn.domain.rollout import Rollout, RolloutKind
from bluegreen_cdn.errors import InvalidRollout

tails = {
    "bake_minutes": st.integers(0, defaults.BAKE_MAXIMUM_MINUTES),
    "holdout_percent": st.integers(0, 5000).map(lambda basis_points: basis_points / 100),
}
percents = st.integers(1, 99)
choices = {
    "on_no_traffic": st.one_of(
        st.just(NoTraffic.promote()), st.builds(NoTraffic.abort, minimum_page_loads=st.integers(1, 1_000_000))
    )
}
canaries = st.builds(Rollout.canary, percent=percents, interval_minutes=st.integers(1, 2880), **tails, **choices)
linears = st.builds(Rollout.linear, percent=percents, interval_minutes=st.integers(1, 29), **tails, **choices)
rollouts = st.one_of(canaries, linears, st.builds(Rollout.all_at_once, **tails))


@given(rollouts)
def test_steps_rise_in_time_and_weight_up_to_all_traffic(rollout: Rollout) -> None:
    steps = rollout.steps()
    assert steps[0][0] == 0
    assert steps[-1][1] == 10_000
    assert all(0 < weight <= 10_000 for _, weight in steps)
    assert all(b > a for a, b in itertools.pairwise(steps))
    assert all(b[1] > a[1] for a, b in itertools.pairwise(steps))


@given(linears)
def test_linear_steps_are_equal_but_the_last(rollout: Rollout) -> None:
    weights = [0, *(weight for _, weight in rollout.steps())]
    sizes = [b - a for a, b in itertools.pairwise(weights)]
    assert set(sizes[:-1]) <= {rollout.percent * 100}
    assert 0 < sizes[-1] <= rollout.percent * 100


@given(rollouts)
def test_parse_reads_what_describe_writes(rollout: Rollout) -> None:
    assert Rollout.parse(rollout.describe()) == rollout


@given(st.text(alphabet="canrylie:%m0159=bkhodut-.", max_size=30))
def test_parse_answers_any_text_with_a_rollout_or_its_own_error(text: str) -> None:
    try:
        rollout = Rollout.parse(text)
    except InvalidRollout:
        return
    assert Rollout.parse(rollout.describe()) == rollout


def test_known_schedules() -> None:
    assert Rollout.canary(percent=10, interval_minutes=5).steps() == ((0, 1000), (5, 10_000))
    assert Rollout.linear(percent=30, interval_minutes=2).steps() == ((0, 3000), (2, 6000), (4, 9000), (6, 10_000))
    assert len(Rollout.linear(percent=10, interval_minutes=1).steps()) == 10
    assert Rollout.all_at_once().steps() == ((0, 10_000),)


def test_nobody_can_have_seen_what_is_never_watched() -> None:
    with pytest.raises(InvalidRollout, match="all at once without a bake nobody can have"):
        Rollout.all_at_once(bake_minutes=0, on_no_traffic=NoTraffic.abort())
    with pytest.raises(InvalidRollout, match=r"on_no_traffic is 'abort'; pass NoTraffic.promote\(\) or"):
        Rollout.canary(on_no_traffic="abort")  # type: ignore[arg-type]
    assert Rollout.all_at_once(bake_minutes=1, on_no_traffic=NoTraffic.abort()).bake_minutes == 1


def test_silence_is_consent_unless_said_otherwise() -> None:
    assert Rollout.canary().on_no_traffic == NoTraffic.promote()
    assert "no-traffic" not in Rollout.canary().describe()
    assert Rollout.parse("canary:no-traffic=abort").on_no_traffic.minimum_page_loads == defaults.NO_TRAFFIC_PAGE_LOADS


def test_short_forms_take_the_defaults() -> None:
    assert Rollout.parse("canary:10%:5m") == Rollout.canary(percent=10, interval_minutes=5)
    assert Rollout.parse("linear") == Rollout.linear()
    assert Rollout.parse(" all-at-once:holdout=0% ") == Rollout.all_at_once(holdout_percent=0)
    assert Rollout.parse("linear:20%:1m:bake=0m").bake_minutes == 0
    assert Rollout.canary().holdout_basis_points == defaults.HOLDOUT_BASIS_POINTS


@pytest.mark.parametrize(
    "make",
    [
        lambda: Rollout.canary(percent=0),
        lambda: Rollout.canary(percent=100),
        lambda: Rollout.linear(percent=100),
        lambda: Rollout.linear(percent=150),
        lambda: Rollout.canary(percent=10.5),  # type: ignore[arg-type]
        lambda: Rollout.canary(percent=True),
        lambda: Rollout.canary(interval_minutes=0),
        lambda: Rollout.canary(interval_minutes=2881),
        lambda: Rollout.canary(interval_minutes="5"),  # type: ignore[arg-type]
        lambda: Rollout.linear(percent=1, interval_minutes=30),
        lambda: Rollout.canary(bake_minutes=defaults.BAKE_MAXIMUM_MINUTES + 1),
        lambda: Rollout.canary(bake_minutes=-1),
        lambda: Rollout.canary(holdout_percent=50.01),
        lambda: Rollout.canary(holdout_percent=-1),
        lambda: Rollout.canary(holdout_percent=1.001),
        lambda: Rollout.canary(holdout_percent=float("nan")),
        lambda: Rollout.canary(holdout_percent="5"),  # type: ignore[arg-type]
        lambda: Rollout(kind=RolloutKind.ALL_AT_ONCE, percent=50, interval_minutes=0),
    ],
)
def test_what_codedeploy_cannot_express_is_refused(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidRollout):
        make()


@pytest.mark.parametrize(
    "text",
    ["", "blue", "canary:10", "canary:10%:5", "canary:10%:5m:5m", "canary:1.5%:5m", "all-at-once:10%", "linear:٣%:1m",
     "canary:bake=5m:10%", "canary:bake=5m:bake=6m", "canary:hold=5%", "linear:10%:1h", "canary:10%:5m:holdout=60%"],
)  # fmt: skip
def test_text_that_is_no_rollout_is_refused_and_named(text: str) -> None:
    with pytest.raises(InvalidRollout, match=r"rollout|holdout"):
        Rollout.parse(text)


def test_the_message_says_what_is_allowed() -> None:
    with pytest.raises(InvalidRollout, match=r"percent is 120; it must be a whole number from 1 to 99"):
        Rollout.linear(percent=120)
    with pytest.raises(InvalidRollout, match=r"2970 minutes; CodeDeploy takes at most 2880"):
        Rollout.linear(percent=1, interval_minutes=30)
