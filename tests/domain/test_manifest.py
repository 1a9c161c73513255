"""Manifests: the same bytes for the same build, and nothing else taken for one."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.domain.classification import CacheClass, ClassificationRules
from bluegreen_cdn.domain.encodings import ENCODINGS, Variant
from bluegreen_cdn.domain.headers import cache_control, content_type
from bluegreen_cdn.domain.manifest import (
    Manifest,
    ManifestFile,
    build_of_manifest_key,
    check_mode,
    claim_key,
    is_claim_key,
    manifest_key,
    object_key,
)
from bluegreen_cdn.domain.manifest_stream import ManifestStream
from bluegreen_cdn.errors import ForeignState, InvalidBuildId, InvalidInput, UnsupportedFormat

RULES = ClassificationRules.default()
build_ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
paths = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1), min_size=1, max_size=3).map(
    "/".join
)


def file_of(
    build_id: str, path: str, *, size: int = 1, sha256: str = "a" * 64, encodings: tuple[Variant, ...] = ()
) -> ManifestFile:
    cache_class = RULES.classify(path)
    return ManifestFile(
        path=path,
        key=object_key(build_id, path, cache_class),
        size=size,
        sha256=sha256,
        content_type=content_type(path),
        cache_class=cache_class,
        cache_control=cache_control(cache_class),
        encodings=encodings,
    )


digests = st.text("0123456789abcdef", min_size=64, max_size=64)
variants = st.lists(
    st.builds(Variant, encoding=st.sampled_from(ENCODINGS), size=st.integers(0, 2**40), sha256=digests),
    unique_by=lambda variant: variant.encoding,
).map(tuple)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    build_id = draw(build_ids)
    files = [
        file_of(
            build_id,
            path,
            size=draw(st.integers(0, 2**40)),
            sha256=draw(digests),
            encodings=draw(variants),
        )
        for path in draw(st.lists(paths, unique=True, max_size=6))
    ]
    return Manifest(
        build_id=build_id, mode=draw(st.sampled_from(["spa", "directory", "html"])), rules=RULES, files=tuple(files)
    )


SAMPLE = Manifest(
    build_id="one",
    mode="spa",
    rules=RULES,
    files=(file_of("one", "index.html"), file_of("one", "assets/index-B3x9aZ0q.js"), file_of("one", "favicon.ico")),
)


def changed(**values: Any) -> bytes:
    return json.dumps({**json.loads(SAMPLE.to_json_bytes()), **values}).encode()


def with_file(**values: Any) -> bytes:
    value = json.loads(SAMPLE.to_json_bytes())
    value["files"][0] |= values
    return json.dumps(value).encode()


@given(manifests())
def test_a_manifest_survives_writing_and_reading(manifest: Manifest) -> None:
    assert Manifest.from_json_bytes(manifest.to_json_bytes()) == manifest


@given(manifests(), st.none() | st.text(), st.none() | st.text())
def test_a_line_is_the_json_of_its_file(manifest: Manifest, disposition: str | None, language: str | None) -> None:
    for file in manifest.files:
        whole = replace(file, content_disposition=disposition, content_language=language)
        assert whole.to_json_text() == json.dumps(whole.to_json(), ensure_ascii=False, separators=(",", ":"))


@given(manifests(), st.data())
def test_what_is_known_is_read_as_if_it_were_not(manifest: Manifest, data: st.DataObject) -> None:
    changes = st.sampled_from([{}, {"size": 2}, {"sha256": "b" * 64}, {"content_type": "x/y"}, {"encodings": ()}])
    known = {file.path: replace(file, **data.draw(changes)) for file in manifest.files}
    lines = manifest.to_json_bytes().splitlines()
    read = list(ManifestStream.open(lines, manifest.build_id, known).files)
    assert read == list(manifest.files)
    for file in read:
        same = file.cache_class is CacheClass.SHARED and known[file.path] == file
        assert (file is known[file.path]) == same


@given(manifests(), build_ids)
def test_a_file_of_another_build_is_not_taken_for_known(manifest: Manifest, other: str) -> None:
    copied = manifest.to_json_bytes().replace(manifest.build_id.encode(), other.encode(), 1).splitlines()
    known = {file.path: file for file in manifest.files}
    if other != manifest.build_id and any(file.cache_class is not CacheClass.SHARED for file in manifest.files):
        with pytest.raises(ForeignState):
            list(ManifestStream.open(copied, other, known).files)


@given(manifests(), st.randoms())
def test_the_order_of_the_files_does_not_change_a_byte(manifest: Manifest, random: Any) -> None:
    files = list(manifest.files)
    random.shuffle(files)
    shuffled = Manifest(build_id=manifest.build_id, mode=manifest.mode, rules=manifest.rules, files=tuple(files))
    assert shuffled.to_json_bytes() == manifest.to_json_bytes()


def test_its_keys_say_where_every_file_is() -> None:
    assert {file.path: file.key for file in SAMPLE.files} == {
        "index.html": "builds/one/index.html",
        "favicon.ico": "builds/one/favicon.ico",
        "assets/index-B3x9aZ0q.js": "shared/assets/index-B3x9aZ0q.js",
    }
    assert [file.path for file in SAMPLE.entries()] == ["index.html"]
    assert manifest_key("one") == "manifests/one.json"


def test_a_newer_format_is_told_apart_from_a_strangers_file() -> None:
    with pytest.raises(UnsupportedFormat, match=r"build 'one' has format 2.*upgrade"):
        Manifest.from_json_bytes(changed(format=2, anything="else"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b"[" * 100_000,
        changed(format="1"),
        changed(format=True),
        changed(format=0),
        changed(build_id="../up"),
        changed(build_id=None),
        changed(mode="other"),
        changed(rules=None),
        changed(files={}),
        changed(files=[1]),
        changed(files=None),
        with_file(size=-1),
        with_file(size="1"),
        with_file(size=True),
        with_file(sha256="A" * 64),
        with_file(sha256="a" * 63),
        with_file(cache_class="other"),
        with_file(key="builds/two/assets/index-B3x9aZ0q.js"),
        with_file(key="manifests/one.json"),
        with_file(path="index.html"),
        with_file(encodings=None),
        with_file(encodings=[1]),
        with_file(encodings=["br"]),
        with_file(encodings=[{"encoding": "br", "size": 1, "sha256": "a" * 64}] * 2),
    ],
)
def test_what_is_no_manifest_of_ours_is_refused(data: bytes) -> None:
    with pytest.raises(ForeignState, match="not a manifest of bluegreen-cdn"):
        Manifest.from_json_bytes(data)


@given(
    st.binary(max_size=64)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_no_bytes_at_all_raise_anything_else(data: bytes) -> None:
    with pytest.raises((ForeignState, UnsupportedFormat)):
        Manifest.from_json_bytes(data)


def test_a_path_named_twice_is_refused() -> None:
    value = json.loads(SAMPLE.to_json_bytes())
    value["files"].append(value["files"][0])
    with pytest.raises(ForeignState, match="twice"):
        Manifest.from_json_bytes(json.dumps(value).encode())


def test_fields_that_a_later_version_adds_are_left_alone() -> None:
    assert Manifest.from_json_bytes(with_file(later="field")) == SAMPLE


@given(build_ids)
def test_a_manifest_key_leads_back_to_its_build(build_id: str) -> None:
    assert build_of_manifest_key(manifest_key(build_id)) == build_id


@given(build_ids, build_ids)
def test_no_claim_is_taken_for_a_manifest(build_id: str, other: str) -> None:
    assert is_claim_key(claim_key(build_id))
    assert build_of_manifest_key(claim_key(build_id)) is None
    assert not is_claim_key(manifest_key(other))
    assert claim_key(build_id) != manifest_key(other)


@pytest.mark.parametrize(
    "key",
    [
        "manifests/",
        "manifests/.json",
        "manifests/a",
        "manifests/a/b.json",
        "manifests/a.json.br",
        "other/a.json",
        "a.json",
    ],
)
def test_other_keys_lead_to_none(key: str) -> None:
    assert build_of_manifest_key(key) is None


def test_a_manifest_of_no_build_cannot_be_made() -> None:
    with pytest.raises(InvalidBuildId):
        manifest_key("../up")
    with pytest.raises(InvalidBuildId):
        Manifest(build_id="a/b", mode="spa", rules=RULES, files=())
    with pytest.raises(InvalidInput, match="use one of spa, directory, html"):
        check_mode("SPA")


def test_only_the_shared_class_leaves_the_builds_own_folder() -> None:
    assert object_key("one", "a/b.js", CacheClass.SHARED) == "shared/a/b.js"
    assert object_key("one", "a/b.js", CacheClass.ENTRY) == "builds/one/a/b.js"
    assert object_key("one", "a/b.js", CacheClass.VERSIONED) == "builds/one/a/b.js"
