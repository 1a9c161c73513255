"""What is found in documents, style sheets, scripts and manifests, and what it means."""

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.domain.references import Reference, ReferenceKind, Scan, resolve, site_url
from bluegreen_cdn.domain.references_css import scan_css
from bluegreen_cdn.domain.references_html import scan_html, srcset_targets
from bluegreen_cdn.domain.references_json import (
    scan_bundler_manifest,
    scan_import_map,
    scan_speculation_rules,
    scan_web_manifest,
)
from bluegreen_cdn.domain.references_script import scan_next_build_manifest, scan_script

LOAD, LAZY, LINK = ReferenceKind.LOAD, ReferenceKind.LAZY, ReferenceKind.LINK


def targets(scan: Scan, *kinds: ReferenceKind) -> list[str]:
    return [reference.target for reference in scan.references if not kinds or reference.kind in kinds]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<script src=a.js></script>", ["a.js"]),
        ("<SCRIPT SRC='a.js'></SCRIPT>", ["a.js"]),
        ('<img src="a.png?x=1&amp;y=2">', ["a.png?x=1&y=2"]),
        ("<img src=a.png src=b.png>", ["a.png"]),
        ("<img src=a.png?x=1&copy=2&para>", ["a.png?x=1&copy=2¶"]),
        ("<img alt='>' title=it's src=a.png>", ["a.png"]),
        ("<img src = 'a.png' / alt>", ["a.png"]),
        ("<img alt=x/ src=a.png/>", ["a.png/"]),
        ('<div data-html="<img src=no.png>"><img src=a.png>', ["a.png"]),
        ("<!DOCTYPE html><?xml <img src=no.png><img src=a.png>", ["a.png"]),
        ("<!--><img src=a.png><!-- > <img src=no.png> --!><img src=b.png>", ["a.png", "b.png"]),
        ("a < b <img src=a.png>", ["a.png"]),
        ("<script>'<img src=no.png>'</SCRIPT><img src=a.png>", ["a.png"]),
        ('<img src="">', []),
        ("<img srcset='a.png, b.png 2x'>", ["a.png", "b.png"]),
        ("<picture><source srcset='a.webp 1x' media=print><img src=a.jpg></picture>", ["a.webp", "a.jpg"]),
        ("<link rel=preload as=image imagesrcset='a.png 1x, b.png 2x' href=c.png>", ["c.png", "a.png", "b.png"]),
        ("<link rel='shortcut ICON' href=f.ico>", ["f.ico"]),
        ("<link rel=canonical href=/x><link rel=alternate href=/de><link rel=dns-prefetch href=//cdn.test>", []),
        ("<link rel='alternate stylesheet' href=dark.css>", ["dark.css"]),
        ("<meta http-equiv=refresh content='0; url=/x'><meta property=og:image content=/og.png>", []),
        ("<video poster=p.jpg src=v.mp4><track src=t.vtt></video>", ["v.mp4", "p.jpg", "t.vtt"]),
        ("<iframe src=/frame><img src=not-an-element.png></iframe>", ["/frame"]),
        ("<object data=o.svg></object><embed src=e.svg>", ["o.svg", "e.svg"]),
        ("<svg><use href='s.svg#a'/><image xlink:href=i.png /></svg>", ["s.svg#a", "i.png"]),
        ("<svg><title/><image href=i.png /></svg>", ["i.png"]),
        ("<p style='background:url(p.png)'>", ["p.png"]),
        ('<p style="background:url(&quot;p.png&quot;)">', ["p.png"]),
        ("<style>@import 'a.css';p{background:url(b.png)}</style>", ["a.css", "b.png"]),
        ("<!-- <img src=no.png> --><img src=a.png>", ["a.png"]),
        ("<textarea><img src=no.png></textarea><img src=a.png>", ["a.png"]),
        ("<title><img src=no.png></title><img src=a.png>", ["a.png"]),
        ("<template><img src='{{no}}.png'></template><img src=a.png>", ["a.png"]),
        ("<template><template></template><img src=no.png></template><img src=a.png>", ["a.png"]),
        ("<template shadowrootmode=open><img src=a.png></template>", ["a.png"]),
        ("<noscript><img src=a.png></noscript>", ["a.png"]),
        ("<script>const x = '<img src=no.png></p>'; import('./a.js')</script>", ["./a.js"]),
        ("<script type=module>import './a.js'</script>", ["./a.js"]),
        ("<script type=text/template>import './no.js'</script>", []),
        ('<script type=application/ld+json>{"image": "no.png"}</script>', []),
        ("<script type=module>import './no.js'", []),
        ('<script type=importmap>{"imports": {"a": "/a.js", "b/": "/b/"}}</script>', ["/a.js"]),
        ('<script type=speculationrules>{"prefetch": [{"urls": ["/next"]}]}</script>', ["/next"]),
        ("<a href=/checkout><area href=/map>", ["/checkout", "/map"]),
        ("<a href=/x><img src=a.png", ["/x"]),
    ],
)
def test_elements_of_a_document(html: str, expected: list[str]) -> None:
    assert targets(scan_html(html)) == expected


def test_what_a_browser_does_with_a_reference() -> None:
    kinds = {
        reference.target: reference.kind
        for reference in scan_html(
            "<link rel=manifest href=m><link rel=prefetch href=p.js><link rel=prefetch href=/page>"
            "<link rel=prerender href=r><iframe src=f></iframe><a href=a></a><img src=i>"
            "<script type=module>import './s.js'; import('./d.js')</script>"
        ).references
    }
    assert kinds == {
        "m": ReferenceKind.MANIFEST,
        "p.js": LAZY,
        "/page": LINK,
        "r": LINK,
        "f": ReferenceKind.FRAME,
        "a": LINK,
        "i": LOAD,
        "./s.js": LOAD,
        "./d.js": LAZY,
    }


def test_the_first_base_counts() -> None:
    assert scan_html("<base target=_top><base href=/app/><base href=/other/>").base == "/app/"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a.png", ("a.png",)),
        (" a.png 1x ,b.png 2x", ("a.png", "b.png")),
        ("a.png,b.png", ("a.png,b.png",)),
        ("a.png, b.png", ("a.png", "b.png")),
        ("a.png 1x,b.png 2x,", ("a.png", "b.png")),
        ("data:image/png;base64,AA== 1x, b.png", ("data:image/png;base64,AA==", "b.png")),
        ("w_1,h_2/a.png 100w, b.png calc(1,2)x, c.png", ("w_1,h_2/a.png", "b.png", "c.png")),
        (", ,", ()),
        ("", ()),
    ],
)
def test_srcset(value: str, expected: tuple[str, ...]) -> None:
    assert srcset_targets(value) == expected


@pytest.mark.parametrize(
    ("css", "expected"),
    [
        ("a{background:url(x.png)}", ["x.png"]),
        ("a{background:URL( 'x.png' )}", ["x.png"]),
        ('a{background:url("x (1).png")}', ["x (1).png"]),
        (r"a{background:url(x\ \(1\).png)}", ["x (1).png"]),
        (r"a{background:url('\66 oo.png')}", ["foo.png"]),
        ("a{background:url('x\\\ny.png')}", ["xy.png"]),
        ("@import 'a.css' layer(x) supports(display: grid);", ["a.css"]),
        ('@import url("a.css") print;', ["a.css"]),
        ("@IMPORT url(a.css);", ["a.css"]),
        ("/* url(no.png) @import 'no.css'; */ a{}", []),
        ("a::before{content:'url(no.png)'}", []),
        ("a[href='no.png']{color:red}", []),
        (r".bg-\[url\(no\.png\)\]{color:red}", []),
        (r".bg-\[url\(\'\/no\.png\'\)\]{background:url('/yes.png')}", ["/yes.png"]),
        (
            "a{background:image-set('a.png' 1x, url(b.png) 2x, 'c.avif' type('image/avif'))}",
            ["a.png", "b.png", "c.avif"],
        ),
        ("@namespace svg url(http://www.w3.org/2000/svg); @namespace 'x';", []),
        ("@font-face{src:local('no.ttf'),url(f.woff2) format('woff2')}", ["f.woff2"]),
        ("a{b:url(x.png", ["x.png"]),
        ("a{b:c('x' } d{background:url(x.png)}", ["x.png"]),
        ("a{content:'oops\n} b{background:url(x.png)}", ["x.png"]),
        ("a{fill:url(#gradient)}", ["#gradient"]),
        ("a{background:my-url(no.png)}", []),
        ("a{b:url('x.png') 'no.png'}", ["x.png"]),
        ("a{b:url('x.png' } d{content:'no.png'}", ["x.png"]),
        ("@import 'a.css' supports(x('no.css'));", ["a.css"]),
    ],
)
def test_style_sheets(css: str, expected: list[str]) -> None:
    assert targets(scan_css(css)) == expected


@given(st.text(min_size=1).map(str.strip).filter(lambda text: text and "\0" not in text))
def test_any_address_survives_the_escapes_of_css(address: str) -> None:
    escaped = "".join(c if c.isalnum() and c.isascii() else f"\\{ord(c):x} " for c in address)
    assert targets(scan_css(f"a{{background:url('{escaped}')}}")) == [address]
    assert targets(scan_css(f"a{{background:url({escaped})}}")) == [address]
    assert targets(scan_css(f'@import "{escaped}";')) == [address]


@pytest.mark.parametrize(
    ("script", "eager", "lazy"),
    [
        ('import"./a.js";import b from "./b.js";import{c as d}from"./c.js";import*as e from\'./e.js\'',
         ["./a.js", "./b.js", "./c.js", "./e.js"], []),
        ('import a,{b}from"/a.js";export*from"./b.js";export * as c from "./c.js";export{d as default}from"./d.js"',
         ["/a.js", "./b.js", "./c.js", "./d.js"], []),
        ('import{\n  a,\n  b,\n} from "./a.js"', ["./a.js"], []),
        ('const a=()=>import("./a.js");import(`./b.js`).then(c);import(/* webpackChunkName: "c" */ "./c.js")',
         [], ["./a.js", "./b.js", "./c.js"]),
        ('import("./a.json", {with: {type: "json"}})', [], ["./a.json"]),
        ('import"react";import("lodash");import x from"@scope/x";import "https://cdn.test/x.js"', [], []),
        ("import.meta.url;x.import('./no.js');important('./no.js');$import('./no.js')", [], []),
        ("import(`./pages/${name}.js`);import('./no/'+name)", [], []),
        ("\"import('./no.js')\";'import(\"./no.js\")';`import('./no.js')`", [], []),
        ("'it\\'s import(\"./no.js\")';import('./a.js')", [], ["./a.js"]),
        ("`a ${b(`c ${import('./a.js')} import('./no.js')`)} import('./no.js')`;import('./b.js')",
         [], ["./a.js", "./b.js"]),
        ("`${{a:{}}} import('./no.js')`", [], []),
        ("// import('./no.js')\n/* import('./no.js') */import('./a.js')", [], ["./a.js"]),
        ("x=/[`'\"/]/g;import('./a.js')", [], ["./a.js"]),
        ("return/'/.test(x)?import('./a.js'):'import(\"./no.js\")'", [], ["./a.js"]),
        ("if(x)/'/.test(y);import('./a.js')", [], ["./a.js"]),
        ("a=b/c;d='/';import('./a.js')", [], ["./a.js"]),
        ("a=(b)/2;c=d[0]/'import(\"./no.js\")'/e", [], []),
        ("a++/'/;import(\"./no.js\")/'", [], []),
        ("`${a({b:1})+import('./a.js')}`", [], ["./a.js"]),
        ("export{a as b};const from='./no.js';export default'./no.js'", [], []),
    ],
)  # fmt: skip
def test_imports(script: str, eager: list[str], lazy: list[str]) -> None:
    scan = scan_script(script)
    assert targets(scan, LOAD) == eager
    assert targets(scan, LAZY) == lazy


NOISE = [
    "'import(\"./decoy.js\")'",
    "\"import './decoy.js'\"",
    "`import './decoy.js'`",
    "`${a}import('./decoy.js')${b+`import('./decoy.js')`}`",
    "/* import('./decoy.js') */1",
    "// import('./decoy.js')\n1",
    "/import\\('.\\/decoy.js'\\)/.test(x)",
    "/[/'\"`]/u",
    "{a:1}",
    "b/c/d",
    "(e)/2",
    "'\\\\'",
    '"\\""',
    "`\\``",
    "[]/1",
]


@given(st.lists(st.one_of(st.sampled_from(NOISE), st.integers(0, 9)), max_size=12))
def test_imports_are_told_from_all_that_looks_like_them(pieces: list[str | int]) -> None:
    script = ";x=".join(piece if isinstance(piece, str) else f"import('./{piece}.js')" for piece in ["0", *pieces])
    expected = dict.fromkeys(f"./{piece}.js" for piece in pieces if isinstance(piece, int))
    assert targets(scan_script(script)) == list(expected)


WORDS = ["import", "export", "port", "im", "ex", "mport", " ", "*", "{a}", " from ", "(", ")", "'./a'", '"/b"', ";"]


@given(st.lists(st.sampled_from([*WORDS, *NOISE]), max_size=16).map("".join))
def test_the_quick_search_finds_no_less(script: str) -> None:
    assert set(scan_script(script).references) <= set(scan_script(script, certain=False).references)


@pytest.mark.parametrize("before", ["", "port", "mport;", "support", "\n", "import import ", "x import "])
@pytest.mark.parametrize("after", ["", "im", "ex", "port", ";import"])
@pytest.mark.parametrize("statement", ["import'./a.js'", "import('./a.js')", "export*from'./a.js'"])
def test_a_keyword_is_found_wherever_it_stands(before: str, statement: str, after: str) -> None:
    script = f"{before};{statement};{after}" if before.strip() else f"{before}{statement}{after}"
    assert [reference.target for reference in scan_script(script, certain=False).references] == ["./a.js"]


@pytest.mark.parametrize(
    "script",
    [
        'const __vite__mapDeps=(i,m=__vite__mapDeps,d=(m.f||(m.f=["assets/a.js","assets/b.css"])))=>i.map(i=>d[i]);',
        "function __vite__mapDeps(indexes) {\n  if (!__vite__mapDeps.viteFileDeps) {\n    "
        '__vite__mapDeps.viteFileDeps = ["assets/a.js", "assets/b.css"]\n  }\n}',
    ],
)
def test_vites_preload_lists(script: str) -> None:
    assert scan_script(script).references == (
        Reference("assets/a.js", LAZY, from_above=True),
        Reference("assets/b.css", LAZY, from_above=True),
    )


def test_nexts_build_manifest() -> None:
    script = (
        'self.__BUILD_MANIFEST=function(s){return{"/":["static\\u002Fchunks\\u002Fpages\\u002Findex-1a.js",s],'
        '"/b":["static/css/b.css"],sortedPages:["/","/b"]}}("static/chunks/s.js"),self.__BUILD_MANIFEST_CB&&1'
    )
    assert targets(scan_next_build_manifest(script)) == [
        "../../static/chunks/pages/index-1a.js",
        "../../static/css/b.css",
        "../../static/chunks/s.js",
    ]


def test_a_web_app_manifest() -> None:
    manifest = {
        "start_url": ".",
        "icons": [{"src": "a.png"}, {}, 3],
        "screenshots": [{"src": "s.png"}],
        "shortcuts": [{"url": "/new", "icons": [{"src": "n.png"}]}],
        "related_applications": [{"url": "https://elsewhere.test"}],
    }
    scan = scan_web_manifest("\ufeff" + json.dumps(manifest))
    assert targets(scan, LAZY) == ["a.png", "s.png", "n.png"]
    assert targets(scan, LINK) == [".", "/new"]


def test_import_maps_and_speculation_rules() -> None:
    scan = scan_import_map('{"imports":{"a":"./a.js","b":"bare","c/":"/c/"},"scopes":{"/s/":{"d":"../d.js","e":null}}}')
    assert targets(scan) == ["./a.js", "../d.js"]
    rules = '{"prefetch":[{"urls":["/a"]},{"where":{"href_matches":"/*"}}],"prerender":[{"urls":["/b",1]}]}'
    assert targets(scan_speculation_rules(rules), LINK) == ["/a", "/b"]


@pytest.mark.parametrize(
    ("path", "manifest", "expected"),
    [
        (
            ".vite/manifest.json",
            {"index.html": {"file": "assets/i.js", "css": ["assets/i.css"], "imports": ["_s.js"]},
             "_s.js": {"file": "assets/[s] 1.js", "assets": ["assets/s.svg"]}},
            ["../assets/i.js", "../assets/i.css", "../assets/%5Bs%5D%201.js", "../assets/s.svg"],
        ),
        ("manifest.json", {"a.js": {"file": "assets/a.js"}}, ["assets/a.js"]),
        (
            "asset-manifest.json",
            {"files": {"main.js": "/static/js/main.1a.js", "main.js.map": "/static/js/main.1a.js.map"},
             "entrypoints": ["static/js/main.1a.js"]},
            ["/static/js/main.1a.js"],
        ),
        ("stats.json", {"assets": [{"name": "a.js?x"}, {"name": "../server.js"}, {"name": "a.js.map"}]}, ["a.js"]),
        ("manifest.json", {"main.js": "/main.1a.js", "main.css": "https://cdn.test/main.css"},
         ["/main.1a.js", "https://cdn.test/main.css"]),
        (
            "build-manifest.json",
            {"pages": {"/": ["static/a.js"]}, "rootMainFiles": ["static/m.js"], "polyfillFiles": ["static/p.js"]},
            ["_next/static/a.js", "_next/static/m.js", "_next/static/p.js"],
        ),
        ("_next/build-manifest.json", {"pages": {"/": ["static/a.js"]}, "rootMainFiles": []}, ["static/a.js"]),
        ("manifest.json", {"name": "Shop", "short_name": "Shop", "icons": [{"src": "no.png"}]}, []),
        ("manifest.json", {"greeting": "Hello."}, []),
        ("manifest.json", {"version.app": "1.2.3", "built.at": 5}, []),
        ("manifest.json", {}, []),
        ("manifest.json", ["a.js"], []),
    ],
)  # fmt: skip
def test_what_bundlers_say_they_wrote(path: str, manifest: object, expected: list[str]) -> None:
    assert targets(scan_bundler_manifest(path, json.dumps(manifest))) == expected


@pytest.mark.parametrize(
    ("target", "base", "url"),
    [
        ("./b.js", "/assets/a.js", "/assets/b.js"),
        (" ../b.js\n", "/assets/a.js", "/b.js"),
        ("../../../b.js", "/assets/a.js", "/b.js"),
        ("/b.js?v=1#x", "/assets/a.js", "/b.js"),
        ("?q", "/page.html", "/page.html"),
        (".", "/app/site.webmanifest", "/app/"),
        ("a\tb.js", "/", "/ab.js"),
        ("\\img\\a.png", "/x/", "/img/a.png"),
        ("a.js", "/app/", "/app/a.js"),
        ("http://site.invalid.example/", "/", None),
        ("https://other.test/b.js", "/", None),
        ("//other.test/b.js", "/", None),
        ("\\\\other.test/b.js", "/", None),
        ("data:text/css,x", "/", None),
        ("MAILTO:a@b.test", "/", None),
        ("tel:1", "/", None),
        ("javascript:void(0)", "/", None),
        ("//[", "/", None),
        ("#gradient", "/", None),
        ("  ", "/", None),
        ("a.js", "https://cdn.test/", None),
        ("/a.js", "https://cdn.test/", None),
    ],
)
def test_the_address_that_is_asked_for(target: str, base: str, url: str | None) -> None:
    assert site_url(target, base) == url


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="/", min_codepoint=0x20), min_size=1).filter(
            lambda name: name not in (".", "..")
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_file_name_is_found_by_its_encoded_address(segments: list[str]) -> None:
    path = "/".join(segments)
    assert resolve("/" + quote(path), base="/somewhere/else.html") == path
    assert resolve("../" + quote(path), base="/somewhere/else.html") == path


@given(st.one_of(st.text(), st.text("<>/=\"'`(){}[];:,@\\*!-$ \nabimportexurlsyc."), st.text('{}[]":,manifestfile.js')))
def test_no_text_breaks_a_scanner(text: str) -> None:
    scans = [scan_html(text), scan_css(text), scan_script(text), scan_web_manifest(text), scan_import_map(text)]
    scans += [
        scan_speculation_rules(text),
        scan_bundler_manifest("manifest.json", text),
        scan_next_build_manifest(text),
    ]
    for scan in scans:
        for reference in scan.references:
            site_url(reference.target, "/a/b.html")


@pytest.mark.parametrize(
    "text", ["import" * 50_000, "import{a," * 20_000, "url(" * 50_000, "a" * 200_000, "<a " * 50_000, "`${" * 50_000,
             "/*" * 50_000, "((((" * 50_000, "__vite__mapDeps=[" * 5_000, "import/**/" * 20_000],
)  # fmt: skip
def test_hostile_texts_take_no_longer_than_others(text: str) -> None:
    for scan in (scan_html, scan_css, scan_script):
        scan(text)
