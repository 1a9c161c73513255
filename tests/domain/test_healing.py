"""Where other rules look for the files of a published build."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.domain.classification import CacheClass, ClassificationRules
from bluegreen_cdn.domain.encodings import ENCODINGS, Variant, is_compressible
from bluegreen_cdn.domain.headers import cache_control, content_type
from bluegreen_cdn.domain.healing import EdgeRules, healings, survey, unhealed
from bluegreen_cdn.domain.manifest import ManifestFile, object_key
from bluegreen_cdn.domain.requests import DocumentMode, Plan, plan_request
from bluegreen_cdn.errors import SharedFileConflict

VITE = ClassificationRules.preset("vite")
LOGOS = ClassificationRules.preset("vite", hashed=("img/*.svg",))
UNHASHED = ClassificationRules.preset("vite", unhashed=("assets/brand-*.png",))


def digest(text: str) -> str:
    return f"{abs(hash(text)):064x}"[-64:]


def file(path: str, rules: ClassificationRules = VITE, build: str = "b1", text: str = "", variants: bool = False):
    cache_class = rules.classify(path)
    return ManifestFile(
        path=path,
        key=object_key(build, path, cache_class),
        size=7,
        sha256=digest(text or path),
        content_type=content_type(path),
        cache_class=cache_class,
        cache_control=cache_control(cache_class),
        encodings=tuple(Variant(encoding=name, size=3, sha256=digest(f"{text or path}{name}")) for name in ENCODINGS)
        if variants and is_compressible(path)
        else (),
    )


def edge(rules: ClassificationRules, precompress: bool = False) -> EdgeRules:
    return EdgeRules(rules=rules, precompress=precompress)


def test_the_same_rules_want_nothing() -> None:
    files = [file("index.html", variants=True), file("assets/index-B3x9aZ0q.js", variants=True), file("logo.png")]
    assert list(healings("b1", files, edge(VITE, True))) == []


def test_a_file_that_becomes_hashed_is_wanted_among_the_shared_ones() -> None:
    (healing,) = healings("b1", [file("img/logo.svg"), file("index.html")], edge(LOGOS))
    assert (healing.source.key, healing.wanted.key) == ("builds/b1/img/logo.svg", "shared/img/logo.svg")
    assert healing.wanted.cache_class is CacheClass.SHARED
    assert "immutable" in healing.wanted.cache_control
    assert list(healing.keys()) == ["shared/img/logo.svg"]


def test_a_file_that_is_no_longer_hashed_is_wanted_in_its_build_and_asked_for_again() -> None:
    brand = file("assets/brand-B3x9aZ0q.png")
    (healing,) = healings("b1", [brand], edge(UNHASHED))
    assert (healing.source.key, healing.wanted.key) == (
        "shared/assets/brand-B3x9aZ0q.png",
        "builds/b1/assets/brand-B3x9aZ0q.png",
    )
    assert healing.wanted.cache_control == "no-cache"


def test_every_build_gets_the_files_that_are_no_longer_hashed() -> None:
    """A page of one build asks for them in the build of the visitor's last document."""
    builds = {
        "b1": [file("assets/brand-B3x9aZ0q.png"), file("index.html")],
        "b2": [file("assets/brand-C4y0bA1r.png", build="b2"), file("index.html", build="b2")],
    }
    found = survey(builds.items(), edge(UNHASHED))
    wanted = {
        healing.wanted.key
        for build_id, files in builds.items()
        for healing in healings(build_id, files, edge(UNHASHED), found)
    }
    names = ("assets/brand-B3x9aZ0q.png", "assets/brand-C4y0bA1r.png")
    assert wanted == {f"builds/{build}/{name}" for build in builds for name in names}


def test_own_cache_rules_stay_unless_they_let_browsers_keep_what_must_be_asked_for() -> None:
    becomes_entry = ClassificationRules.preset("vite", entries=("assets/brand-B3x9aZ0q.png",))
    hour = replace(file("img/logo.svg"), cache_control="max-age=3600")
    assert next(healings("b1", [hour], edge(LOGOS))).wanted.cache_control == "max-age=3600"
    hashed = replace(file("assets/brand-B3x9aZ0q.png"), cache_control="max-age=3600")
    for rules in (UNHASHED, becomes_entry):
        assert next(healings("b1", [hashed], edge(rules))).wanted.cache_control == "no-cache"


def test_variants_are_wanted_where_the_edge_asks_for_them() -> None:
    plain, done = file("locales/en.json"), file("index.html", variants=True)
    (healing,) = healings("b1", [plain, done, file("a.png")], edge(VITE, True))
    assert (healing.source, healing.moves, healing.compress) == (plain, False, ("br", "gzip"))
    assert list(healing.keys()) == ["builds/b1/locales/en.json.br", "builds/b1/locales/en.json.gz"]
    moved = file("img/logo.svg", variants=True)
    (healing,) = healings("b1", [moved], edge(LOGOS, True))
    assert (healing.compress, healing.wanted.encodings) == ((), moved.encodings)
    assert list(healing.keys()) == [f"shared/img/logo.svg{suffix}" for suffix in ("", ".br", ".gz")]
    (healing,) = healings("b1", [moved], edge(LOGOS, False))
    assert list(healing.keys()) == ["shared/img/logo.svg"]


def test_two_builds_cannot_share_a_name_for_two_contents() -> None:
    builds = {"b1": [file("img/logo.svg")], "b2": [file("img/logo.svg", build="b2", text="other")]}
    with pytest.raises(SharedFileConflict) as refused:
        survey(builds.items(), edge(LOGOS))
    for part in ("'img/logo.svg' of build 'b2'", "hashed 'img/*.svg'", "build 'b1'", "--unhashed 'img/logo.svg'"):
        assert part in str(refused.value)
    same = {"b1": [file("img/logo.svg")], "b2": [file("img/logo.svg", build="b2")]}
    survey(same.items(), edge(LOGOS))


def test_a_build_is_healed_when_its_supplement_has_everything() -> None:
    files = [file("img/logo.svg"), file("img/mark.svg"), file("index.html", variants=True)]
    put = [healing.wanted for healing in healings("b1", files, edge(LOGOS))]
    assert list(unhealed("b1", files, [], edge(VITE))) == []
    assert list(unhealed("b1", files, [], edge(LOGOS))) == ["img/logo.svg", "img/mark.svg"]
    assert list(unhealed("b1", files, put[:1], edge(LOGOS))) == ["img/mark.svg"]
    assert list(unhealed("b1", files, put, edge(LOGOS))) == []
    # The variants are missing still.
    assert list(unhealed("b1", files, put, edge(LOGOS, True))) == ["img/logo.svg", "img/mark.svg"]


PATHS = st.sampled_from(
    [
        "index.html",
        "assets/index-B3x9aZ0q.js",
        "assets/logo.svg",
        "img/logo.svg",
        "app.4f5e6d7c.css",
        "sw.js",
        "a/b.png",
    ]
)
RULES = st.builds(
    lambda presets, hashed, unhashed, entries: ClassificationRules.preset(
        *presets, hashed=hashed, unhashed=[glob for glob in unhashed if glob not in hashed], entries=entries
    ),
    st.lists(st.sampled_from(["vite", "webpack", "cra"]), min_size=1, max_size=2, unique=True),
    st.lists(st.sampled_from(["img/*.svg", "a/*", "sw.js"]), max_size=2, unique=True),
    st.lists(st.sampled_from(["assets/*", "*.css"]), max_size=2, unique=True),
    st.sampled_from([(), ("assets/logo.svg",)]),
)


@given(st.sets(PATHS, min_size=1), RULES, RULES, st.booleans(), st.booleans())
def test_what_the_edge_asks_for_is_there_afterwards(
    paths: set[str], before: ClassificationRules, after: ClassificationRules, had: bool, precompress: bool
) -> None:
    files = [file(path, before, variants=had) for path in sorted(paths)]
    there = {key for one in files for key in (one.key, *one.variant_keys())}
    there |= {key for healing in healings("b1", files, edge(after, precompress)) for key in healing.keys()}  # noqa: SIM118
    for path in paths:
        for encoding in ("", "gzip", "gzip, br"):
            assert asked_for(path, after, precompress, encoding) in there


def asked_for(path: str, rules: ClassificationRules, precompress: bool, encoding: str) -> str:
    """The key that a page of build b1 leads to, by the twin of the edge."""
    planned = plan_request(
        f"/{path}",
        rules,
        DocumentMode.SPA,
        accept="*/*",
        fetch_destination="script",
        precompress=precompress,
        accept_encoding=encoding,
    )
    assert planned.plan in (Plan.SHARED, Plan.FILE, Plan.ENTRY)
    return planned.uri[1:] if planned.plan is Plan.SHARED else f"builds/b1{planned.uri}"
