"""Which builds are kept, and the set of keys that remembers what they name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.domain.retention import (
    InUse,
    KeySet,
    PublishedBuild,
    Reason,
    RetentionPolicy,
    keys_in,
    plan_retention,
)
from bluegreen_cdn.errors import InvalidInput

DAY = 86_400
NOW = 100 * DAY


def built(build: str, days_ago: float) -> PublishedBuild:
    return PublishedBuild(build=build, published=NOW - days_ago * DAY)


BUILDS = [built("a", 50), built("b", 40), built("c", 30), built("d", 20), built("e", 10)]


def reasons(in_use: InUse, **policy: float) -> dict[str, tuple[Reason, ...]]:
    plan = plan_retention(BUILDS, in_use, RetentionPolicy(**{"keep_last": 1, "skew_days": 0, **policy}), now=NOW)
    return {fate.build.build: fate.reasons for fate in plan.fates}


def test_the_last_ones_are_kept_and_the_oldest_go_first() -> None:
    plan = plan_retention(BUILDS, InUse(), RetentionPolicy(keep_last=2, skew_days=0), now=NOW)
    assert plan.kept == ("e", "d")
    assert plan.doomed == ("a", "b", "c")


def test_what_is_live_or_can_be_rolled_back_to_is_kept_whatever_its_age() -> None:
    found = reasons(InUse(live=frozenset("a"), rollback_targets=frozenset("ab")))
    assert found["a"] == (Reason.LIVE, Reason.ROLLBACK_TARGET)
    assert found["b"] == (Reason.ROLLBACK_TARGET,)
    assert found["c"] == ()


def test_a_build_is_young_until_the_window_has_passed_since_the_next_one() -> None:
    """Published 30 days ago and replaced 20 days ago: pages of it are 20 days old at least, not 30."""
    assert Reason.YOUNG in reasons(InUse(), skew_days=20)["c"]
    assert reasons(InUse(), skew_days=19.9)["c"] == ()


def test_a_build_whose_function_version_is_gone_says_so() -> None:
    plan = plan_retention(BUILDS, InUse(rollback_targets=frozenset("a")), RetentionPolicy(), now=NOW)
    assert {fate.build.build: fate.rollback_target for fate in plan.fates}["b"] is False
    assert plan.fate("a").to_json()["rollback_target"] is True


def test_a_live_build_without_a_manifest_is_named() -> None:
    assert plan_retention(BUILDS, InUse(live=frozenset({"x", "a"})), RetentionPolicy(), now=NOW).missing == ("x",)


@pytest.mark.parametrize("values", [{"keep_last": 0}, {"skew_days": -1}, {"skew_days": 604_800}])
def test_a_policy_that_cannot_be_meant(values: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(values))):
        RetentionPolicy(**values)


@given(
    ages=st.lists(st.floats(0, 99), min_size=1, max_size=8),
    used=st.sets(st.integers(0, 9)),
    keep=st.integers(1, 9),
    skew=st.floats(0, 99),
)
def test_nothing_in_use_and_none_of_the_last_ever_goes(
    ages: list[float], used: set[int], keep: int, skew: float
) -> None:
    builds = [built(str(number), age) for number, age in enumerate(ages)]
    in_use = InUse(live=frozenset(str(number) for number in used if number % 2))
    plan = plan_retention(builds, in_use, RetentionPolicy(keep_last=keep, skew_days=skew), now=NOW)
    assert not set(plan.doomed) & in_use.live
    assert len(plan.kept) >= min(keep, len(builds))
    assert set(plan.kept) | set(plan.doomed) == {build.build for build in builds}
    for build in builds:
        if build.published >= NOW - skew * DAY:
            assert build.build in plan.kept


@given(st.lists(st.text(max_size=8)), st.lists(st.text(max_size=8)))
def test_a_set_of_keys_knows_what_it_has(keys: list[str], others: list[str]) -> None:
    found = KeySet.from_bytes(keys_in(keys).to_bytes())
    assert len(found) == len(set(keys))
    assert all(key in found for key in keys)
    assert not any(key in found for key in set(others) - set(keys))


@pytest.mark.parametrize("data", [b"1234567", b"\1" * 8 + b"\0" * 8])
def test_a_damaged_set_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="set of keys"):
        KeySet.from_bytes(data)
