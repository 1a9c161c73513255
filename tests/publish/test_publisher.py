"""The whole of publishing, with header rules and the check for missing files."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bluegreen_cdn.domain.header_rules import HeaderRule, HeaderRules
from bluegreen_cdn.domain.manifest import Manifest, manifest_key
from bluegreen_cdn.errors import IncompleteBuild, InvalidRules
from bluegreen_cdn.publish.execute import PublishResult
from bluegreen_cdn.publish.memory_store import MemoryStore
from bluegreen_cdn.publish.publisher import plan_for, publish
from bluegreen_cdn.publish.source import open_source

Writer = Callable[[str, Mapping[str, str | bytes]], Path]


def put(
    build: Path,
    store: MemoryStore,
    build_id: str | None = "one",
    *,
    headers: HeaderRules | None = None,
    allow: str = "-",
) -> PublishResult:
    with open_source(build) as source:
        return publish(source, store, build_id=build_id, headers=headers, allow_missing=[allow])


def test_nothing_of_an_incomplete_build_is_written(folder: Writer) -> None:
    store = MemoryStore()
    build = folder("dist", {"index.html": "<img src=a.png>"})
    with pytest.raises(IncompleteBuild, match=r"a\.png"):
        put(build, store)
    assert store.objects == {}
    put(build, store, allow="*.png")
    assert manifest_key("one") in store.objects


def test_a_build_that_exists_is_not_checked_again(folder: Writer) -> None:
    store = MemoryStore()
    build = folder("dist", {"index.html": "<img src=a.png>"})
    put(build, store, allow="a.png")
    assert put(build, store).already_published


def test_a_build_may_refer_to_itself_by_its_id(folder: Writer) -> None:
    build = folder("dist", {"index.html": "<img src=/builds/one/a.png>", "a.png": b"\0"})
    with open_source(build) as source:
        assert plan_for(source, MemoryStore(), build_id="one").warnings == ()
        plan = plan_for(source, MemoryStore(), build_id="two")
    assert len(plan.warnings) == 1
    assert "'/builds/one/a.png' in 'index.html'" in plan.warnings[0]
    assert plan.to_json()["warnings"] == list(plan.warnings)


def test_source_maps_stay_at_home_and_do_not_change_the_name(folder: Writer) -> None:
    build = folder("dist", {"index.html": "", "a.js": "", "a.js.map": "{}"})
    store, store_with_maps = MemoryStore(), MemoryStore()
    build_id = put(build, store, None).build_id
    assert put(build, store_with_maps, None, headers=HeaderRules(source_maps=True)).build_id == build_id
    assert not any(key.endswith(".map") for key in store.objects)
    assert f"builds/{build_id}/a.js.map" in store_with_maps.objects


def test_rules_are_what_objects_and_manifest_say(folder: Writer) -> None:
    store = MemoryStore()
    rule = HeaderRule(
        glob="files/*",
        cache="max-age=60",
        content_type="text/plain",
        headers={"content-disposition": "attachment", "content-language": "de"},
    )
    put(folder("dist", {"index.html": "", "files/a": "a"}), store, headers=HeaderRules(rules=(rule,)))
    manifest = Manifest.from_json_bytes(store.get(manifest_key("one")))
    document, file = manifest.files[1], manifest.files[0]
    assert (file.path, file.content_disposition, file.content_language) == ("files/a", "attachment", "de")
    assert (file.cache_control, file.content_type) == ("public, max-age=60", "text/plain; charset=utf-8")
    assert "content_disposition" in file.to_json()
    assert "content_disposition" not in document.to_json()
    for one in manifest.files:
        stored = store.head(one.key)
        assert stored is not None
        assert stored.headers == one.headers


def test_a_rule_that_would_keep_a_document_stops_the_publish(folder: Writer) -> None:
    store = MemoryStore()
    rules = HeaderRules(rules=(HeaderRule(glob="docs/**", cache="immutable"),))
    with pytest.raises(InvalidRules, match=r"document 'docs/a\.html'"):
        put(folder("dist", {"index.html": "", "docs/a.html": ""}), store, headers=rules)
    assert store.objects == {}


def test_a_shared_file_keeps_the_headers_of_the_build_that_brought_it(folder: Writer) -> None:
    store = MemoryStore()
    files = {"index.html": "one", "assets/a-B3x9aZ0q.js": "x"}
    put(folder("dist", files), store, "one")
    rules = HeaderRules(rules=(HeaderRule(glob="assets/**/*.js", cache="max-age=60"),))
    put(folder("dist", files | {"index.html": "two"}), store, "two", headers=rules)
    for build_id in ("one", "two"):
        for file in Manifest.from_json_bytes(store.get(manifest_key(build_id))).files:
            stored = store.head(file.key)
            assert stored is not None
            assert stored.headers == file.headers
