"""Whether a build has everything its documents lead to."""

import json
from collections.abc import Callable, Mapping
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen_cdn.domain import closure as closure_module
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.closure import Closure, Dangling, Settled, find_closure, is_read, settle
from bluegreen_cdn.domain.references_script import scan_script
from bluegreen_cdn.domain.requests import DocumentMode
from bluegreen_cdn.errors import InvalidRules

SPA, DIRECTORY, HTML = DocumentMode.SPA, DocumentMode.DIRECTORY, DocumentMode.HTML


def closure(
    files: Mapping[str, str | None],
    mode: DocumentMode = SPA,
    *,
    build_id: str | None = None,
    allow: tuple[str, ...] = (),
    rules: ClassificationRules | None = None,
    known: Callable[[str], Settled | None] | None = None,
) -> Closure:
    return find_closure(
        files.keys(),
        files.__getitem__,
        rules=rules or ClassificationRules.default(),
        mode=mode,
        build_id=build_id,
        allow_missing=allow,
        known=known,
    )


def missing(files: Mapping[str, str | None], mode: DocumentMode = SPA, *, allow: tuple[str, ...] = ()) -> list[str]:
    return [dangling.path for dangling in closure(files, mode, allow=allow).missing]


SHOP = {
    "index.html": '<link rel=manifest href=/app.json><script type=module src="/assets/index-B3x9aZ0q.js"></script>'
    "<a href=/checkout>buy</a><script src=/_bluegreen/client.js></script>",
    "app.json": '{"icons": [{"src": "icon.png"}], "start_url": "/?pwa"}',
    "icon.png": None,
    "assets/index-B3x9aZ0q.js": 'import"./react-Db-_YT-E.js";const d=(m.f=["assets/cart-Dk3fP0_x.js"]);'
    'import("./cart-Dk3fP0_x.js")',
    "assets/react-Db-_YT-E.js": "const __vite__mapDeps=(i,m=__vite__mapDeps,d=(m.f||(m.f="
    '["assets/c-AAAAAAA1.css"])))=>1',
    "assets/cart-Dk3fP0_x.js": "export default 1",
    "assets/c-AAAAAAA1.css": "a{background:url(./bg-AAAAAAA2.png)}",
    "assets/bg-AAAAAAA2.png": None,
}


def test_a_whole_build_lacks_nothing() -> None:
    found = closure(SHOP)
    assert (found.missing, found.elsewhere, found.allowed, found.unread) == ((), (), (), ())
    assert found.scanned == 6


@pytest.mark.parametrize("path", [path for path in SHOP if path != "index.html"])
def test_every_file_is_missed_when_it_is_not_there(path: str) -> None:
    assert missing({name: text for name, text in SHOP.items() if name != path}) == [path]


def test_referrer_and_target_are_told() -> None:
    files = {"index.html": "<img src=./a.png><img src=/a.png>", "b/index.html": "<img src=../a.png>"}
    assert closure(files).missing == (
        Dangling("b/index.html", "../a.png", "a.png"),
        Dangling("index.html", "./a.png", "a.png"),
        Dangling("index.html", "/a.png", "a.png"),
    )


@pytest.mark.parametrize(
    ("mode", "link", "path"),
    [
        (SPA, "/checkout", None),
        (SPA, "checkout/step/2?x#y", None),
        (SPA, "/brochure.pdf", "brochure.pdf"),
        (SPA, "/terms.html", "terms.html"),
        (DIRECTORY, "/about", None),
        (DIRECTORY, "/about/", None),
        (DIRECTORY, "about/index.html", None),
        (DIRECTORY, "/", None),
        (DIRECTORY, "/team", "team/index.html"),
        (HTML, "/faq", None),
        (HTML, "/faq/", None),
        (HTML, "/team", "team.html"),
        (HTML, "/shared", "shared.html"),
    ],
)
def test_a_link_is_what_the_edge_makes_of_it(mode: DocumentMode, link: str, path: str | None) -> None:
    files = {"index.html": f"<a href='{link}'>x</a>", "about/index.html": "", "faq.html": ""}
    assert missing(files, mode) == ([path] if path else [])


def test_a_frame_is_a_document_and_an_image_is_none() -> None:
    assert missing({"index.html": "<iframe src=/embed></iframe><img src=/avatar>"}) == ["avatar"]


def test_what_a_document_does_not_load_may_be_missing() -> None:
    document = (
        "<a href=mailto:a@b.test></a><a href='#top'></a><a href=tel:1></a><img src=data:image/png,x>"
        "<img src=https://cdn.test/a.png><script src=//cdn.test/x.js></script><link rel=canonical href=/x.html>"
        "<a href='javascript:void(0)'></a><a href=blob:x></a>"
    )
    assert missing({"index.html": document}) == []


def test_a_base_moves_all_references() -> None:
    assert missing({"index.html": "<base href=/app/><img src=a.png>", "app/a.png": None}) == []
    assert missing({"index.html": "<base href=https://cdn.test/><img src=a.png><img src=/b.png>"}) == []
    assert missing({"b/index.html": "<base href=../><img src=a.png>", "index.html": "<img src=/b.png>"}) == [
        "a.png",
        "b.png",
    ]


def test_the_same_address_means_another_file_under_another_base() -> None:
    files = {"a.html": "<base href=https://cdn.test/><img src=/x.png>", "b.html": "<img src=/x.png>"}
    assert closure(files).missing == (Dangling("b.html", "/x.png", "x.png"),)


def test_an_address_of_a_query_alone_means_the_document_or_its_base() -> None:
    files = {"a.html": "<base href=/no.html><a href=?q></a>", "b.html": "<a href=?q></a>"}
    assert closure(files).missing == (Dangling("a.html", "?q", "no.html"),)


def test_a_preload_list_is_relative_to_the_script_or_to_a_folder_above() -> None:
    files = {
        "app/index.html": "<script type=module src=assets/a.js></script>",
        "app/assets/a.js": '__vite__mapDeps.viteFileDeps=["assets/b.js","./c.js","d.js","assets/no.js"]',
        "app/assets/b.js": "",
        "app/assets/c.js": "",
        "d.js": "",
    }
    assert missing(files, DIRECTORY) == ["assets/no.js"]


def test_names_are_compared_decoded() -> None:
    files = {"index.html": "<img src='caf%C3%A9 [1].png'><img src=%zz.png>", "café [1].png": None}
    assert missing(files) == ["%zz.png"]


@pytest.mark.parametrize(
    ("target", "is_elsewhere"),
    [
        ("/_bluegreen/client.js", False),
        ("/_bluegreen/client.mjs", False),
        ("/_bluegreen/release.json", False),
        ("/_bluegreen/other.js", True),
        ("/shared/assets/a-AAAAAAA1.js", True),
        ("/manifests/one.json", True),
        ("/builds/other/logo.png", True),
        ("/builds/other/assets/a-AAAAAAA1.js", True),
        ("/builds/mine/index.html", True),
        ("/builds/mine/logo.png", False),
        ("/builds/mine/assets/a-AAAAAAA1.js", False),
        ("https://cdn.test/shared/a.js", False),
    ],
)
def test_paths_that_the_edge_keeps_for_itself_are_told_of(target: str, is_elsewhere: bool) -> None:
    files = {"index.html": f"<script src={target}></script>", "logo.png": None, "assets/a-AAAAAAA1.js": ""}
    found = closure(files, build_id="mine")
    assert found.missing == ()
    assert [dangling.target for dangling in found.elsewhere] == ([target] if is_elsewhere else [])


def test_a_build_with_a_public_path_of_its_own_lacks_what_is_not_there() -> None:
    found = closure({"index.html": "<script src=/builds/mine/a.js></script>"}, build_id="mine")
    assert [dangling.path for dangling in found.missing] == ["a.js"]


def test_what_may_be_missing() -> None:
    files = {"index.html": "<a href=/api/login></a><img src=/api/a.png><img src=b.png>"}
    assert missing(files, DIRECTORY) == ["api/login/index.html", "api/a.png", "b.png"]
    assert missing(files, DIRECTORY, allow=("api/**",)) == ["b.png"]
    assert missing(files, DIRECTORY, allow=("/api/login", "*.png")) == ["api/a.png"]
    assert missing(files, DIRECTORY, allow=("api/login/index.html", "api", "png")) == ["api/a.png", "b.png"]
    with pytest.raises(InvalidRules, match="glob '' in allow_missing"):
        closure(files, allow=("",))


def test_what_is_allowed_is_told() -> None:
    found = closure({"index.html": "<img src=a.png>"}, allow=("a.*",))
    assert found.allowed == (Dangling("index.html", "a.png", "a.png"),)


def test_bundler_manifests_are_followed_though_nothing_refers_to_them() -> None:
    files = {
        "index.html": "",
        ".vite/manifest.json": json.dumps({"a.js": {"file": "assets/a.js", "dynamicImports": ["b.js"]}}),
        "_next/static/xyz/_buildManifest.js": '{"/":["static/chunks/p.js"]}',
        "assets/a.js": 'import("./b.js")',
    }
    assert missing(files) == ["_next/static/chunks/p.js", "assets/b.js"]


def test_scripts_that_no_document_runs_are_not_read() -> None:
    files = {
        "index.html": "<a href=source.js>source</a>",
        "source.js": "import './no.js'",
        "orphan.js": "import './no.js'",
        "orphan.css": "a{b:url(no.png)}",
    }
    assert missing(files) == []
    assert missing(files | {"index.html": "<a href=source.js>x</a><script src=source.js></script>"}) == ["no.js"]


def test_an_entry_that_is_a_script_is_read() -> None:
    rules = ClassificationRules.preset("vite", entries=["widget.js"])
    found = closure({"widget.js": "import('./assets/a.js')"}, rules=rules)
    assert [dangling.path for dangling in found.missing] == ["assets/a.js"]


def test_circles_end_and_what_cannot_be_read_is_told() -> None:
    files = {
        "index.html": "<script src=a.js></script><script src=b.js></script>",
        "a.js": "import './a.js'",
        "b.js": None,
    }
    found = closure(files)
    assert found.missing == ()
    assert found.unread == ("b.js",)


NAMES = st.text("ab é%'[+&", min_size=1, max_size=4).map(lambda name: name.strip() or "x")


@st.composite
def sites(draw: st.DrawFn) -> tuple[dict[str, str | None], dict[str, set[str]]]:
    """A build in which every file exists that is referred to, and who refers to whom."""
    folders = draw(st.lists(st.sampled_from(["", "a/", "a/b/", "assets/"]), min_size=1, max_size=6))
    kinds = draw(st.lists(st.sampled_from(["html", "css", "js", "png"]), min_size=len(folders), max_size=len(folders)))
    paths = ["index.html"]
    for number, (folder, kind) in enumerate(zip(folders, kinds, strict=True)):
        paths.append(f"{folder}{draw(NAMES)}{number}.{kind}")
    graph: dict[str, set[str]] = {path: set() for path in paths}
    files: dict[str, str | None] = {}
    for path in paths:
        text = ""
        for other in draw(st.lists(st.sampled_from(paths), max_size=4)):
            depth = path.count("/")
            absolute = draw(st.booleans())
            target = ("/" if absolute else "../" * depth or "./") + quote(other, safe="/")
            form = draw(st.sampled_from(forms(path, other)))
            if form:
                graph[path].add(other)
                text += form.replace("§", target)
        files[path] = None if path.endswith("png") else text
    return files, graph


def forms(path: str, other: str) -> list[str]:
    """Ways in which one kind of file refers to another, all of which make a browser load it as what it is."""
    ends = {"html": ".html", "css": ".css", "js": ".js", "png": ".png"}
    kind = next(kind for kind, end in ends.items() if other.endswith(end))
    if path.endswith(".html"):
        return {
            "html": ['<a href="§">', "<iframe src=§></iframe>"],
            "css": ["<link rel=stylesheet href='§'>", '<style>@import "§";</style>'],
            "js": ['<script src="§"></script>', "<script type=module>import('§')</script>"],
            "png": ["<img src=§>", "<img srcset='§ 1x, § 2x'>", "<p style='background:url(\"§\")'>"],
        }[kind]
    if path.endswith(".css"):
        return {"css": ['@import "§";'], "png": ['a{b:url("§")}', "a{b:url( '§' )}"]}.get(kind, [""])
    if path.endswith(".js"):
        return ['import "§";', "const a=()=>import('§');"] if kind == "js" else [""]
    return [""]


@given(sites(), st.data())
def test_exactly_what_can_be_reached_is_missed(
    site: tuple[dict[str, str | None], dict[str, set[str]]], data: st.DataObject
) -> None:
    files, graph = site
    assert missing(files) == []
    lost = data.draw(st.sampled_from(sorted(files)))
    left = {path: text for path, text in files.items() if path != lost}
    reached: set[str] = set()
    waiting = [path for path in left if path.endswith(".html")]
    while waiting:
        path = waiting.pop()
        if path not in reached:
            reached.add(path)
            waiting += graph[path] - {lost}
    expected = {(path, lost) for path in reached if lost in graph[path]}
    assert {(dangling.referrer, dangling.path) for dangling in closure(left).missing} == expected


TARGETS = st.sampled_from(
    [
        *(
            "/a.js",
            "./a.js",
            "a.js",
            "../a.js",
            "../../a.js",
            "x/../a.js",
            "/x/a.js",
            "./y/b.css",
            "b.css?v=1",
            "#a.js",
        ),
        *("/shared/a.js", "/builds/one/a.js", "/_bluegreen/client.js", "/_bluegreen/x.js", "/.well-known/x.js"),
        *("/index.html", "x/", "..", "/x/y", "//x/a.js", "http://site.invalid/a.js", "%61.js", "a b.js", "ä.js"),
        *("/assets/a-B3x9aZ0q.js", "#a.js"),
    ]
)
PLACES = st.sampled_from(
    [
        *(
            "a.js",
            "b.css",
            "x/a.js",
            "x/y/b.css",
            "x/index.html",
            "x/y.html",
            "assets/a-B3x9aZ0q.js",
            "ä.js",
            "x/ä/c.js",
        ),
        *("shared/a.js", "_bluegreen/x.js", ".well-known/x.js", "a b.js", "builds/one/a.js"),
    ]
)


@settings(max_examples=150)
@given(st.data(), st.sampled_from([SPA, DIRECTORY, HTML]))
def test_the_short_ways_lead_to_the_same(data: st.DataObject, mode: DocumentMode) -> None:
    def text(path: str) -> str:
        targets = data.draw(st.lists(TARGETS, max_size=3))
        if path.endswith(".html"):
            base = data.draw(st.sampled_from(["", "<base href=/x/>", "<base href=http://site.invalid/x/y/>"]))
            return base + "".join(f"<script src='{target}'></script><a href='{target}'></a>" for target in targets)
        if path.endswith(".css"):
            return "".join(f"@import '{target}';" for target in targets)
        listed = ",".join(f'"{target}"' for target in targets)
        some = "".join(f"{data.draw(st.sampled_from(['', '// ']))}import('{target}')\n" for target in targets)
        return f"{some}__vite__mapDeps=(i,m=__vite__mapDeps,d=(m.f||(m.f=[{listed}])))=>1"

    files = {path: text(path) for path in sorted({"index.html", *data.draw(st.sets(PLACES, min_size=1))})}
    allow = data.draw(st.sampled_from([(), ("**/a.js",)]))
    known = {path: settle(path, text) for path, text in files.items() if is_read(path) and data.draw(st.booleans())}
    quickly = closure(files, mode, build_id="one", allow=allow)
    ahead = closure(files, mode, build_id="one", allow=allow, known=known.get)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(closure_module, "_plain_path", lambda *_: None)
        patch.setattr(closure_module, "_scan_script_quickly", scan_script)
        slowly = closure(files, mode, build_id="one", allow=allow)
    same = ("missing", "elsewhere", "allowed", "unread")
    assert [getattr(quickly, name) for name in same] == [getattr(slowly, name) for name in same]
    assert [getattr(ahead, name) for name in same] == [getattr(slowly, name) for name in same]
    assert quickly.scanned == ahead.scanned >= slowly.scanned


@pytest.mark.parametrize("name", ["app.webmanifest", "manifest.json"])
def test_what_is_known_of_a_file_is_what_it_is_when_a_page_loads_it(name: str) -> None:
    said = {"index.html": f"<link rel=manifest href=/{name}>", name: '{"icons": [{"src": "gone.png"}]}'}
    known = {path: settle(path, text) for path, text in said.items()}
    assert [dangling.path for dangling in closure(said, known=known.get).missing] == ["gone.png"]


def test_what_only_looks_like_an_import_is_told_apart_where_it_matters() -> None:
    said = {"index.html": "<script src=a.js></script>", "a.js": "t='import(\"./b.js\")'"}
    assert missing(said) == []
    assert missing({**said, "b.js": "import('./gone.js')"}) == []
    assert missing({**said, "a.js": "import('./b.js')", "b.js": "import('./gone.js')"}) == ["gone.js"]
