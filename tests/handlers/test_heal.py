"""What puts the files of live builds where an edge with other rules will look."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen_cdn.aws.fakes import FakeClock, FakeKeyValueStore
from bluegreen_cdn.aws.key_value_store import CloudFrontKeyValueStore
from bluegreen_cdn.aws.object_store import S3ObjectStore
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.control import ControlState, Pin
from bluegreen_cdn.domain.healing import EdgeRules
from bluegreen_cdn.domain.routing import RoutingState
from bluegreen_cdn.errors import NotFound, VerificationFailed
from bluegreen_cdn.handlers.heal import handler, heal_site
from bluegreen_cdn.publish.collect_memory import MemoryVersionedStore
from bluegreen_cdn.publish.heal import unhealed_paths
from bluegreen_cdn.publish.memory_source import MemorySource
from bluegreen_cdn.publish.publisher import publish
from bluegreen_cdn.publish.verify import Verifier

VITE = ClassificationRules.preset("vite")
NEW = EdgeRules(rules=ClassificationRules.preset("vite", hashed=("img/*.svg",)), precompress=False)


class YetToCome(MemoryVersionedStore):
    """A bucket that does not exist."""

    def list_keys(self, prefix: str) -> Iterator[str]:
        raise NotFound("no such bucket", service="s3", code="NoSuchBucket")


def published(*builds: str) -> MemoryVersionedStore:
    store = MemoryVersionedStore()
    for build in builds:
        publish(MemorySource({"index.html": build, "img/logo.svg": "<svg/>"}), store, build_id=build, rules=VITE)
    return store


def is_healed(store: MemoryVersionedStore, build: str) -> bool:
    return not list(unhealed_paths(store, build, NEW))


def test_every_build_that_the_edge_may_serve_is_healed_and_no_other() -> None:
    store = published("stable", "candidate", "channel", "retained", "pinned", "forgotten")
    state = RoutingState(epoch=1, stable="stable", candidate="candidate", channels={"beta": "channel"})
    control = ControlState(pin=Pin(build="pinned"))
    values = FakeKeyValueStore(
        {"routing": state.to_json(), "control": control.to_json(), "build/retained": "{}", "build/stable": "{}"}
    )
    healed = heal_site(values, {"us-east-1": store}, NEW, FakeClock())
    assert [build.build_id for build in healed] == ["candidate", "channel", "pinned", "retained", "stable"]
    for build in ("stable", "candidate", "channel", "pinned", "retained"):
        assert is_healed(store, build)
    assert not is_healed(store, "forgotten")


def test_before_the_first_deployment_there_is_nothing_to_do() -> None:
    clock = FakeClock()
    assert heal_site(FakeKeyValueStore(), {"us-east-1": YetToCome()}, NEW, clock) == ()
    values = FakeKeyValueStore({"build/one": "{}"})
    assert heal_site(values, {"us-east-1": YetToCome()}, NEW, clock) == ()
    assert clock.now() == 1_000_000


def test_a_region_that_is_yet_to_come_is_not_waited_for() -> None:
    store, clock = published("one"), FakeClock()
    heal_site(FakeKeyValueStore({"build/one": "{}"}), {"us-east-1": store, "eu-west-1": YetToCome()}, NEW, clock)
    assert is_healed(store, "one")
    assert clock.now() == 1_000_000


def test_it_ends_when_every_region_has_what_was_put() -> None:
    store, replica = published("one"), published("one")

    def replicate() -> None:
        if clock.now() > 1_000_030:
            replica.objects |= store.objects

    clock = FakeClock(on_sleep=replicate)
    heal_site(FakeKeyValueStore({"build/one": "{}"}), {"us-east-1": store, "eu-west-1": replica}, NEW, clock)
    assert 1_000_030 < clock.now() < 1_000_060
    assert "shared/img/logo.svg" in replica.objects


def test_a_region_that_never_gets_it_is_named() -> None:
    stores = {"us-east-1": published("one"), "eu-west-1": published("one")}
    with pytest.raises(VerificationFailed, match=r"not arrived everywhere: eu-west-1: shared/img/logo.svg; look at"):
        heal_site(FakeKeyValueStore({"build/one": "{}"}), stores, NEW, FakeClock())


def test_the_second_time_it_only_looks() -> None:
    store = published("one")
    values = FakeKeyValueStore({"build/one": "{}"})
    heal_site(values, {"us-east-1": store}, NEW, FakeClock())
    before = dict(store.objects)
    assert list(heal_site(values, {"us-east-1": store}, NEW, FakeClock())) == []
    assert store.objects == before


@pytest.mark.cloud
def test_on_s3_and_a_real_key_value_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, formation: Any, context: Any
) -> None:
    from bluegreen_cdn.aws.session import client
    from bluegreen_cdn.local.cloud import LocalCloud

    with LocalCloud(tmp_path) as cloud:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in cloud.environment().items():
            monkeypatch.setenv(name, value)
        made = client("cloudfront", "us-east-1").create_key_value_store(Name="store")
        values = CloudFrontKeyValueStore(made["KeyValueStore"]["ARN"], clock=FakeClock())
        stores = {region: S3ObjectStore(f"bluegreen-{region}", region) for region in ("us-east-1", "eu-west-1")}
        assert heal_site(values, stores, NEW, FakeClock()) == ()
        values.update({"build/one": "{}"}, etag=values.read().etag)
        assert heal_site(values, stores, NEW, FakeClock()) == ()
        client("s3", "us-east-1").create_bucket(Bucket="bluegreen-us-east-1")
        primary = stores["us-east-1"]
        files = {"index.html": "one", "img/logo.svg": "<svg/>", "assets/brand-C4y0bA1r.css": "p {}"}
        publish(MemorySource(files), primary, build_id="one", rules=VITE)
        edge = EdgeRules(
            rules=ClassificationRules.preset("vite", hashed=("img/*.svg",), unhashed=("assets/brand-*",)),
            precompress=False,
        )
        (healed,) = heal_site(values, stores, edge, FakeClock())
        assert (healed.build_id, healed.files) == ("one", 2)
        assert primary.get("shared/img/logo.svg") == b"<svg/>"
        assert primary.get("builds/one/assets/brand-C4y0bA1r.css") == b"p {}"
        assert Verifier("one", {"us-east-1": primary}).look().complete
        assert list(heal_site(values, stores, edge, FakeClock())) == []

        properties = {
            "Site": "shop",
            "Buckets": json.dumps({region: store.bucket for region, store in stores.items()}),
            "KeyValueStoreArn": values.arn,
            "Rules": json.dumps(edge.rules.to_json()),
            "Precompress": "true",
        }
        handler(formation.event(ResourceProperties=properties), context())
        assert (formation.answer["Status"], formation.answer["PhysicalResourceId"]) == ("SUCCESS", "heal-shop")
        assert not list(unhealed_paths(primary, "one", EdgeRules(rules=edge.rules, precompress=True)))
        assert Verifier("one", {"us-east-1": primary}).look().complete
