"""The rollout's promises to visitors, as properties of the decision."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.domain.routing import (
    RequestKind,
    RoutingState,
    Visitor,
    cookie_to_set,
    decide,
    parse_visitor_cookie,
    slot,
    takes_candidate,
)
from bluegreen_cdn.errors import ForeignState, InvalidInput, UnsupportedFormat

WEIGHTS = st.integers(0, 10_000)
SEEDS = st.text(min_size=1, max_size=30)
VISITORS = st.builds(Visitor, ip=st.ip_addresses().map(str), user_agent=st.text(max_size=30))


def releasing(weight: int, holdout: int = 500) -> RoutingState:
    return RoutingState(epoch=2, stable="b1", candidate="b2", weight=weight, holdout=holdout)


@given(VISITORS, WEIGHTS)
def test_weight_zero_never_gives_the_candidate(visitor: Visitor, holdout: int) -> None:
    assert decide(releasing(0, holdout), visitor, RequestKind.ENTRY).build == "b1"


@given(SEEDS, WEIGHTS)
def test_full_weight_gives_it_to_all_but_the_holdout(seed: str, holdout: int) -> None:
    number = slot("b2", seed)
    assert takes_candidate(releasing(10_000, holdout), number) == (number < 10_000 - holdout)


@given(VISITORS, WEIGHTS, WEIGHTS, WEIGHTS)
def test_a_raised_weight_moves_no_visitor_back(visitor: Visitor, one: int, other: int, holdout: int) -> None:
    lower, higher = sorted((one, other))
    before = decide(releasing(lower, holdout), visitor, RequestKind.ENTRY).build
    after = decide(releasing(higher, holdout), visitor, RequestKind.ENTRY).build
    assert (before, after) != ("b2", "b1")


def test_slots_are_spread_evenly() -> None:
    bins, visitors = 100, 20_000
    counts = [0] * bins
    for number in range(visitors):
        counts[slot("v1.4.2", f"127.0.{number // 250}.{number % 250}|Mozilla/5.0") * bins // 10_000] += 1
    expected = visitors / bins
    chi_squared = sum((count - expected) ** 2 / expected for count in counts)
    # 99 degrees of freedom: 99.9 % of fair draws are below 148.2. The visitors are fixed, so this is no lottery.
    assert chi_squared < 148.2


def test_each_release_tries_other_visitors_first() -> None:
    seeds = [f"{number:016x}" for number in range(5000)]
    first, second = ([slot(candidate, seed) for seed in seeds] for candidate in ("b2", "b3"))
    mean = [sum(slots) / len(slots) for slots in (first, second)]
    covariance = sum((a - mean[0]) * (b - mean[1]) for a, b in zip(first, second, strict=True))
    spread = math.prod(math.sqrt(sum((a - m) ** 2 for a in s)) for s, m in zip((first, second), mean, strict=True))
    assert abs(covariance / spread) < 3 / math.sqrt(len(seeds))
    # Of the first tenth of one release, about a tenth is among the first of the next.
    both = sum(a < 1000 and b < 1000 for a, b in zip(first, second, strict=True))
    assert 25 <= both <= 80


ADDRESSES = st.ip_addresses().map(str)
BEFORE = st.sampled_from([None, "idle", "releasing"])


@given(
    ADDRESSES,
    st.text(max_size=30),
    st.booleans(),
    st.lists(st.tuples(WEIGHTS, ADDRESSES), min_size=2, max_size=6),
    WEIGHTS,
    BEFORE,
)
def test_a_visitor_changes_sides_at_most_once_while_the_weight_rises(
    ip: str, agent: str, keeps_cookies: bool, visits: list[tuple[int, str]], holdout: int, before: str | None
) -> None:
    cookie = None
    if before == "idle" and keeps_cookies:
        idle = RoutingState(epoch=1, stable="b1")
        cookie = cookie_to_set(idle, Visitor(ip=ip, user_agent=agent), fresh_seed="0123456789abcdef")
    seen = []
    weights = sorted(weight for weight, _ in visits)
    for number, (weight, (_, elsewhere)) in enumerate(zip(weights, visits, strict=True)):
        # Who keeps cookies may come from anywhere once it has one; who does not stays where it is.
        address = elsewhere if keeps_cookies and number else ip
        visitor = Visitor(ip=address, user_agent=agent, visitor_cookie=cookie)
        state = releasing(weight, holdout)
        seen.append(decide(state, visitor, RequestKind.ENTRY).build)
        if keeps_cookies:
            cookie = cookie_to_set(state, visitor, fresh_seed="f" * 16) or cookie
    assert seen == sorted(seen)


@given(VISITORS, WEIGHTS)
def test_the_cookie_that_is_set_decides_as_the_first_visit_did(visitor: Visitor, weight: int) -> None:
    state = releasing(weight)
    cookie = cookie_to_set(state, visitor, fresh_seed="0123456789abcdef")
    again = Visitor(ip="192.0.2.1", visitor_cookie=cookie)
    assert decide(state, again, RequestKind.ENTRY) == decide(state, visitor, RequestKind.ENTRY)


def test_people_behind_one_address_part_ways_before_the_next_release() -> None:
    idle, visitor = RoutingState(epoch=1, stable="b1"), Visitor(ip="192.0.2.1", user_agent="the office's")
    seeds = [cookie_to_set(idle, visitor, fresh_seed=f"{number:016x}") for number in range(200)]
    inside = sum(
        decide(releasing(5000), Visitor(ip="192.0.2.1", visitor_cookie=seed), RequestKind.ENTRY).build == "b2"
        for seed in seeds
    )
    assert 70 <= inside <= 130


def test_a_cookie_that_holds_and_a_state_that_cannot_be_read_set_nothing() -> None:
    kept = Visitor(ip="192.0.2.1", visitor_cookie="2.0123456789abcdef")
    assert cookie_to_set(releasing(100), kept, fresh_seed="f" * 16) is None
    assert cookie_to_set(None, Visitor(ip="192.0.2.1"), fresh_seed="f" * 16) is None


@given(st.text(max_size=60), st.text(max_size=20))
def test_whatever_cookies_hold_the_build_is_one_of_ours(visitor_cookie: str, build_cookie: str) -> None:
    visitor = Visitor(ip="192.0.2.1", visitor_cookie=visitor_cookie, build_cookie=build_cookie)
    for kind in RequestKind:
        assert decide(releasing(5000), visitor, kind).build in ("b1", "b2")


@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        ("2.0123456789abcdef", "0123456789abcdef"),
        ("2.01234567", "01234567"),
        ("2." + "z" * 32, "z" * 32),
        ("1.0123456789abcdef.b2.7", None),
        ("2.0123456789abcdef.b2.7", None),
        ("2.0123456789abcdef\n", None),
        ("2.short", None),
        ("2." + "0" * 33, None),
        ("2.0123456789ABCDEF", None),
        ("2.٣1234567", None),
        ("0123456789abcdef", None),
        ("", None),
        (None, None),
    ],
)
def test_visitor_cookies(cookie: str | None, expected: str | None) -> None:
    assert parse_visitor_cookie(cookie) == expected


def test_a_file_follows_the_document_while_its_build_is_retained() -> None:
    visitor = Visitor(ip="192.0.2.1", build_cookie="b0")
    state = RoutingState(epoch=1, stable="b1")
    assert decide(state, visitor, RequestKind.FILE, retained={"b0"}).build == "b0"
    assert decide(state, visitor, RequestKind.FILE, retained={"b9"}).build == "b1"
    assert decide(state, visitor, RequestKind.ENTRY, retained={"b0"}).build == "b1"


def test_without_a_state_nobody_gets_a_build_that_it_has_not() -> None:
    assert decide(None, Visitor(ip="192.0.2.1", build_cookie="b0"), RequestKind.ENTRY).build == "b0"
    assert decide(None, Visitor(ip="192.0.2.1"), RequestKind.ENTRY).build is None
    assert decide(None, Visitor(ip="192.0.2.1", build_cookie="a/../b"), RequestKind.FILE).build is None


def test_a_preview_is_not_counted() -> None:
    decision = decide(releasing(5000), Visitor(ip="192.0.2.1"), RequestKind.ENTRY, preview="b7")
    assert (decision.build, decision.role, decision.slot) == ("b7", "preview", None)


# -- the value in the KeyValueStore -----------------------------------------------------------------------------------


@given(WEIGHTS, WEIGHTS, st.integers(0, 10**9))
def test_json_and_back(weight: int, holdout: int, epoch: int) -> None:
    state = RoutingState(
        epoch=epoch,
        stable="b1",
        candidate="b2",
        weight=weight,
        holdout=holdout,
        regions_out=("eu-west-1",),
        channels={"beta": "b3"},
    )
    assert RoutingState.from_json(state.to_json()) == state
    assert list(json.loads(state.to_json())) == [
        "format", "epoch", "stable", "candidate", "weight", "holdout", "out", "channels",
    ]  # fmt: skip


def test_the_format_before_is_read_and_kept() -> None:
    text = '{"format":0,"epoch":3,"stable":"b1","candidate":"b2","weight":100,"holdout":0}'
    state = RoutingState.from_json(text)
    assert state == RoutingState(epoch=3, stable="b1", candidate="b2", weight=100, holdout=0, format=0)
    assert RoutingState.from_json(state.to_json()) == state


def test_a_newer_format_is_named() -> None:
    with pytest.raises(UnsupportedFormat, match="format 2; this version reads up to 1"):
        RoutingState.from_json('{"format":2,"epoch":1,"stable":"b1"}')


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '"b1"',
        '{"format":true,"epoch":1,"stable":"b1"}',
        '{"format":-1,"epoch":1,"stable":"b1"}',
        '{"format":1,"stable":"b1"}',
        '{"format":1,"epoch":1,"stable":"../b1"}',
        '{"format":1,"epoch":1,"stable":"b1","candidate":"b1"}',
        '{"format":1,"epoch":1,"stable":"b1","candidate":"b2","weight":10001}',
        '{"format":1,"epoch":1,"stable":"b1","candidate":"b2","weight":"50"}',
        '{"format":1,"epoch":1,"stable":"b1","out":[1]}',
        '{"format":1,"epoch":1,"stable":"b1","out":7}',
        '{"format":1,"epoch":1,"stable":"b1","channels":[]}',
    ],
)
def test_what_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(ForeignState):
        RoutingState.from_json(text)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"weight": -1}, "weight is -1; it must be whole basis points from 0 to 10000"),
        ({"weight": 1.5}, "weight is 1.5"),
        ({"holdout": 10_001}, "holdout is 10001"),
        ({"epoch": -1}, "epoch is -1"),
        ({"stable": ""}, "stable is ''"),
        ({"candidate": "a b"}, "candidate is 'a b'"),
        ({"candidate": "b1"}, "a release needs two builds"),
        ({"candidate": None, "weight": 5}, "without a candidate"),
    ],
)
def test_impossible_states_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        RoutingState(**{"epoch": 1, "stable": "b1", "candidate": "b2", **values})  # type: ignore[arg-type]


def test_the_longest_build_ids_fit_and_too_many_channels_do_not() -> None:
    long = RoutingState(epoch=10**9, stable="a" * 64, candidate="b" * 64, weight=9999)
    assert len(long.to_json()) < 400
    crowded = RoutingState(epoch=1, stable="b1", channels={f"channel-{n}": "c" * 64 for n in range(20)})
    with pytest.raises(InvalidInput, match="1024: use shorter build ids or fewer channels"):
        crowded.to_json()
