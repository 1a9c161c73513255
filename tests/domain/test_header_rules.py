"""What files are served with, and what no rule may do."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.domain.classification import CacheClass
from bluegreen_cdn.domain.header_rules import PRESETS, HeaderRule, HeaderRules
from bluegreen_cdn.domain.headers import cache_control, content_type
from bluegreen_cdn.errors import InvalidRules

SHARED, ENTRY, VERSIONED = CacheClass.SHARED, CacheClass.ENTRY, CacheClass.VERSIONED
IMMUTABLE = "public, max-age=31536000, immutable"


def rules(*given: HeaderRule, presets: tuple[str, ...] = ()) -> HeaderRules:
    return HeaderRules(rules=given, presets=presets)


@pytest.mark.parametrize(
    ("path", "cache_class"),
    [("index.html", ENTRY), ("a/b.css", VERSIONED), ("assets/a-B3x9aZ0q.mjs", SHARED), ("widget.js", ENTRY)],
)
def test_without_rules_all_is_as_ever(path: str, cache_class: CacheClass) -> None:
    headers = HeaderRules().headers_for(path, cache_class)
    assert headers.content_type == content_type(path)
    assert headers.cache_control == cache_control(cache_class)
    assert (headers.content_encoding, headers.content_disposition, headers.content_language) == (None, None, None)


@pytest.mark.parametrize(
    "path", ["sw.js", "app/service-worker.js", "firebase-messaging-sw.js", "ngsw-worker.js", "manifest.json"]
)
def test_service_workers_and_web_manifests_are_asked_for_whatever_their_class(path: str) -> None:
    assert HeaderRules().headers_for(path, SHARED).cache_control == "no-cache"
    assert HeaderRules().headers_for("assets/site-B3x9aZ0q.webmanifest", SHARED).cache_control == "no-cache"
    assert HeaderRules().headers_for("assets/pdf.worker-B3x9aZ0q.js", SHARED).cache_control == IMMUTABLE


def test_the_last_rule_that_says_something_wins() -> None:
    found = rules(
        HeaderRule(glob="fonts/**", cache="max-age=60", content_type="font/woff2"),
        HeaderRule(glob="**/*.bin", headers={"Content-Language": "de"}),
        HeaderRule(glob="fonts/b.bin", cache="immutable", headers={"content-disposition": 'attachment; filename="b"'}),
    )
    one, two = found.headers_for("fonts/a.bin", VERSIONED), found.headers_for("fonts/b.bin", VERSIONED)
    assert (one.cache_control, one.content_type, one.content_language) == ("public, max-age=60", "font/woff2", "de")
    assert one.content_disposition is None
    assert (two.cache_control, two.content_language) == (IMMUTABLE, "de")
    assert two.content_disposition == 'attachment; filename="b"'
    assert found.headers_for("a/fonts/a.txt", VERSIONED).cache_control == "no-cache"


def test_every_way_to_be_cached() -> None:
    for cache, expected in {
        "immutable": IMMUTABLE,
        "revalidate": "no-cache",
        "no-store": "no-store",
        "max-age=0": "public, max-age=0",
    }.items():
        found = rules(HeaderRule(glob="*.png", cache=cache)).headers_for("a.png", VERSIONED)
        assert found.cache_control == expected


def test_text_is_utf_8_unless_a_rule_says_otherwise() -> None:
    found = rules(
        HeaderRule(glob="a", content_type="text/plain"), HeaderRule(glob="b", content_type="text/plain; charset=koi8-r")
    )
    assert found.headers_for("a", VERSIONED).content_type == "text/plain; charset=utf-8"
    assert found.headers_for("b", VERSIONED).content_type == "text/plain; charset=koi8-r"


@pytest.mark.parametrize("cache", ["immutable", "max-age=1"])
@pytest.mark.parametrize(
    "glob",
    [
        "**",
        "*.html",
        "**/*.{css,html}",
        "about.htm",
        "ab?ut/inde?.html",
        "*.ht?l",
        "docs/**/*.{js,htm}",
        "{index,about}*",
        "*",
    ],
)
def test_a_rule_that_lets_browsers_keep_a_document_is_refused_when_it_is_made(glob: str, cache: str) -> None:
    with pytest.raises(InvalidRules, match="would make browsers keep document"):
        rules(HeaderRule(glob=glob, cache=cache))


@pytest.mark.parametrize("cache", ["immutable", "max-age=1"])
@pytest.mark.parametrize("glob", ["docs/**", "docs/*", "d???/?.????"])
def test_a_document_below_a_folder_is_found_when_its_headers_are_asked_for(cache: str, glob: str) -> None:
    found = rules(HeaderRule(glob=glob, cache=cache))
    with pytest.raises(InvalidRules, match="would make browsers keep document"):
        found.headers_for("docs/a.html", ENTRY)


@pytest.mark.parametrize("glob", ["**/*.png", "fonts/*.woff2", "assets/{a,b}.js", "download/?.zip", "fonts/**"])
def test_other_rules_are_not_refused(glob: str) -> None:
    rules(HeaderRule(glob=glob, cache="immutable"))


def test_a_later_rule_can_take_documents_out() -> None:
    found = rules(HeaderRule(glob="**", cache="max-age=60"), HeaderRule(glob="**/*.{html,htm}", cache="no-store"))
    assert found.headers_for("a.html", ENTRY).cache_control == "no-store"
    assert found.headers_for("a.png", VERSIONED).cache_control == "public, max-age=60"
    with pytest.raises(InvalidRules, match=r"service worker 'sw\.js'"):
        found.headers_for("sw.js", VERSIONED)
    with pytest.raises(InvalidRules, match=r"web app manifest 'manifest\.json'"):
        found.headers_for("manifest.json", VERSIONED)


def test_an_entry_may_be_kept_for_a_while_and_never_for_ever() -> None:
    kept = rules(HeaderRule(glob="widget.js", cache="max-age=300"))
    assert kept.headers_for("widget.js", ENTRY).cache_control == "public, max-age=300"
    with pytest.raises(InvalidRules, match=r"entry 'widget\.js'"):
        rules(HeaderRule(glob="widget.js", cache="immutable")).headers_for("widget.js", ENTRY)


def test_a_document_stays_html() -> None:
    with pytest.raises(InvalidRules, match="must be text/html"):
        rules(HeaderRule(glob="**", content_type="text/plain"))
    rules(HeaderRule(glob="**/*.html", content_type="text/html; charset=utf-16"))


def test_presets_spare_what_is_hashed_and_what_must_be_asked_for() -> None:
    found = rules(HeaderRule(glob="fonts/x.woff2", cache="revalidate"), presets=tuple(PRESETS))
    assert found.headers_for("fonts/a.woff2", VERSIONED).cache_control == "public, max-age=86400"
    assert found.headers_for("fonts/x.woff2", VERSIONED).cache_control == "no-cache"
    assert found.headers_for("assets/a-B3x9aZ0q.woff2", SHARED).cache_control == IMMUTABLE
    assert found.headers_for("logo.svg", VERSIONED).cache_control == "public, max-age=3600"
    assert found.headers_for("downloads/a.pdf", VERSIONED).content_disposition == "attachment"
    with pytest.raises(InvalidRules, match="no header preset 'font'; there are fonts, images, downloads"):
        HeaderRules(presets=("font",))


@pytest.mark.parametrize(
    ("path", "is_map"),
    [("assets/a.js.map", True), ("a.css.map", True), ("a.mjs.map", True), ("a.wasm.map", True), ("level.map", False),
     ("a.js", False), ("a.js.map.txt", False)],
)  # fmt: skip
def test_source_maps_are_published_only_when_asked_for(path: str, is_map: bool) -> None:
    assert HeaderRules().publishes(path) is not is_map
    assert HeaderRules(source_maps=True).publishes(path)


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ({"glob": "/a", "cache": "revalidate"}, "paths have no leading slash"),
        ({"glob": "{a", "cache": "revalidate"}, "braces are for alternatives"),
        ({"glob": "a"}, "says nothing"),
        ({"cache": "revalidate"}, "a glob is needed"),
        ({"glob": "a", "cache": "forever"}, "cache 'forever' is unknown"),
        ({"glob": "a", "cache": "max-age=-1"}, "cache 'max-age=-1' is unknown"),
        ({"glob": "a", "cache": 5}, "texts"),
        ({"glob": "a", "contentType": "html"}, "content type 'html' is none"),
        ({"glob": "a", "contentType": "text/html\r\nx: y"}, "is none"),
        ({"glob": "a", "headers": {"x-frame-options": "DENY"}}, "response headers policy"),
        ({"glob": "a", "headers": {"Cache-Control": "x"}}, "use cache"),
        ({"glob": "a", "headers": {"content-language": "d\ne"}}, "printable ASCII"),
        ({"glob": "a", "headers": {"content-language": 1}}, "texts"),
        ({"glob": "a", "headers": []}, "texts"),
        ({"glob": "a", "Cache": "revalidate"}, "member 'Cache' is unknown; there are glob, cache"),
        ("a", "must be an object"),
    ],
)
def test_a_rule_that_can_never_work_is_refused(rule: object, complaint: str) -> None:
    with pytest.raises(InvalidRules, match=complaint):
        HeaderRules.from_json({"rules": [rule]})


@pytest.mark.parametrize("value", [[], {"rules": {}}, {"sourceMaps": "yes"}, {"presets": "fonts"}, {"rule": []}])
def test_what_is_no_set_of_rules_is_refused(value: object) -> None:
    with pytest.raises(InvalidRules, match="header rules"):
        HeaderRules.from_json(value)


GLOBS = st.lists(
    st.sampled_from(["**/", "**", "*", "?", "index", ".html", ".htm", ".js", "sw", "a", "/", "{a,b}", "docs/"]),
    min_size=1,
    max_size=5,
).map("".join)
ANY_RULE = st.builds(
    dict,
    glob=GLOBS.filter(lambda glob: not glob.startswith("/")),
    cache=st.sampled_from(["immutable", "revalidate", "no-store", "max-age=0", "max-age=60"]),
)
PATHS = st.lists(st.sampled_from(["index", "a", "b", "docs", "sw", "x.", "/", "."]), min_size=1, max_size=5).map(
    "".join
)


@given(st.lists(ANY_RULE, max_size=4), st.lists(st.sampled_from(sorted(PRESETS)), max_size=2), PATHS)
def test_no_rules_let_browsers_keep_a_document(
    given_rules: list[dict[str, str]], presets: list[str], stem: str
) -> None:
    for path in (f"{stem}.html", f"{stem}.htm", "sw.js", f"{stem}.webmanifest"):
        for cache_class in CacheClass:
            try:
                found = HeaderRules.from_json({"rules": given_rules, "presets": presets})
                headers = found.headers_for(path, cache_class)
            except InvalidRules:
                continue
            assert headers.cache_control in ("no-cache", "no-store", "public, max-age=0")


@given(st.lists(ANY_RULE, max_size=4), st.booleans())
def test_rules_survive_being_written(given_rules: list[dict[str, str]], source_maps: bool) -> None:
    try:
        found = HeaderRules.from_json({"rules": given_rules, "sourceMaps": source_maps, "presets": ["fonts"]})
    except InvalidRules:
        return
    assert HeaderRules.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert hash(found) == hash(HeaderRules.from_json(found.to_json()))
