"""Which names count as hashed, and at what price."""

import json
import random
import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.domain.classification import CacheClass, ClassificationRules, glob_pattern
from bluegreen_cdn.domain.presets import PRESETS
from bluegreen_cdn.errors import ForeignState, InvalidRules

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "classification.json").read_text())["vectors"]
BASE64URL = string.ascii_letters + string.digits + "-_"
BASE32 = string.ascii_uppercase + "234567"
HEX = "0123456789abcdef"


@pytest.mark.parametrize(("path", "expected"), VECTORS)
def test_real_names(path: str, expected: str) -> None:
    assert ClassificationRules.default().classify(path) == expected


@pytest.mark.parametrize(
    ("preset", "name", "alphabet", "length", "misses_per_thousand"),
    [
        ("vite", "assets/index-{}.js", BASE64URL, 8, 0),
        ("vite", "assets/image-{}.png", BASE64URL, 8, 5),
        ("sveltekit", "_app/immutable/chunks/{}.js", BASE64URL, 8, 0),
        ("nuxt", "_nuxt/{}.js", BASE64URL, 8, 0),
        ("astro", "_astro/hero.{}_{}.webp", BASE64URL, 8, 0),
        ("angular", "chunk-{}.js", BASE32, 8, 0),
        ("cra", "static/js/main.{}.js", HEX, 8, 2),
        ("next", "_next/static/chunks/main-{}.js", HEX, 16, 0),
        ("next", "_next/static/{}/_buildManifest.js", BASE64URL, 21, 1),
        ("webpack", "main.{}.js", HEX, 20, 0),
    ],
)
def test_random_hashes_are_recognised(
    preset: str, name: str, alphabet: str, length: int, misses_per_thousand: int
) -> None:
    rules, chance = ClassificationRules.preset(preset), random.Random(7)
    tokens = ["".join(chance.choices(alphabet, k=length)) for _ in range(4000)]
    missed = [token for token in tokens if rules.classify(name.format(token, token)) is not CacheClass.SHARED]
    assert len(missed) <= 4 * misses_per_thousand, missed[:10]


def test_the_amending_globs_have_their_order() -> None:
    path = "assets/index-B3x9aZ0q.js"
    plain = {"hashed_folders": ("assets/",)}
    assert ClassificationRules(**plain).classify(path) is CacheClass.SHARED
    assert ClassificationRules(**plain, unhashed=("assets/index-*",)).classify(path) is CacheClass.VERSIONED
    assert ClassificationRules(**plain, entries=(path,), hashed=("assets/*",)).classify(path) is CacheClass.ENTRY
    both = ClassificationRules(**plain, unhashed=("assets/logo*",), hashed=("assets/*",))
    assert both.classify("assets/logo.svg") is CacheClass.VERSIONED
    assert both.classify("assets/other.svg") is CacheClass.SHARED


@pytest.mark.parametrize(
    "companion", ["x-B3x9aZ0q.js.map", "x-B3x9aZ0q.mjs.LICENSE.txt", "x-B3x9aZ0q.css.map", "a.map"]
)
def test_companions_are_never_shared(companion: str) -> None:
    rules = ClassificationRules(hashed_folders=("assets/",), hashed=("assets/**",))
    assert rules.classify(f"assets/{companion}") is CacheClass.VERSIONED


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("*.js", ["a.js", ".js", "a.b.js"], ["a/b.js", "a.jsx", "xa.js/"]),
        ("**/*.js", ["a.js", "a/b.js", "a/b/c.js"], ["a.css"]),
        ("a/**", ["a/", "a/b", "a/b/c"], ["a", "b/a/c"]),
        ("a**z", ["az", "a/b/z"], ["a/b"]),
        ("main-????.js", ["main-abcd.js", "main-a.-_.js"], ["main-abc.js", "main-ab/d.js", "main-äbcd.js"]),
        ("{main,chunk}.{js,css}", ["main.js", "chunk.css"], ["mainchunk.js", "main.", "{main,chunk}.js"]),
        ("app/[slug]/(x)+$.js", ["app/[slug]/(x)+$.js"], ["app/s/x.js"]),
        ("a,b.js", ["a,b.js"], ["a", "b.js"]),
    ],
)
def test_globs(glob: str, yes: list[str], no: list[str]) -> None:
    pattern = re.compile(f"^(?:{glob_pattern(glob)})$", re.ASCII)
    assert [path for path in yes if not pattern.search(path)] == []
    assert [path for path in no if pattern.search(path)] == []


@given(st.text(alphabet=st.characters(exclude_characters="*?{}"), min_size=1))
def test_a_glob_without_wildcards_matches_itself(path: str) -> None:
    assert re.fullmatch(glob_pattern(path), path)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"hashed_folders": ("/assets/",)}, "leading slash"),
        ({"hashed_folders": ("assets",)}, "trailing"),
        ({"hashed_folders": ("/",)}, "below the site's root"),
        ({"hashed_folders": ("a*/",)}, "is a glob"),
        ({"hashed_folders": "assets/"}, r"\['assets/'\]"),
        ({"hashed_folders": (), "hashed": ("/a.js",)}, "no leading slash"),
        ({"hashed_folders": (), "entries": ("",)}, "in entries"),
        ({"hashed_folders": (), "entries": ("{a.js",)}, "braces"),
        ({"hashed_folders": (), "hashed": ("a.js",), "unhashed": ("a.js",)}, "stands in hashed and in unhashed"),
    ],
)
def test_rules_that_can_mean_nothing_are_refused(rules: dict[str, tuple[str, ...]], message: str) -> None:
    with pytest.raises(InvalidRules, match=message):
        ClassificationRules(**rules)


def test_json_and_back() -> None:
    rules = ClassificationRules.preset(*PRESETS, hashed=("a/*",), unhashed=("b/*",), entries=("widget.js",))
    assert ClassificationRules.from_json(json.loads(json.dumps(rules.to_json()))) == rules


@pytest.mark.parametrize("value", [None, [], {}, {"hashed": []}, {"hashedFolders": "assets/"}, {"hashedFolders": [1]}])
def test_foreign_json_is_refused(value: object) -> None:
    with pytest.raises(ForeignState):
        ClassificationRules.from_json(value)  # type: ignore[arg-type]


def test_unknown_presets_are_refused_by_name() -> None:
    with pytest.raises(InvalidRules, match="no preset 'rollup'; there are vite, next, cra"):
        ClassificationRules.preset("rollup")
    with pytest.raises(InvalidRules, match="no preset given"):
        ClassificationRules.preset()


def test_default_is_every_preset() -> None:
    assert set(ClassificationRules.default().hashed_folders) >= {
        folder for preset in PRESETS.values() for folder in preset.hashed_folders
    }


@pytest.mark.parametrize("suffix", ["", ".br", ".gz"])
def test_precompressed_variants_of_entries_follow_the_rollout_as_they_do(suffix: str) -> None:
    rules = ClassificationRules(hashed_folders=("assets/",), entries=("widget.js", "sw-*.js"))
    for path in ("widget.js", "sw-B3x9aZ0q.js", "assets/frame.html"):
        assert rules.classify(path + suffix) is CacheClass.ENTRY
    assert rules.classify(f"other.js{suffix}") is CacheClass.VERSIONED
