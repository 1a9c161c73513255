"""CloudFront's rules for how long an answer lives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.local.edge.config import CustomError
from bluegreen_cdn.local.edge.freshness import FOREVER, error_lifetime, lifetime
from bluegreen_cdn.local.edge.policies import CachePolicy

OPTIMIZED = CachePolicy(min_ttl=1, default_ttl=100, max_ttl=1000)
OPEN = CachePolicy(min_ttl=0, default_ttl=100, max_ttl=1000)
YEAR = CachePolicy(min_ttl=31_536_000, default_ttl=31_536_000, max_ttl=31_536_000)
DISABLED = CachePolicy(min_ttl=0, default_ttl=0, max_ttl=0)


def fresh(cache_control, policy):
    headers = {"cache-control": [cache_control]} if cache_control is not None else {}
    return lifetime(headers, policy, now=0).fresh


@pytest.mark.parametrize(
    ("cache_control", "policy", "expected"),
    [
        (None, OPEN, 100),
        ("max-age=50", OPEN, 50),
        ("max-age=50, s-maxage=70", OPEN, 70),
        ("max-age=5000", OPEN, 1000),
        ("max-age=0", OPTIMIZED, 1),
        ("max-age=junk", OPEN, 100),
        ("max-age=²", OPEN, 100),
        ("no-cache", OPEN, 0),
        ("no-store", OPTIMIZED, 1),
        ("private, max-age=50", OPEN, 0),
        ("no-cache", YEAR, 31_536_000),
        ("public, max-age=60", DISABLED, 0),
        ("No-Cache", OPEN, 0),
        ('max-age="50"', OPEN, 50),
    ],
)
def test_the_policy_and_the_origin_together_set_the_lifetime(cache_control, policy, expected):
    assert fresh(cache_control, policy) == expected


@given(asked=st.integers(0, 10**6), low=st.integers(0, 10**4), span=st.integers(0, 10**4))
def test_the_lifetime_stays_between_minimum_and_maximum(asked, low, span):
    policy = CachePolicy(min_ttl=low, default_ttl=low, max_ttl=low + span)
    assert fresh(f"max-age={asked}", policy) == min(max(asked, low), low + span)


@given(st.text(max_size=40))
def test_no_header_breaks_it(text):
    assert 0 <= fresh(text, OPEN) <= 1000
    assert 0 <= lifetime({"expires": [text]}, OPEN, now=0).fresh <= 1000


def test_expires_counts_where_nothing_else_speaks():
    headers = {"expires": ["Thu, 01 Jan 1970 00:01:00 GMT"]}
    assert lifetime(headers, OPEN, now=10).fresh == 50
    assert lifetime(headers, OPEN, now=100).fresh == 0
    assert lifetime({**headers, "cache-control": ["max-age=7"]}, OPEN, now=10).fresh == 7


def test_stale_allowances_end_with_the_maximum():
    life = lifetime({"cache-control": ["max-age=900, stale-while-revalidate=500, stale-if-error=500"]}, OPEN, now=0)
    assert (life.fresh, life.stale_while_revalidate, life.stale_if_error) == (900, 100, 100)
    assert lifetime({}, OPEN, now=0).stale_if_error == FOREVER


def custom(ttl):
    return CustomError(status=404, page=None, response_status=None, caching_min_ttl=ttl)


@pytest.mark.parametrize(
    ("status", "cache_control", "policy", "error", "expected"),
    [
        (404, None, OPEN, None, 10),
        (503, None, YEAR, None, 10),
        (403, None, OPEN, None, 0),
        (403, "max-age=30", OPEN, None, 30),
        (403, None, OPEN, custom(25), 25),
        (404, "max-age=3", OPEN, None, 10),
        (404, None, OPEN, custom(0), 0),
        (404, None, DISABLED, None, 0),
    ],
)
def test_errors_live_shortly_and_403_not_at_all_unless_told(status, cache_control, policy, error, expected):
    headers = {"cache-control": [cache_control]} if cache_control else {}
    assert error_lifetime(status, headers, policy, error).fresh == expected
