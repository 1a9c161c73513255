import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.local.rehearsal.references import resolve, resolve_literal, scan_css, scan_html, scan_script

DOCUMENT = """<!doctype html><html><head>
<script src="/_bluegreen/client.js"></script>
<link rel="stylesheet" href="/assets/index-DgE-Sg6W.css">
<link rel="modulepreload" crossorigin href="./assets/react-Db-_YT-E.js">
<link rel="icon" href="/favicon.svg"><link rel="canonical" href="/elsewhere">
<link rel="dns-prefetch" href="//cdn.test">
<style>@import "print.css"; body { background: url(/paper.png) }</style>
<script type="module">import "/assets/boot-11112222.js"; import("./later-33334444.js")</script>
</head><body style="background:url('/inline.png')"><img src="a.png" srcset="a-2x.png 2x, a-3x.png 3x">
<a href="/checkout">x</a>
<video poster="/poster.jpg"><source src="/film.mp4"></video><img src="data:image/gif;base64,R0lG"></body></html>"""


def test_a_document_names_what_browsers_load_and_not_what_they_link_to() -> None:
    found = scan_html(DOCUMENT)
    assert set(found.eager) == {
        "/_bluegreen/client.js",
        "/assets/index-DgE-Sg6W.css",
        "./assets/react-Db-_YT-E.js",
        "/favicon.svg",
        "print.css",
        "/paper.png",
        "/assets/boot-11112222.js",
        "/inline.png",
        "a.png",
        "a-2x.png",
        "a-3x.png",
        "/poster.jpg",
        "/film.mp4",
        "data:image/gif;base64,R0lG",
    }
    assert found.lazy == ("./later-33334444.js",)


def test_a_base_element_is_reported() -> None:
    assert scan_html('<base href="/app/"><base href="/other/">').base == "/app/"


def test_css_urls_in_every_notation_and_none_from_comments() -> None:
    css = """@import url("a.css"); @import 'b.css'; /* url(no.png) */
    @font-face { src: url(x.woff2) format("woff2"), url('y.woff') } a { background: URL( "/logo.svg" ) }"""
    assert set(scan_css(css).eager) == {"a.css", "b.css", "x.woff2", "y.woff", "/logo.svg"}


def test_static_imports_are_eager_and_dynamic_ones_lazy() -> None:
    script = (
        'import{a as b}from"./react-Db-_YT-E.js";import"./side-12345678.js";export*from"./re-12345678.js";'
        'const m=()=>import("./checkout-oV_emKFX.js");const l=()=>import(/* @vite-ignore */"./x-87654321.js");'
        "const __vite__mapDeps=(i,m=__vite__mapDeps,d=(m.f||(m.f="
        '["assets/checkout-oV_emKFX.js","assets/c-BQfGHPf7.css"])))=>1;'
        'const img="/assets/lantern-BV6KQzV5.svg";fetch("/locales/en.json")'
    )
    found = scan_script(script)
    assert found.eager == ("./react-Db-_YT-E.js", "./side-12345678.js", "./re-12345678.js")
    assert set(found.lazy) == {
        "./checkout-oV_emKFX.js",
        "./x-87654321.js",
        "assets/checkout-oV_emKFX.js",
        "assets/c-BQfGHPf7.css",
        "/assets/lantern-BV6KQzV5.svg",
        "/locales/en.json",
    }


@pytest.mark.parametrize(
    ("reference", "base", "path"),
    [
        ("./b.js", "/assets/a.js", "assets/b.js"),
        ("../b.js", "/assets/a.js", "b.js"),
        ("/b.js?v=1#x", "/assets/a.js", "b.js"),
        ("caf%C3%A9.png", "/", "café.png"),
        ("https://other.test/b.js", "/", None),
        ("//other.test/b.js", "/", None),
        ("data:text/css,x", "/", None),
        ("#gradient", "/", None),
        ("", "/", None),
        ("/", "/x", None),
    ],
)
def test_references_become_paths_of_this_site_or_nothing(reference: str, base: str, path: str | None) -> None:
    assert resolve(reference, base=base) == path


def test_a_literal_is_what_exists_next_to_the_script_or_below_the_root() -> None:
    known = {"assets/a.js", "assets/b.js", "c.js"}
    assert resolve_literal("./b.js", base="/assets/a.js", known=known) == "assets/b.js"
    assert resolve_literal("assets/b.js", base="/assets/a.js", known=known) == "assets/b.js"
    assert resolve_literal("none.js", base="/assets/a.js", known=known) is None


@given(st.text())
def test_no_text_breaks_the_scanners(text: str) -> None:
    for scan in (scan_html, scan_css, scan_script):
        for reference in (*scan(text).eager, *scan(text).lazy):
            resolve(reference, base="/")
