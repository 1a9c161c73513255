"""The page runner does to a page what a browser does, as far as a release can be judged by it."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from bluegreen_cdn.local.rehearsal import page_runner

from .conftest import Answer, Site, Sites, Visitors

NOTE = "window.notes = []; window.note = (text) => { notes.push(text); document.title = notes.join(' '); };"
LISTEN = """
const named = (target) => (target === window ? 'E:' : 'R:' + target.localName);
addEventListener('error', (event) => note(named(event.target) + (event.message ?? '')), true);
addEventListener('unhandledrejection', (event) => note('U:' + event.reason.name + ':' + event.reason.message));
"""

# Waits for a page, looks every 10 ms, and stands still for a while after a second.
WAITING = """
const { Patience } = await import(process.argv[1]);
let now = 0;
Date.now = () => now;
const patience = new Patience(4000, 10000);
while (!patience.over) now += now === 1000 ? 10 + Number(process.argv[2]) : 10;
console.log(now);
"""


def page(head: str = "", body: str = "text") -> str:
    head = f"<script>{NOTE}{LISTEN}</script>{head}"
    return f"<!doctype html><html data-build=b1><head>{head}</head><body>{body}</body></html>"


def test_scripts_run_in_the_order_of_a_browser(site: Site, visitors: Visitors) -> None:
    site.serve(
        {
            "/": page(
                """<script>addEventListener('DOMContentLoaded', () => note('ready'))</script>
                <script>addEventListener('load', () => note('load'))</script>
                <script type=module src=/module.js></script><script defer src=/deferred.js></script>
                <script src=/classic.js></script><script>note('inline')</script>
                <script type=module>note('inline-module')</script>
                <script nomodule>note('never')</script>"""
            ),
            "/module.js": "note('module:' + document.readyState + ':' + (document.currentScript === null))",
            "/deferred.js": "note('deferred')",
            "/classic.js": "note('classic:' + document.currentScript.getAttribute('src'))",
        }
    )
    report = visitors.visit(f"{site.address}/")
    expected = "classic:/classic.js inline module:loading:true deferred inline-module ready load"
    assert report["title"].replace("interactive", "loading") == expected
    assert report["ok"]
    assert report["build"] == "b1"


@pytest.mark.parametrize(
    ("head", "seen"),
    [
        ("<script src=/gone.js></script>", "R:script"),
        ("<script type=module src=/gone.js></script>", "R:script"),
        ("<script type=module src=/page></script>", "R:script"),
        ("<script type=module>import '/gone.js'</script>", "R:script"),
        ("<link rel=stylesheet href=/gone.css>", "R:link"),
        ("<link rel=stylesheet href=/page>", "R:link"),
        ("<link rel=modulepreload href=/gone.js>", "R:link"),
        ("<link rel=preload as=script href=/gone.js>", "R:link"),
        ("<script>new Image().src = '/gone.png'</script>", ""),
        ("<script>document.head.append(new Image()); document.images[0].src = '/gone.png'</script>", "R:img"),
        ("<script>throw new RangeError('thrown')</script>", "E:thrown"),
        ("<script>nothing.there</script>", "E:nothing is not defined"),
        ("<script>this is no script</script>", "E:Unexpected identifier 'is'"),
        ("<script type=module>throw new RangeError('thrown')</script>", "E:thrown"),
        ("<script type=module>import 'bare'</script>", 'E:Failed to resolve module specifier "bare"'),
        ("<script>setTimeout(() => { throw new Error('later') }, 30)</script>", "E:later"),
        ("<script>reportError(new TypeError('reported'))</script>", "E:reported"),
        ("<script>Promise.reject(new Error('nobody'))</script>", "U:Error:nobody"),
        ("<script>(async () => { null.x })()</script>", "U:TypeError:Cannot read properties of null (reading 'x')"),
        ("<script>fetch('http://127.0.0.1:9/')</script>", "U:TypeError:Failed to fetch"),
        ("<script>fetch('/page').then((answer) => answer.json())</script>", "U:SyntaxError:"),
        ("<script type=module>await Promise.reject(new Error('top'))</script>", "E:top"),
    ],
)
def test_what_goes_wrong_is_seen_by_the_page(site: Site, visitors: Visitors, head: str, seen: str) -> None:
    site.serve({"/": page(head), "/page": page()})
    report = visitors.visit(f"{site.address}/")
    assert report["title"].startswith(seen)
    assert bool(report["title"]) == bool(seen), report["title"]
    assert not report["ok"]
    assert report["rendered"]


def test_a_lazy_chunk_that_is_gone_rejects_as_in_a_browser(site: Site, visitors: Visitors) -> None:
    site.serve({"/": page("<script>import('/lazy.js')</script>")})
    report = visitors.visit(f"{site.address}/")
    assert report["title"] == f"U:TypeError:Failed to fetch dynamically imported module: {site.address}/lazy.js"
    assert report["requests"][1]["kind"] == "module"
    assert report["requests"][1]["status"] == 404
    assert report["errors"][0]["type"] == "unhandledrejection"


def test_a_document_in_place_of_a_lazy_chunk_is_refused(site: Site, visitors: Visitors) -> None:
    site.serve({"/": page("<script>import('/lazy')</script>"), "/lazy": page()})
    assert "Failed to fetch dynamically imported module" in visitors.visit(f"{site.address}/")["title"]


def test_a_chunk_of_a_classic_bundle(site: Site, visitors: Visitors) -> None:
    site.serve(
        {
            "/": page("<script src=/main.js></script>"),
            "/main.js": """const chunk = document.createElement('script');
                chunk.src = '/chunk.js';
                chunk.onload = () => note(self.chunk.map(([id]) => id).join());
                document.head.appendChild(chunk);""",
            "/chunk.js": "(self.chunk = self.chunk || []).push([[42], {}])",
        }
    )
    assert visitors.visit(f"{site.address}/")["title"] == "42"


def test_modules_share_what_they_share(site: Site, visitors: Visitors) -> None:
    """Cycles, a diamond, and the same module asked for from many places at once run once."""
    site.serve(
        {
            "/": page(
                "<script type=module>await Promise.all(['/a.js', '/b.js', '/a.js'].map((x) => import(x)));"
                "note('end')</script>"
            ),
            "/a.js": "import { c } from './c.js'; import './b.js'; note('a' + c); export const a = 1",
            "/b.js": "import { c } from './c.js'; import './a.js'; note('b' + c)",
            "/c.js": "note('c'); export const c = (await Promise.resolve(7))",
        }
    )
    report = visitors.visit(f"{site.address}/")
    assert report["ok"], report
    assert sorted(report["title"].split()) == ["a7", "b7", "c", "end"]
    assert sorted(site.paths()) == ["/", "/a.js", "/b.js", "/c.js"]


def test_import_maps_urls_and_json(site: Site, visitors: Visitors) -> None:
    site.serve(
        {
            "/": page(
                """<script type=importmap>{"imports": {"lib": "/lib.js", "parts/": "/deep/"}}</script>
                <script type=module>
                import { where } from 'lib';
                import { part } from 'parts/one.js';
                import data from './d.json' with { type: 'json' };
                note(where); note(part); note(data.x)</script>"""
            ),
            "/lib.js": "export const where = new URL('./here', import.meta.url).pathname",
            "/deep/one.js": "export const part = import.meta.resolve('./two.js').replace(location.origin, '')",
            "/d.json": '{"x": 3}',
        }
    )
    assert visitors.visit(f"{site.address}/")["title"] == "/here /deep/two.js 3"


def test_everything_a_page_refers_to_is_fetched(site: Site, visitors: Visitors) -> None:
    site.serve(
        {
            "/": page(
                "<link rel=icon href=/i.svg><link rel=stylesheet href=/s.css>",
                "text<img src=/p.png><p style='background: url(/in.png)'>",
            ),
            "/s.css": "@import '/more.css'; @font-face {src: url(/f.woff2) format('woff2'), url(/f.woff)}"
            "p {background: url('/b.png')}",
            "/more.css": "p {color: red}",
        }
        | {path: Answer(b"x") for path in ("/i.svg", "/p.png", "/in.png", "/b.png", "/f.woff2")}
    )
    report = visitors.visit(f"{site.address}/")
    kinds = {request["url"].removeprefix(site.address): request["kind"] for request in report["requests"]}
    assert kinds == {
        "/": "document", "/s.css": "style", "/more.css": "style", "/i.svg": "icon",
        "/p.png": "image", "/in.png": "image", "/b.png": "image", "/f.woff2": "font",
    }  # fmt: skip
    assert report["ok"]


def test_cookies(site: Site, visitors: Visitors) -> None:
    kept = "__Host-kept=1; Secure; HttpOnly; SameSite=Lax; Path=/"
    cookies = f"{kept}\n__Host-refused=1; Path=/\nplain=2\nold=x; Max-Age=0"
    script = "<script>document.cookie = 'own=5'; fetch('/data').then(() => note(document.cookie))</script>"
    site.serve({"/": Answer(page(script), headers={"set-cookie": cookies}), "/data": "{}"})
    report = visitors.visit(f"{site.address}/", cookies={"given": "0", "old": "y"})
    assert report["cookies"] == {"given": "0", "__Host-kept": "1", "plain": "2", "own": "5"}
    assert report["title"] == "plain=2; own=5"
    assert [asked.headers["cookie"] for asked in site.asked] == [
        "given=0; old=y",
        "given=0; __Host-kept=1; plain=2; own=5",
    ]


def test_what_the_edge_is_told(site: Site, visitors: Visitors) -> None:
    site.serve({"/": page("<script type=module src=/m.js></script>"), "/m.js": ""})
    visitors.visit(f"{site.address}/", viewer_ip="127.1.2.3", location="eu-west-1", user_agent="Tester/1")
    document, module = site.asked
    assert document.headers["sec-fetch-dest"] == "document"
    assert "text/html" in document.headers["accept"]
    assert (module.headers["sec-fetch-dest"], module.headers["accept"]) == ("script", "*/*")
    assert module.headers["referer"] == f"{site.address}/"
    for asked in site.asked:
        assert asked.headers["x-bluegreen-sim-viewer-ip"] == "127.1.2.3"
        assert asked.headers["x-bluegreen-sim-location"] == "eu-west-1"
        assert asked.headers["user-agent"] == "Tester/1"


def test_server_timing_reaches_the_script(site: Site, visitors: Visitors) -> None:
    timing = {"server-timing": 'cdn-cache;desc=HIT, bluegreen;desc="b1~abc~x-y_z", edge;dur=2.5'}
    site.serve(
        {
            "/": Answer(
                page(
                    """<script src=/w.js></script><script>
                    const token = (entry) => entry.serverTiming.find(({name}) => name === 'bluegreen').description;
                    const [navigation] = performance.getEntriesByType('navigation');
                    note(token(navigation)); note(navigation.type); note(navigation.serverTiming[2].duration);
                    const seen = (entry) => note(entry.initiatorType + token(entry));
                    new PerformanceObserver((list) => list.getEntries().forEach(seen))
                        .observe({type: 'resource', buffered: true});
                    addEventListener('load', () => setTimeout(() => note(navigation.loadEventEnd > 0)))</script>"""
                ),
                headers=timing,
            ),
            "/w.js": Answer("", headers={"server-timing": "bluegreen;desc=script"}),
        }
    )
    noted = visitors.visit(f"{site.address}/")["title"].split()
    assert set(noted) == {"b1~abc~x-y_z", "navigate", "2.5", "scriptscript", "true"}


@pytest.mark.parametrize(
    ("script", "method"),
    [
        ("fetch('/beacon?n=' + notes.length, {keepalive: true})", "GET"),
        ("navigator.sendBeacon('/beacon?n=' + notes.length, 'x')", "POST"),
        ("new Image().src = '/beacon?n=' + notes.length", "GET"),
    ],
)
@pytest.mark.parametrize("event", ["pagehide", "visibilitychange"])
def test_a_page_has_a_last_word(site: Site, visitors: Visitors, script: str, method: str, event: str) -> None:
    listening = f"addEventListener('{event}', () => {{ {script} }})"
    site.serve({"/": page(f"<script>{listening}; note('x')</script>"), "/beacon": Answer(status=204)})
    visitors.visit(f"{site.address}/")
    assert [(asked.method, asked.path) for asked in site.asked][1:] == [(method, "/beacon?n=1")]


@pytest.mark.parametrize(
    "action",
    [
        {"click": "a"},
        {"navigate": "/next"},
        {"evaluate": "location.href = '/next'"},
        {"evaluate": "location.assign('/next')"},
    ],
)
def test_leaving_for_another_document(site: Site, visitors: Visitors, action: dict[str, Any]) -> None:
    site.serve(
        {
            "/": page("<script>localStorage.x = 1</script>", "<a href=/next>on</a>"),
            "/next": page("<script>note(localStorage.x + document.referrer)</script>"),
        }
    )
    report = visitors.visit(f"{site.address}/", action)
    assert [document["url"] for document in report["documents"]] == [f"{site.address}/", f"{site.address}/next"]
    assert report["title"].startswith("1")


def test_a_click_that_the_page_handles_stays(site: Site, visitors: Visitors) -> None:
    handler = "(event) => { event.preventDefault(); history.pushState(0, '', '/next') }"
    site.serve(
        {"/": page(body=f"<a href=/next>on</a><script>document.querySelector('a').onclick = {handler}</script>")}
    )
    report = visitors.visit(f"{site.address}/", {"click": "a"})
    assert (report["url"], len(report["documents"])) == (f"{site.address}/next", 1)


def test_endless_reloading_ends(site: Site, visitors: Visitors) -> None:
    site.serve({"/": page("<script>location.reload()</script>")})
    report = visitors.visit(f"{site.address}/")
    assert "more than 20 documents" in report["failures"][0]


def test_the_cache_of_a_browser(site: Site, visitors: Visitors) -> None:
    """Immutable files are asked for once, others are revalidated."""
    site.serve(
        {
            "/": Answer(page("<script src=/a.js></script>"), headers={"cache-control": "no-cache", "etag": '"1"'}),
            "/a.js": Answer("note('ran')", headers={"cache-control": "public, max-age=31536000, immutable"}),
        }
    )
    report = visitors.visit(f"{site.address}/", {"navigate": "/"})
    assert [(request["url"].removeprefix(site.address), request["status"]) for request in report["requests"]] == [
        ("/", 200), ("/a.js", 200), ("/", 304),
    ]  # fmt: skip
    assert report["title"] == "ran"
    assert report["ok"]


@pytest.mark.parametrize(("header", "seen"), [({}, "R:script"), ({"access-control-allow-origin": "*"}, "widget")])
def test_modules_of_another_origin_need_its_consent(
    sites: Sites, site: Site, visitors: Visitors, header: dict[str, str], seen: str
) -> None:
    other = sites.site(f"other-{seen[0].lower()}")
    other.serve({"/w.js": Answer("note('widget')", headers=header)})
    site.serve({"/": page(f"<script type=module src={other.address}/w.js></script>")})
    assert visitors.visit(f"{site.address}/", cookies={"secret": "1"})["title"] == seen
    assert "cookie" not in other.asked[0].headers
    assert other.asked[0].headers["origin"] == site.address


def test_nobody_outside_this_machine_is_asked(site: Site, visitors: Visitors) -> None:
    site.serve({"/": page("<script src=https://cdn.example.com/a.js></script><script>note('after')</script>")})
    report = visitors.visit(f"{site.address}/")
    assert report["external"] == ["https://cdn.example.com/a.js"]
    assert report["title"] == "after"
    assert report["ok"]


def test_a_tab_that_stays_open(site: Site, visitors: Visitors) -> None:
    site.serve({"/": page(), "/lazy.js": "note('lazy')"})
    first = visitors.visit(f"{site.address}/", tab="t", keep_open=True)
    second = visitors.go_on("t", {"evaluate": "import('/lazy.js')"}, keep_open=True)
    assert (first["open"], second["open"]) == (True, True)
    assert [request["url"] for request in second["requests"]] == [f"{site.address}/lazy.js"]
    assert second["title"] == "lazy"
    assert not visitors.go_on("t")["open"]
    assert "session t is not open" in visitors.go_on("t")["failures"][0]


@pytest.mark.parametrize(
    ("url", "action", "failure"),
    [
        ("https://example.com/", {"wait": 1}, "is not on this machine"),
        ("shop", {"wait": 1}, "is not an absolute address"),
        ("http://127.0.0.1:9/", {"wait": 1}, "did not load"),
        (None, {"click": ".gone"}, "no element matches .gone"),
        (None, {"waitFor": ".gone", "ms": 30}, "nothing matched .gone within 30 ms"),
        (None, {"fly": 1}, "unknown action"),
    ],
)
def test_what_cannot_be_done_is_said(
    site: Site, visitors: Visitors, url: str | None, action: dict[str, Any], failure: str
) -> None:
    site.serve({"/": page()})
    report = visitors.visit(url or f"{site.address}/", action)
    assert not report["ok"]
    assert failure in report["failures"][0]


def test_a_document_that_is_an_error_is_not_fine(site: Site, visitors: Visitors) -> None:
    site.serve({"/": Answer(page(), status=503)})
    report = visitors.visit(f"{site.address}/")
    assert (report["ok"], report["failedRequests"], report["documents"][0]["status"]) == (False, 1, 503)


@pytest.mark.slow
def test_a_page_that_hangs_does_not_stop_the_others(site: Site, visitors: Visitors) -> None:
    site.serve({"/": page(), "/hangs": page("<script>while (true);</script>")})
    assert "E:Script execution timed out" in visitors.visit(f"{site.address}/hangs")["title"]
    report = visitors.visit(f"{site.address}/", {"evaluate": "setTimeout(() => { while (true); }, 1)"}, {"wait": 100})
    assert report["failures"] == ["a page kept its process busy without an end"]
    assert visitors.visit(f"{site.address}/")["ok"]


@pytest.mark.parametrize(("stalled", "end"), [(0, 4_000), (200, 4_000), (5_000, 9_010), (7_000, 10_000)])
def test_time_in_which_the_machine_stood_still_is_not_waited_for_a_page(stalled: int, end: int) -> None:
    module = Path(page_runner.__file__).with_name("patience.mjs").as_uri()
    command = ["node", "--input-type=module", "--eval", WAITING, module, str(stalled)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) == end


@pytest.mark.parametrize(
    ("script", "noted"),
    [
        ("note(document.body instanceof SVGAElement)", "false"),
        ("addEventListener('click', ({which, detail}) => note(`${which}${detail}`))", "11"),
        (
            "const c = new MessageChannel(); c.port2.onmessage = ({data}) => note(data.x); c.port1.postMessage({x: 5})",
            "5",
        ),
        ("document.body.animate([], 5).finished.then(() => note('finished'))", "finished"),
        ("new IntersectionObserver(([entry]) => note(entry.isIntersecting)).observe(document.body)", "true"),
        ("new Worker('/gone.js').onerror = () => 0; note(new WebSocket('ws://x').readyState)", "0"),
        ("requestIdleCallback(() => note(matchMedia('(x)').matches))", "false"),
        ("new Image().src = 'https://example.com/x.png'; note(document.body.innerText)", "text"),
        ("document.fonts.ready.then(() => note(CSS.escape('a.b')))", "a\\.b"),
    ],
)
def test_what_jsdom_lacks_is_there(site: Site, visitors: Visitors, script: str, noted: str) -> None:
    site.serve({"/": page(body=f"text<script>{script}</script>"), "/gone.js": ""})
    report = visitors.visit(f"{site.address}/", {"click": "body"})
    assert report["ok"], report
    assert report["title"] == noted
