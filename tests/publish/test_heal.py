"""Builds that live on when the rules of their edge change."""

import gzip
import hashlib
import io
from collections.abc import Mapping

import brotli
import pytest

from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.headers import ObjectHeaders
from bluegreen_cdn.domain.healing import EdgeRules
from bluegreen_cdn.domain.manifest import is_supplement_key, manifest_key
from bluegreen_cdn.domain.retention import InUse, RetentionPolicy
from bluegreen_cdn.errors import BuildConflict, CloudError, ForeignState, SharedFileConflict
from bluegreen_cdn.publish.collect import Collector
from bluegreen_cdn.publish.collect_memory import MemoryUsedBuilds, MemoryVersionedStore
from bluegreen_cdn.publish.compress import Compression
from bluegreen_cdn.publish.heal import Healer, unhealed_paths
from bluegreen_cdn.publish.memory_source import MemorySource
from bluegreen_cdn.publish.memory_store import Faults
from bluegreen_cdn.publish.object_store import NewObject
from bluegreen_cdn.publish.publisher import publish
from bluegreen_cdn.publish.verify import Verifier

VITE = ClassificationRules.preset("vite")
NEW = ClassificationRules.preset("vite", hashed=("img/*.svg",), unhashed=("assets/brand-*",))
FILES = {
    "index.html": "<!doctype html><p>one",
    "img/logo.svg": "<svg>logo</svg>" * 20,
    "assets/index-B3x9aZ0q.js": "export default 1;" * 50,
    "assets/brand-C4y0bA1r.css": "p { color: red }" * 50,
}


class Clock:
    now = 1_000_000.0


def bucket(faults: Faults | None = None) -> MemoryVersionedStore:
    return MemoryVersionedStore(faults, clock=lambda: Clock.now)


def put(store: MemoryVersionedStore, build_id: str, files: Mapping[str, str] = FILES) -> None:
    publish(MemorySource(files), store, build_id=build_id, rules=VITE)


def text(store: MemoryVersionedStore, key: str) -> str:
    stored, data = store.objects[key]
    decode = {None: bytes, "br": brotli.decompress, "gzip": gzip.decompress}[stored.headers.content_encoding]
    return decode(data).decode()


def supplements(store: MemoryVersionedStore) -> list[str]:
    return [key for key in store.objects if is_supplement_key(key)]


def is_whole(store: MemoryVersionedStore, build_id: str) -> bool:
    return Verifier(build_id, {"us-east-1": store}).look().complete


def test_every_file_is_where_the_new_rules_look_and_where_the_old_ones_did() -> None:
    store = bucket()
    put(store, "one")
    before = dict(store.objects)
    (healed,) = Healer(store, EdgeRules(rules=NEW, precompress=True)).heal(["one"])
    assert (healed.files, healed.compressed) == (2, 4)
    for key in ("shared/img/logo.svg", "builds/one/assets/brand-C4y0bA1r.css", "builds/one/index.html"):
        for suffix in ("", ".br", ".gz"):
            path = key.removeprefix("shared/").removeprefix("builds/one/")
            assert text(store, key + suffix) == FILES[path]
    assert "immutable" in store.objects["shared/img/logo.svg.br"][0].headers.cache_control
    assert store.objects["builds/one/assets/brand-C4y0bA1r.css"][0].headers.cache_control == "no-cache"
    assert store.objects["builds/one/assets/brand-C4y0bA1r.css"][0].metadata["build-id"] == "one"
    assert all(store.objects[key] == value for key, value in before.items())
    assert is_whole(store, "one")


def test_once_is_enough() -> None:
    store = bucket()
    put(store, "one")
    for edge in (EdgeRules(rules=NEW, precompress=False), EdgeRules(rules=NEW, precompress=True)):
        assert list(unhealed_paths(store, "one", edge))
        assert Healer(store, edge).outlook(["one"]) == Healer(store, edge).heal(["one"])
        assert list(unhealed_paths(store, "one", edge)) == []
        before = dict(store.objects)
        assert Healer(store, edge).outlook(["one"]) == Healer(store, edge).heal(["one"]) == []
        assert store.objects == before
    assert len(supplements(store)) == 2
    assert is_whole(store, "one")


def test_publishing_it_again_by_other_rules_heals_it() -> None:
    store = bucket()
    put(store, "one")
    again = publish(MemorySource(FILES), store, build_id="one", rules=NEW, compression=Compression.FAST)
    assert again.already_published
    assert list(unhealed_paths(store, "one", EdgeRules(rules=NEW, precompress=True))) == []
    assert is_whole(store, "one")
    assert publish(MemorySource(FILES), store, build_id="one", rules=NEW).already_published
    assert len(supplements(store)) == 1


def test_a_condemned_build_of_other_rules_is_not_revived_by_halves() -> None:
    store = bucket()
    put(store, "one")
    Clock.now += 3600
    put(store, "two", {"index.html": "two"})
    used = MemoryUsedBuilds(InUse(live=frozenset({"two"})))
    collector = Collector({"us-east-1": store}, used, RetentionPolicy(keep_last=1, skew_days=1), wait_hours=48)
    Clock.now += 90 * 24 * 3600
    assert collector.collect().condemned
    with pytest.raises(BuildConflict, match="exists by other classification rules, and retention has condemned it"):
        publish(MemorySource(FILES), store, build_id="one", rules=NEW)


def test_a_dry_run_writes_nothing() -> None:
    store = bucket()
    put(store, "one")
    before = dict(store.objects)
    (healed,) = Healer(store, EdgeRules(rules=NEW, precompress=False)).outlook(["one", "never-published"])
    assert (healed.build_id, healed.files, healed.examples) == (
        "one",
        2,
        ("assets/brand-C4y0bA1r.css", "img/logo.svg"),
    )
    assert store.objects == before


def test_every_build_gets_what_other_builds_pages_ask_for() -> None:
    store = bucket()
    put(store, "one")
    put(store, "two", {"index.html": "two", "assets/brand-D5z1cB2s.css": "p {}"})
    Healer(store, EdgeRules(rules=NEW, precompress=False)).heal(["one", "two"])
    for build in ("one", "two"):
        assert text(store, f"builds/{build}/assets/brand-C4y0bA1r.css") == FILES["assets/brand-C4y0bA1r.css"]
        assert text(store, f"builds/{build}/assets/brand-D5z1cB2s.css") == "p {}"
        assert is_whole(store, build)


def test_two_contents_of_one_name_are_refused_before_anything_is_written() -> None:
    store = bucket()
    put(store, "one")
    put(store, "two", {**FILES, "img/logo.svg": "<svg>another</svg>"})
    before = dict(store.objects)
    with pytest.raises(SharedFileConflict, match=r"'img/logo.svg' of build 'two'.*hashed 'img/\*.svg'.*build 'one'"):
        Healer(store, EdgeRules(rules=NEW, precompress=False)).heal(["one", "two"])
    assert store.objects == before


def test_another_content_among_the_shared_files_is_refused() -> None:
    store = bucket()
    put(store, "one")
    publish(MemorySource({**FILES, "img/logo.svg": "<svg>newer</svg>"}), store, build_id="two", rules=NEW)
    with pytest.raises(SharedFileConflict, match=r"'img/logo.svg' of build 'one'.*'shared/img/logo.svg'"):
        Healer(store, EdgeRules(rules=NEW, precompress=False)).heal(["one"])


def test_something_else_at_a_variants_key_is_refused() -> None:
    store = bucket()
    put(store, "one")
    put(store, "two", {"index.html": "two", "index.html.br": "a file of the build's own"})
    with pytest.raises(ForeignState, match=r"'builds/two/index.html.br' .* is not the br variant"):
        Healer(store, EdgeRules(rules=VITE, precompress=True)).heal(["two"])


@pytest.mark.parametrize("after_effect", [False, True], ids=["before its effect", "after its effect"])
def test_interrupted_at_any_call_it_is_completed_by_repeating_it(after_effect: bool) -> None:
    edge = EdgeRules(rules=NEW, precompress=True)
    whole = bucket()
    put(whole, "one")
    calls = len(whole.faults.calls)
    Healer(whole, edge, workers=1).heal(["one"])
    calls = len(whole.faults.calls) - calls
    assert calls > 30
    for number in range(1, calls + 1):
        store = bucket(Faults(after_effect=after_effect))
        put(store, "one")
        store.faults.fail_at = len(store.faults.calls) + number
        try:
            Healer(store, edge, workers=1).heal(["one"])
        except CloudError:
            # What the supplement names is there, or there is none yet.
            store.faults.fail_at = None
            assert is_whole(store, "one")
            Healer(store, edge).heal(["one"])
        assert list(unhealed_paths(store, "one", edge)) == []
        assert is_whole(store, "one")
        assert {key: text(store, key) for key in store.objects if not key.startswith("manifests/")} == {
            key: text(whole, key) for key in whole.objects if not key.startswith("manifests/")
        }


def test_retention_keeps_what_was_healed_and_removes_it_with_the_build() -> None:
    store = bucket()
    put(store, "one")
    Clock.now += 3600
    put(store, "two", {"index.html": "two"})
    Healer(store, EdgeRules(rules=NEW, precompress=True)).heal(["one", "two"])
    used = MemoryUsedBuilds(InUse(live=frozenset({"one", "two"})))
    policy = RetentionPolicy(keep_last=1, skew_days=1)
    collector = Collector({"us-east-1": store}, used, policy, wait_hours=48)
    for _ in range(3):
        Clock.now += 90 * 24 * 3600
        collector.collect()
    assert is_whole(store, "one")
    used.used = InUse(live=frozenset({"two"}))
    for _ in range(3):
        Clock.now += 90 * 24 * 3600
        collector.collect()
    assert is_whole(store, "two")
    left = set(store.objects) - {key for key in store.objects if key.startswith(("builds/two/", "condemned/"))}
    assert left == {"manifests/two.json", "manifests/two.claim", *(key for key in supplements(store) if "/two." in key)}


def test_what_retention_has_condemned_is_put_again() -> None:
    store = bucket()
    publish(MemorySource(FILES), store, build_id="old", rules=NEW)
    Clock.now += 3600
    put(store, "one")
    used = MemoryUsedBuilds(InUse(live=frozenset({"one"})))
    collector = Collector({"us-east-1": store}, used, RetentionPolicy(keep_last=1, skew_days=1), wait_hours=48)
    Clock.now += 90 * 24 * 3600
    assert collector.collect().condemned
    Clock.now += 3600
    Healer(store, EdgeRules(rules=NEW, precompress=False)).heal(["one"])
    Clock.now += 90 * 24 * 3600
    assert collector.collect().removed == ("old",)
    assert text(store, "shared/img/logo.svg") == FILES["img/logo.svg"]
    assert manifest_key("old") not in store.objects
    assert is_whole(store, "one")


def test_a_variant_that_somebody_else_made_is_taken_as_it_is() -> None:
    store = bucket()
    put(store, "one")
    put(store, "two")
    edge = EdgeRules(rules=VITE, precompress=True)
    Healer(store, edge).heal(["one"])
    key = "shared/assets/index-B3x9aZ0q.js.br"
    stored, _ = store.objects[key]
    other = brotli.compress(FILES["assets/index-B3x9aZ0q.js"].encode(), quality=1)
    sha256 = hashlib.sha256(other).hexdigest()
    store.history.pop(key)
    del store.objects[key]
    store.put_if_absent(
        NewObject(
            key=key,
            size=len(other),
            sha256=sha256,
            headers=ObjectHeaders(
                content_type=stored.headers.content_type,
                cache_control=stored.headers.cache_control,
                content_encoding="br",
            ),
            metadata={**stored.metadata, "sha256": sha256},
        ),
        io.BytesIO(other),
    )
    Healer(store, edge).heal(["two"])
    assert is_whole(store, "two")
