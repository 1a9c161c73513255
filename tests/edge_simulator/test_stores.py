"""How changes of a KeyValueStore arrive at a location."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.local.edge.cloud import StoreSnapshot
from bluegreen_cdn.local.edge.functions.engine import KeyValueStoreError
from bluegreen_cdn.local.edge.state import make_locations
from bluegreen_cdn.local.edge.stores import LocatedStore


def snapshot(value: str) -> StoreSnapshot:
    return StoreSnapshot(etag=value, items={"routing": value})


def test_the_first_content_is_there_at_once_and_changes_come_late():
    store = LocatedStore(delay_seconds=2)
    store.announce(snapshot("one"), now=10)
    store.announce(snapshot("two"), now=11)
    assert store.read("get", "routing", 12.9) == "one"
    assert store.read("get", "routing", 13) == "two"


@given(st.lists(st.floats(0, 10), min_size=1, max_size=6), st.floats(0, 5), st.floats(0, 20))
def test_a_location_never_goes_back(gaps, delay, later):
    store = LocatedStore(delay_seconds=delay)
    now, seen = 0.0, []
    for version, gap in enumerate(gaps):
        now += gap
        store.announce(snapshot(f"{version:03}"), now)
        seen.append(store.read("get", "routing", now))
    seen.append(store.read("get", "routing", now + delay + later))
    assert seen == sorted(seen)
    assert seen[-1] == f"{len(gaps) - 1:03}"


def test_faults():
    store = LocatedStore(delay_seconds=0)
    with pytest.raises(KeyValueStoreError):
        store.read("get", "routing", 0)
    store.announce(snapshot("one"), now=0)
    store.fault = "frozen"
    store.announce(snapshot("two"), now=1)
    assert store.read("get", "routing", 100) == "one"
    store.fault = "unreadable"
    for operation in ("get", "exists", "count", "meta"):
        with pytest.raises(KeyValueStoreError):
            store.read(operation, "routing", 100)
    store.fault = "none"
    assert store.read("get", "routing", 100) == "two"


def test_reads():
    store = LocatedStore(delay_seconds=0)
    store.announce(snapshot("one"), now=0)
    assert store.read("exists", "routing", 0) is True
    assert store.read("exists", "other", 0) is False
    assert store.read("count", None, 0) == 1
    assert store.read("meta", None, 0)["keyCount"] == 1
    with pytest.raises(KeyValueStoreError, match="other"):
        store.read("get", "other", 0)


def test_locations_hear_of_changes_one_after_the_other():
    delays = [each.delay_seconds for each in make_locations(("a", "b", "c", "d"), 2.0).values()]
    assert delays == [0.5, 1.0, 1.5, 2.0]
