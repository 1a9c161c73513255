"""Which fault touches what."""

import pytest

from bluegreen_cdn.local.cloud.faults import Faults, InvalidFaultError


def test_a_fault_touches_its_bucket_or_its_region_only() -> None:
    faults = Faults()
    faults.add({"kind": "down", "region": "eu-west-1"})
    faults.add({"kind": "replication-drop", "bucket": "b", "keys": "shared/*"})
    assert faults.is_down("any", "eu-west-1")
    assert not faults.is_down("any", "us-east-1")
    assert faults.drops_replica("b", "us-east-1", "shared/a.js")
    assert not faults.drops_replica("b", "us-east-1", "builds/a.js")
    assert not faults.drops_replica("c", "us-east-1", "shared/a.js")


def test_the_longest_delay_counts_and_slowness_adds_up() -> None:
    faults = Faults()
    for seconds in (5, 9):
        faults.add({"kind": "replication-delay", "bucket": "b", "seconds": seconds})
        faults.add({"kind": "slow", "seconds": seconds})
    assert faults.replication_delay("b", "", otherwise=3) == 9
    assert faults.replication_delay("c", "", otherwise=3) == 3
    assert faults.slowness("b", "") == 14


def test_slowness_may_be_of_some_keys_only() -> None:
    faults = Faults()
    faults.add({"kind": "slow", "bucket": "b", "seconds": 5, "keys": "builds/v2/*"})
    assert faults.slowness("b", "", "builds/v2/index.html") == 5
    assert faults.slowness("b", "", "builds/v1/index.html") == 0
    assert faults.slowness("b", "") == 0


def test_mending_ends_one_or_all() -> None:
    faults = Faults()
    first = faults.add({"kind": "down", "bucket": "a"})
    faults.add({"kind": "down", "bucket": "b"})
    faults.remove(first.id)
    assert [one["bucket"] for one in faults.all()] == ["b"]
    faults.remove()
    assert faults.all() == []


def test_a_function_is_down_by_its_name() -> None:
    faults = Faults()
    assert not faults.stops_function("shop-Sync-1")
    faults.add({"kind": "function-down", "function": "shop-*Sync*"})
    assert faults.stops_function("shop-SiteSyncHandler-1")
    assert not faults.stops_function("shop-Hooks-1")


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 1.0])
def test_a_share_of_the_requests_to_a_store_is_kept_exactly_and_evenly(share: float) -> None:
    faults = Faults()
    faults.add({"kind": "kvs-throttle", "store": "shop", "share": share})
    met = [faults.of_store("shop") for _ in range(100)]
    assert met.count("kvs-throttle") == round(100 * share)
    assert met[:10].count("kvs-throttle") == round(10 * share)
    assert faults.of_store("other") == ""


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"kind": "flood"},
        {"kind": "slow"},
        {"kind": "down", "buckte": "b"},
        {"kind": "kvs-error", "share": 0},
        {"kind": "kvs-error", "share": 1.5},
    ],
)
def test_a_fault_that_means_nothing_is_refused(request_: dict[str, str]) -> None:
    with pytest.raises(InvalidFaultError):
        Faults().add(request_)
