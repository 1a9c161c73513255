import datetime
import json
from dataclasses import replace

import pytest

from bluegreen_cdn.aws.fakes import FakeKeyValueStore
from bluegreen_cdn.domain.control import ControlState, Pin
from bluegreen_cdn.domain.routing import RoutingState
from bluegreen_cdn.errors import ForeignState, UnsupportedFormat
from bluegreen_cdn.handlers.seed import seed, tell_pin

ROUTING = RoutingState(epoch=9, stable="b2", candidate="c3", weight=1000).to_json()
SECRET = "0123456789abcdef" * 4


def test_an_empty_store_gets_its_first_state_and_a_secret() -> None:
    store = FakeKeyValueStore()
    assert seed(store, build="a1", holdout=300) == ("routing", "secret")
    assert RoutingState.from_json(store.values["routing"]) == RoutingState(epoch=1, stable="a1", holdout=300)
    assert len(bytes.fromhex(store.values["secret"])) == 32
    other = FakeKeyValueStore()
    seed(other, build="a1", holdout=300)
    assert other.values["secret"] != store.values["secret"]


def test_what_is_there_is_never_changed() -> None:
    store = FakeKeyValueStore({"routing": ROUTING, "secret": SECRET})
    assert seed(store, build="z9", holdout=0) == ()
    assert store.values == {"routing": ROUTING, "secret": SECRET}
    assert store.updates == []


@pytest.mark.parametrize(
    ("there", "written"), [({"routing": ROUTING}, ("secret",)), ({"secret": SECRET}, ("routing",))]
)
def test_only_what_is_absent_is_written(there: dict[str, str], written: tuple[str, ...]) -> None:
    store = FakeKeyValueStore(there)
    assert seed(store, build="a1", holdout=500) == written
    assert there.items() <= store.values.items()


def test_an_older_format_is_raised_once_the_edge_is_there_to_read_it() -> None:
    older = replace(RoutingState.from_json(ROUTING), format=0)
    store = FakeKeyValueStore({"routing": older.to_json(), "secret": SECRET})
    assert seed(store, build="z9", holdout=0) == ("routing",)
    assert RoutingState.from_json(store.values["routing"]) == replace(older, format=1, epoch=10)
    assert seed(store, build="z9", holdout=0) == ()


def test_another_seeder_wins_and_is_left_alone() -> None:
    store = FakeKeyValueStore()

    def other() -> None:
        store.before_update = lambda: None
        store.write({"routing": ROUTING, "secret": SECRET})

    store.before_update = other
    assert seed(store, build="a1", holdout=500) == ()
    assert store.values["routing"] == ROUTING


@pytest.mark.parametrize(
    ("there", "error"),
    [
        ({"routing": "hello"}, ForeignState),
        ({"routing": json.dumps({"format": 2, "epoch": 1, "stable": "a"})}, UnsupportedFormat),
        ({"control": '{"format":2}'}, UnsupportedFormat),
        ({"secret": "hunter2"}, ForeignState),
    ],
)
def test_foreign_and_newer_values_are_refused_and_nothing_is_written(
    there: dict[str, str], error: type[Exception]
) -> None:
    store = FakeKeyValueStore(there)
    with pytest.raises(error) as caught:
        seed(store, build="a1", holdout=500)
    assert store.values == there
    assert "hunter2" not in str(caught.value)


NOW = datetime.datetime(2026, 3, 1, 9, 5, tzinfo=datetime.UTC)


def test_the_deploys_output_says_which_build_is_pinned_and_as_of_when() -> None:
    store = FakeKeyValueStore()
    assert tell_pin(store, now=NOW) == "no build was pinned when this deploy began, 2026-03-01 09:05 UTC"
    store.write({"control": ControlState().to_json()})
    assert tell_pin(store, now=NOW).startswith("no build was pinned")
    store.write({"control": ControlState(pin=Pin(build="v41", after="d-1")).to_json()})
    assert tell_pin(store, now=NOW) == (
        "build v41 was pinned when this deploy began, 2026-03-01 09:05 UTC: visitors get it whatever this stack says, "
        "until a later release succeeds or bluegreen unpin"
    )
