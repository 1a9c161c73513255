"""What a path and its headers ask for, by document mode."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.requests import DocumentMode, Plan, plan_request
from bluegreen_cdn.errors import InvalidRules

RULES = ClassificationRules.preset("vite", entries=("widget.js", "embed"))
SPA, DIRECTORY, HTML = DocumentMode


def asked(uri: str, mode: DocumentMode = SPA, accept: str | None = "text/html", dest: str | None = "document"):
    planned = plan_request(uri, RULES, mode, accept=accept, fetch_destination=dest)
    return planned.plan, planned.uri


@pytest.mark.parametrize(
    ("uri", "spa", "directory", "html"),
    [
        ("/", "/index.html", "/index.html", "/index.html"),
        ("/about", "/index.html", "/about/index.html", "/about.html"),
        ("/about/", "/index.html", "/about/index.html", "/about.html"),
        ("/a/b//", "/index.html", "/a/b/index.html", "/a/b.html"),
        ("/v1.2/notes", "/index.html", "/v1.2/notes/index.html", "/v1.2/notes.html"),
        ("/about.html", "/about.html", "/about.html", "/about.html"),
        ("/embed", "/embed", "/embed", "/embed"),
        ("/shared/with-me", "/index.html", "/shared/with-me/index.html", "/shared/with-me.html"),
        ("/builds/7", "/index.html", "/builds/7/index.html", "/builds/7.html"),
        ("/assets/list", "/index.html", "/assets/list/index.html", "/assets/list.html"),
    ],
)
def test_documents_by_mode(uri: str, spa: str, directory: str, html: str) -> None:
    found = [asked(uri, mode) for mode in DocumentMode]
    assert found == [(Plan.ENTRY, spa), (Plan.ENTRY, directory), (Plan.ENTRY, html)]


@pytest.mark.parametrize("mode", DocumentMode)
@pytest.mark.parametrize(
    ("uri", "accept", "dest"),
    [
        ("/missing.js", "*/*", "script"),
        ("/missing.js", "text/html", "document"),
        ("/users/jane.doe", "text/html", "document"),
        ("/avatar", "image/avif,image/webp,*/*", "image"),
        ("/font", "*/*", "font"),
        ("/api/cart", "application/json", "empty"),
        ("/api/cart", "application/json", None),
        ("/.well-known/apple-app-site-association", "*/*", None),
        ("/.env", "text/html", "document"),
    ],
)
def test_what_wants_no_html_never_becomes_a_document(
    uri: str, accept: str, dest: str | None, mode: DocumentMode
) -> None:
    assert asked(uri, mode, accept, dest) == (Plan.FILE, uri)


@pytest.mark.parametrize(("accept", "dest"), [(None, None), ("*/*", None), ("*/*", ""), ("text/html", "empty")])
def test_old_browsers_crawlers_and_scripts_that_ask_for_html_get_documents(accept: str, dest: str | None) -> None:
    assert asked("/about", SPA, accept, dest) == (Plan.ENTRY, "/index.html")


def test_a_fetch_of_anything_gets_documents_only_where_paths_name_them() -> None:
    assert asked("/about", SPA, "*/*", "empty") == (Plan.FILE, "/about")
    assert asked("/about", DIRECTORY, "*/*", "empty") == (Plan.ENTRY, "/about/index.html")
    assert asked("/", SPA, "*/*", "empty") == (Plan.ENTRY, "/index.html")


@pytest.mark.parametrize(
    ("uri", "plan"),
    [
        ("/shared/assets/index-B3x9aZ0q.js", Plan.MISSING),
        ("/manifests/b1.json", Plan.MISSING),
        ("/%73hared/x.js", Plan.MISSING),
        ("/manifests%2Fb1.json", Plan.MISSING),
        ("/builds/b1/index.html", Plan.MISSING),
        ("/builds/b1/widget.js", Plan.MISSING),
        ("/builds/-x/a.png", Plan.MISSING),
        ("/builds/b1/a.png", Plan.BUILT),
        ("/builds/b1/assets/index-B3x9aZ0q.js", Plan.SHARED),
        ("/assets/../manifests/b1.json", Plan.MALFORMED),
        ("/assets/%2e%2e/b1.json", Plan.MALFORMED),
        ("/assets/%2e%2e%2fmanifests%2fb1.json", Plan.MALFORMED),
        ("/%252e%252e/x.js", Plan.FILE),
        ("/a%00.js", Plan.MALFORMED),
        ("/a%5c..%5cb.js", Plan.MALFORMED),
        ("/%c0%ae.js", Plan.MALFORMED),
        ("/%", Plan.MALFORMED),
        ("//assets/index-B3x9aZ0q.js", Plan.FILE),
        ("/_bluegreen/beacon", Plan.INTERNAL),
    ],
)
def test_paths_that_try(uri: str, plan: Plan) -> None:
    assert asked(uri, SPA, "*/*", "script")[0] is plan


@pytest.mark.parametrize(
    ("uri", "goes_on_as"),
    [
        ("/a+b.png", "/a%2Bb.png"),
        ("/a%2bb.png", "/a%2Bb.png"),
        ("/[x]/y.png", "/%5Bx%5D/y.png"),
        ("/%5bx%5d/y.png", "/%5Bx%5D/y.png"),
        ("/ü.png", "/%C3%BC.png"),
        ("/@scope/(a)/~b!*'.png", "/@scope/(a)/~b!*'.png"),
        ("/%41.png", "/A.png"),
        ("/😀.png", "/%F0%9F%98%80.png"),
        ("/100%25.png", "/100%25.png"),
        ("/a%2Fb.png", "/a/b.png"),
    ],
)
def test_a_file_has_one_spelling(uri: str, goes_on_as: str) -> None:
    assert asked(uri, dest="image") == (Plan.FILE, goes_on_as)


@given(st.text(max_size=60))
def test_the_path_that_goes_on_means_the_same_when_read_again(path: str) -> None:
    once = plan_request("/" + path, RULES, SPA, accept="image/png")
    if once.plan is Plan.FILE:
        assert plan_request(once.uri, RULES, SPA, accept="image/png") == once
        assert once.uri.isascii()


def test_long_paths_are_no_trouble() -> None:
    assert asked("/" + "a/" * 4000 + "x.png", dest="image")[0] is Plan.FILE
    for part in ("a-", "ab-", "a1", "A.", "20", "-"):
        assert asked("/assets/" + part * 3500 + "x!.png", dest="image")[0] is Plan.FILE
        assert asked("/assets/" + part * 300 + "x!.png", dest="image")[0] is Plan.FILE


def test_an_unknown_mode_is_named() -> None:
    with pytest.raises(InvalidRules, match="no document mode 'mpa'; there are spa, directory, html"):
        DocumentMode.parse("mpa")
