"""Plans: what is uploaded, what is reused, what is refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.domain.classification import CacheClass, ClassificationRules
from bluegreen_cdn.domain.manifest import Manifest
from bluegreen_cdn.errors import BuildConflict, InvalidBuild, InvalidInput, SharedFileConflict
from bluegreen_cdn.publish.plan import PublishPlan, plan_publish
from bluegreen_cdn.publish.source import SourceFile

RULES = ClassificationRules.default()
DIGESTS = {name: name * 64 for name in "abc"}
NAMES = (
    "index.html",
    "about/index.html",
    "favicon.ico",
    "assets/logo.svg",
    "assets/index-B3x9aZ0q.js",
    "assets/index-B3x9aZ0q.js.map",
    "assets/cart-Dk3fP0_x.js",
    "static/js/main.073c9b0a.chunk.js",
    "_next/static/chunks/a-0123456789abcdef.js",
    "sw.js",
)
builds = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(sorted(DIGESTS)), max_size=len(NAMES)).map(
    lambda files: {**files, "index.html": files.get("index.html", "a")}
)


def listing(files: dict[str, str]) -> tuple[SourceFile, ...]:
    return tuple(SourceFile(path=path, size=len(path), sha256=DIGESTS[name]) for path, name in sorted(files.items()))


def plan(files: dict[str, str], build_id: str = "new", retained: tuple[Manifest, ...] = ()) -> PublishPlan:
    return plan_publish(build_id, listing(files), rules=RULES, mode="spa", retained=retained)


@given(builds)
def test_every_file_is_written_to_exactly_one_key(files: dict[str, str]) -> None:
    made = plan(files)
    assert sorted(upload.source.path for upload in made.uploads) == sorted(files)
    assert len({upload.object.key for upload in made.uploads}) == len(files)
    assert [file.path for file in made.manifest.files] == sorted(files)
    for upload in made.uploads:
        hashed = RULES.classify(upload.source.path) is CacheClass.SHARED
        assert upload.object.key == (f"shared/{upload.source.path}" if hashed else f"builds/new/{upload.source.path}")
        assert upload.object.sha256 == upload.source.sha256 == upload.object.metadata["sha256"]
        assert ("build-id" in upload.object.metadata) is not hashed
        assert ("immutable" in upload.object.headers.cache_control) is hashed


@given(builds, builds)
def test_after_another_build_only_what_it_lacks_is_written(files: dict[str, str], before: dict[str, str]) -> None:
    first = plan(before, "old").manifest
    clash = {
        path
        for path in files
        if RULES.classify(path) is CacheClass.SHARED and before.get(path, files[path]) != files[path]
    }
    if clash:
        with pytest.raises(SharedFileConflict) as caught:
            plan(files, retained=(first,))
        assert any(path in str(caught.value) for path in clash)
        return
    made = plan(files, retained=(first,))
    there = {file.key for file in first.files}
    assert sorted([upload.source.path for upload in made.uploads] + [reuse.path for reuse in made.reuses]) == sorted(
        files
    )
    assert not there & {upload.object.key for upload in made.uploads}
    assert {reuse.key for reuse in made.reuses} == there & {file.key for file in made.manifest.files}


@given(builds)
def test_the_plan_of_a_repeated_publish_is_empty(files: dict[str, str]) -> None:
    made = plan(files)
    again = plan(files, retained=(made.manifest,))
    assert again.published
    assert (again.uploads, again.reuses) == ((), ())
    assert not made.published


@given(builds, builds)
def test_a_build_id_never_changes_its_content(files: dict[str, str], other: dict[str, str]) -> None:
    first = plan(files).manifest
    if files == other:
        return
    with pytest.raises(BuildConflict, match="build 'new' exists"):
        plan(other, retained=(first,))


def test_a_conflict_names_file_digests_and_the_mend() -> None:
    first = plan({"index.html": "a", "assets/index-B3x9aZ0q.js": "a"}, "old").manifest
    with pytest.raises(SharedFileConflict) as caught:
        plan({"index.html": "a", "assets/index-B3x9aZ0q.js": "b"}, retained=(first,))
    for part in (
        "'assets/index-B3x9aZ0q.js'", "a" * 64, "b" * 64, "build 'old'",
        "unhashed=['assets/index-B3x9aZ0q.js']", "--unhashed 'assets/index-B3x9aZ0q.js'",
    ):  # fmt: skip
        assert part in str(caught.value)


def test_the_mend_that_the_conflict_offers_works() -> None:
    first = plan({"index.html": "a", "assets/index-B3x9aZ0q.js": "a"}, "old").manifest
    amended = replace(RULES, unhashed=("assets/index-B3x9aZ0q.js",))
    files = listing({"index.html": "a", "assets/index-B3x9aZ0q.js": "b"})
    made = plan_publish("new", files, rules=amended, mode="spa", retained=(first,))
    assert "builds/new/assets/index-B3x9aZ0q.js" in {upload.object.key for upload in made.uploads}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"index.html": "b"}, r"1 files differ, 0 are new, 0 are missing \(such as 'index.html'\)"),
        ({"index.html": "a", "more.txt": "a"}, r"0 files differ, 1 are new.*more\.txt"),
    ],
)
def test_a_build_conflict_says_what_differs(change: dict[str, str], reason: str) -> None:
    with pytest.raises(BuildConflict, match=reason):
        plan(change, retained=(plan({"index.html": "a"}).manifest,))


def test_another_mode_is_another_build_and_other_rules_are_healed() -> None:
    first = plan({"index.html": "a"}).manifest
    files = listing({"index.html": "a"})
    with pytest.raises(BuildConflict, match="mode 'spa', not 'directory'"):
        plan_publish("new", files, rules=RULES, mode="directory", retained=(first,))
    again = plan_publish("new", files, rules=ClassificationRules.preset("vite"), mode="spa", retained=(first,))
    assert (again.published, again.other_rules, again.uploads) == (True, True, ())
    assert not plan_publish("new", files, rules=RULES, mode="spa", retained=(first,)).other_rules


def test_headers_of_an_earlier_version_of_this_package_are_no_conflict() -> None:
    first = plan({"index.html": "a"}).manifest
    older = replace(first, files=tuple(replace(file, content_type="text/html") for file in first.files))
    assert plan({"index.html": "a"}, retained=(older,)).published


def test_a_build_without_a_document_is_refused() -> None:
    with pytest.raises(InvalidBuild, match="has no document"):
        plan({"assets/logo.svg": "a"})
    rules = replace(RULES, entries=("widget.js",))
    files = (SourceFile(path="widget.js", size=1, sha256="a" * 64),)
    assert plan_publish("new", files, rules=rules, mode="spa").manifest.entries()[0].path == "widget.js"


def test_a_single_page_app_needs_its_page() -> None:
    with pytest.raises(InvalidBuild, match=r"no index\.html at its top.*'about/index\.html'"):
        plan_publish("new", listing({"about/index.html": "a"}), rules=RULES, mode="spa")
    assert plan_publish("new", listing({"about/index.html": "a"}), rules=RULES, mode="directory").uploads


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(InvalidInput, match="mode 'SPA' is unknown"):
        plan_publish("new", listing({"index.html": "a"}), rules=RULES, mode="SPA")


def test_the_plan_as_json_adds_up() -> None:
    first = plan({"index.html": "a", "assets/index-B3x9aZ0q.js": "a"}, "old").manifest
    shown = plan({"index.html": "b", "assets/index-B3x9aZ0q.js": "a"}, retained=(first,)).to_json()
    assert (shown["upload_files"], shown["upload_bytes"]) == (1, len("index.html"))
    assert (shown["reuse_files"], shown["reuse_bytes"]) == (1, len("assets/index-B3x9aZ0q.js"))
    assert shown["uploads"][0]["key"] == "builds/new/index.html"
    assert not shown["published"]
