"""Which variants are made, which are there, and whose bytes are taken: decided from manifests alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.encodings import ENCODINGS, Variant, is_compressible, variant_key
from bluegreen_cdn.domain.manifest import Manifest
from bluegreen_cdn.errors import InvalidBuild
from bluegreen_cdn.publish.plan import PublishPlan, plan_publish
from bluegreen_cdn.publish.source import SourceFile

RULES = ClassificationRules.default()
NAMES = ("index.html", "about.html", "logo.png", "data.json", "assets/index-B3x9aZ0q.js", "assets/cart-Dk3fP0_x.js")
# A hashed name has one content.
builds = st.dictionaries(st.sampled_from(NAMES[:4]), st.sampled_from("abc"), max_size=4).flatmap(
    lambda plain: st.sets(st.sampled_from(NAMES[4:])).map(
        lambda hashed: {"index.html": "a", **plain, **dict.fromkeys(hashed, "f")}
    )
)


def plan(files: dict[str, str], build_id: str = "new", retained: tuple[Manifest, ...] = ()) -> PublishPlan:
    listing = tuple(SourceFile(path=path, size=len(path), sha256=name * 64) for path, name in sorted(files.items()))
    return plan_publish(build_id, listing, rules=RULES, mode="spa", retained=retained, precompress=True)


def published(made: PublishPlan) -> Manifest:
    """The manifest as it is after the plan was carried out."""
    missing = {one.file.path for one in made.variants}

    def variants(sha256: str) -> tuple[Variant, ...]:
        return tuple(Variant(encoding=encoding, size=1, sha256=sha256) for encoding in ENCODINGS)

    files = tuple(
        replace(file, encodings=variants(file.sha256)) if file.path in missing else file for file in made.manifest.files
    )
    return replace(made.manifest, files=files)


@given(builds)
def test_every_compressible_file_gets_both_and_no_other_gets_any(files: dict[str, str]) -> None:
    made = plan(files)
    assert sorted(one.file.path for one in made.variants) == sorted(filter(is_compressible, files))
    assert made.compressions == made.variants
    assert made.compress_bytes == sum(len(path) for path in files if is_compressible(path))
    assert [one.source.path for one in made.variants] == [one.file.path for one in made.variants]
    sizes = [one.file.size for one in made.variants]
    assert sizes == sorted(sizes, reverse=True), "a long one at the end would keep one core busy alone"


@given(builds, builds)
def test_what_an_earlier_build_has_compressed_is_never_compressed_again(
    before: dict[str, str], files: dict[str, str]
) -> None:
    first = published(plan(before, "old"))
    made = plan(files, retained=(first,))
    has = {file.sha256 for file in first.files if file.encodings}
    assert {one.file.path for one in made.compressions} == {
        path for path, name in files.items() if is_compressible(path) and name * 64 not in has
    }
    keys = {file.key: file for file in first.files}
    for file in made.manifest.files:
        shared = file.key in keys and is_compressible(file.path)
        assert file.encodings == (keys[file.key].encodings if shared else ()), "what lies there is named at once"
    for one in made.variants:
        assert one.file.key not in keys
        for key, variant in one.known.items():
            assert variant.sha256 == one.file.sha256
            assert key in {variant_key(there, encoding) for there in keys for encoding in ENCODINGS}


def test_a_build_without_variants_has_none_to_offer() -> None:
    files = {"index.html": "a", "assets/index-B3x9aZ0q.js": "f"}
    bare = plan(files, "old").manifest
    made = plan(files, retained=(bare,))
    assert [reuse.path for reuse in made.reuses] == ["assets/index-B3x9aZ0q.js"]
    assert {one.file.path for one in made.compressions} == set(files)


def test_without_precompression_there_is_nothing_of_it() -> None:
    listing = (SourceFile(path="index.html", size=1, sha256="a" * 64),)
    first = published(plan({"index.html": "a"}, "old"))
    made = plan_publish("new", listing, rules=RULES, mode="spa", retained=(first,))
    assert made.variants == ()
    assert [file.encodings for file in made.manifest.files] == [()]


@pytest.mark.parametrize("name", ["assets/index-B3x9aZ0q.js.br", "assets/index-B3x9aZ0q.js.gz"])
def test_a_file_in_the_place_of_a_variant_is_refused_unless_there_are_none(name: str) -> None:
    files = {"index.html": "a", "assets/index-B3x9aZ0q.js": "f", name: "b"}
    with pytest.raises(InvalidBuild, match=rf"'{name}' has the name of .*'assets/index-B3x9aZ0q\.js'.*compression plu"):
        plan(files)
    listing = tuple(SourceFile(path=path, size=1, sha256=digest * 64) for path, digest in files.items())
    assert len(plan_publish("new", listing, rules=RULES, mode="spa").uploads) == 3


def test_a_lone_packed_file_is_a_file_like_any_other() -> None:
    assert len(plan({"index.html": "a", "downloads/archive.tar.gz": "b", "logo.png.br": "c"}).uploads) == 3


def test_the_plan_as_json_counts_them() -> None:
    first = published(plan({"index.html": "a"}, "old"))
    shown = plan({"index.html": "a", "data.json": "b"}, retained=(first,)).to_json()
    assert (shown["compress_files"], shown["compress_bytes"], shown["copy_variants_of_files"]) == (
        1,
        len("data.json"),
        1,
    )
