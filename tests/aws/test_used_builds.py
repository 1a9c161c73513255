"""Which builds a site uses."""

from typing import Any

import pytest

from bluegreen_cdn import defaults
from bluegreen_cdn.aws.fakes import FakeKeyValueStore
from bluegreen_cdn.aws.used_builds import FunctionVersions, SiteBuilds
from bluegreen_cdn.domain.control import ControlState, Pin
from bluegreen_cdn.domain.routing import RoutingState
from bluegreen_cdn.errors import ReleaseError


class Lambda:
    """A function with versions of builds, on pages of one."""

    def __init__(self, alias: dict[str, Any], **versions: str) -> None:
        self._alias, self._versions = alias, versions

    def get_alias(self, **arguments: str) -> dict[str, Any]:
        assert arguments == {"FunctionName": "release", "Name": "live"}
        return self._alias

    def get_paginator(self, operation: str) -> "Lambda":
        assert operation == "list_versions_by_function"
        return self

    def paginate(self, **arguments: str) -> list[dict[str, Any]]:
        return [
            {"Versions": [{"Version": name.lstrip("v"), "Environment": {"Variables": {"BUILD_ID": build}}}]}
            for name, build in {"$LATEST": "newest", **self._versions}.items()
        ]


ALIAS = {"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1}}}


def site(store: FakeKeyValueStore, **versions: str) -> SiteBuilds:
    return SiteBuilds(store, FunctionVersions("release", "live", aws_lambda=Lambda(ALIAS, **versions)))


def seeded(**values: str) -> FakeKeyValueStore:
    routing = RoutingState(epoch=1, stable="s", candidate="c", channels={"beta": "x"})
    return FakeKeyValueStore({defaults.ROUTING_KEY: routing.to_json(), **values})


def test_everything_that_is_live_and_every_version_counts() -> None:
    pinned = ControlState(pin=Pin(build="p")).to_json()
    found = site(seeded(control=pinned), v1="one", v2="two", v3="three").in_use()
    assert found.live == {"s", "c", "x", "p", "one", "two"}
    assert found.rollback_targets == {"one", "two", "three"}


def test_without_a_routing_state_nothing_is_certain() -> None:
    with pytest.raises(ReleaseError, match="has not been seeded"):
        site(FakeKeyValueStore(), v1="one", v2="two").in_use()


def test_a_version_on_the_alias_that_names_no_build_leaves_nothing_certain() -> None:
    with pytest.raises(ReleaseError, match="version 2 of release is on alias live and names no build"):
        site(seeded(), v1="one", v2="").in_use()


def test_keys_are_taken_out_in_parts_and_only_once() -> None:
    store = seeded(**{f"build/b{number}": "{}" for number in range(60)})
    builds = [f"b{number}" for number in range(60)]
    site(store).forget([*builds, "none"])
    assert not [key for key in store.values if key.startswith("build/")]
    assert len(store.updates) == 2
    site(store).forget(builds)
    assert len(store.updates) == 2, "nothing to do"
