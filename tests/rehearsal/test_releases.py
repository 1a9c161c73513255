from invented import BAD, FIRST, SECOND, routing

from bluegreen_cdn.local.rehearsal.releases import EdgeRouting, Outcome, Release, observe


def release() -> Release:
    return Release(name="bad build", build_id=BAD, expected=Outcome.ROLLED_BACK)


def test_the_hold_out_limits_the_share_and_not_the_weight() -> None:
    state = EdgeRouting(stable=FIRST, candidate=SECOND, weight=10_000, holdout=500)
    assert state.weight_of(SECOND) == (10_000, 9_500)
    assert state.weight_of(FIRST) == (0, 500)
    assert state.weight_of(BAD) == (0, 0)


def test_without_a_candidate_stable_has_everything_whatever_the_weight_says() -> None:
    assert EdgeRouting(stable=FIRST, weight=1000, holdout=500).weight_of(FIRST) == (10_000, 10_000)


def test_a_release_that_the_edge_never_saw_has_no_windows() -> None:
    assert release().windows(9) == []
    assert release().seconds_from_alarm_to_weight_zero is None


def test_only_news_is_noted_and_disagreement_is_visible() -> None:
    here = release()
    assert not observe(here, 1, routing(SECOND))
    assert observe(here, 2, {**routing(SECOND), "us-east-1": EdgeRouting(stable=SECOND, candidate=BAD, weight=1000)})
    assert observe(here, 3, routing(SECOND, BAD, 1000))
    assert not observe(here, 4, routing(SECOND, BAD, 1000))
    assert observe(here, 5, routing(SECOND))
    assert [(mark.at, mark.weight, mark.everywhere) for mark in here.weights] == [
        (2, 1000, False),
        (3, 1000, True),
        (5, 0, True),
    ]
    assert [(window.start, window.end, window.weight) for window in here.windows(9)] == [(3, 5, 1000), (5, 9, 0)]


def test_a_weight_is_known_to_hold_until_it_was_last_asked_for() -> None:
    here = release()
    for asked, state in (
        (1.0, routing(SECOND, BAD, 1000)),
        (2.0, routing(SECOND, BAD, 1000)),
        (3.0, routing(SECOND)),
        (9.0, routing(SECOND)),
    ):
        observe(here, asked + 0.5, state, asked=asked)
    # What happened between 2 and 3.5 nobody saw.
    assert [(window.start, window.end, window.weight) for window in here.windows(20)] == [(1.5, 2, 1000), (3.5, 9, 0)]


def test_the_time_from_alarm_to_weight_zero_everywhere() -> None:
    here = release()
    observe(here, 1, routing(SECOND, BAD, 1000))
    assert here.zero_at is None
    observe(here, 4.5, {**routing(SECOND), "us-east-1": EdgeRouting(stable=SECOND, candidate=BAD, weight=1000)})
    assert here.zero_at is None
    observe(here, 5, routing(SECOND))
    here.alarm_at = 4
    assert here.zero_at == 5
    assert here.seconds_from_alarm_to_weight_zero == 1


def test_routing_is_read_from_the_stores_value() -> None:
    value = {"format": 1, "epoch": 3, "stable": FIRST, "candidate": None, "weight": 0, "holdout": 500}
    assert EdgeRouting.from_json(value) == EdgeRouting(stable=FIRST, holdout=500)
