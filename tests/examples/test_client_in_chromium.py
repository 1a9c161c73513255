"""The client scripts in a real browser: what a tab reports and keeps, and how it learns of a newer release."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from bluegreen_cdn.edge_code import edge_handler_path, render_client

from .conftest import SLOW_SECONDS, TOKEN, Answer, Site, Sites, Visitors, reported

pytestmark = pytest.mark.browser

TIMING = {"server-timing": f'bluegreen;desc="{TOKEN}"'}
BUILD = TOKEN.split("~")[0]
FAILING = "<script>throw new Error('broken')</script>"
LISTENING = """<script type="module">
    import { onNewRelease } from '/_bluegreen/client.mjs';
    window.told = [];
    window.stop = onNewRelease((build) => window.told.push(build), { minutes: 0.001 });
</script>"""


def with_client(site: Site, body: str, tag: str = '<script src="/_bluegreen/client.js"></script>') -> None:
    scripts = {
        f"/_bluegreen/{name}": Answer(render_client((edge_handler_path() / name).read_text()))
        for name in ("client.js", "client.mjs")
    }
    site.serve({**scripts, "/_bluegreen/beacon": Answer(status=204), "/": Answer(tag + body, headers=TIMING)})


def releases(site: Site, *, stable: str, following: str, build: str | None = None) -> None:
    answer = {"stable": stable, "next": following, "build": build, "newer": following != build}
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    site.serve({"/_bluegreen/release.json": Answer(json.dumps(answer), headers=headers)})


def look(page: Any, site: Site, times: int = 1, path: str = "/") -> int:
    """Load a page; gives how many of the loads may have been slow ones."""
    slow = 0
    for _ in range(times):
        began = time.monotonic()
        page.goto(f"{site.address}{path}", wait_until="load")
        slow += time.monotonic() - began > SLOW_SECONDS
        page.wait_for_timeout(500)
    return slow


def until(page: Any, condition: Callable[[], bool]) -> None:
    """Let the page go on until something is true of what its site was asked."""
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        page.wait_for_timeout(50)


def reports(page: Any, site: Site, slow: int = 0, **expected: int) -> bool:
    """Whether so much is reported in the end, and not more; of slow loads, `slow` at most."""

    def as_expected() -> bool:
        sums = reported(site)
        return {name: sums[name] for name in expected} == expected

    until(page, as_expected)
    page.wait_for_timeout(500)
    return as_expected() and reported(site)["s"] <= slow


def test_a_tab_reports_its_failure_once_however_often_it_is_reloaded(site: Site, chromium: Any) -> None:
    with_client(site, FAILING)
    page = chromium.new_page()
    slow = look(page, site, times=3)
    assert reports(page, site, slow, l=1, e=1, a=0), site.paths()
    page = chromium.new_context().new_page()
    slow += look(page, site)
    assert reports(page, site, slow, l=2, e=2, a=0), site.paths()


def test_a_tab_that_is_well_reports_every_page(site: Site, chromium: Any) -> None:
    with_client(site, "<p>well")
    page = chromium.new_page()
    slow = look(page, site, times=3)
    assert reports(page, site, slow, l=3, e=0, a=0), site.paths()


@pytest.mark.parametrize(("rate", "loads"), [("0", 0), ("1", 2)])
def test_the_tag_says_the_rate(site: Site, chromium: Any, rate: str, loads: int) -> None:
    with_client(site, "<p>well", f'<script src="/_bluegreen/client.js" data-rate="{rate}"></script>')
    page = chromium.new_page()
    slow = look(page, site, times=2)
    assert reports(page, site, slow, l=loads), site.paths()


def test_as_a_module_it_reports_the_same(site: Site, chromium: Any) -> None:
    start = "<script type=module>import { start } from '/_bluegreen/client.mjs'; start({ rate: 1 });</script>"
    with_client(site, "<p>well", start)
    page = chromium.new_page()
    slow = look(page, site)
    assert reports(page, site, slow, l=1), site.paths()


def test_a_sandboxed_page_without_storage_is_counted_and_left_in_peace(site: Site, sites: Sites, chromium: Any) -> None:
    with_client(site, FAILING)
    outer = sites.site("outer")
    outer.serve({"/": f'<iframe sandbox="allow-scripts" src="{site.address}/"></iframe>'})
    page = chromium.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    slow = look(page, outer, times=2)
    assert set(errors) <= {"broken"}
    # An opaque origin is not the site's own, so nothing is kept and the error's file is what tells that it is ours.
    assert reports(page, site, slow, l=2), site.paths()


@pytest.mark.parametrize("as_module", [True, False])
def test_embedded_in_another_sites_page_it_speaks_for_its_own_origin(
    site: Site, sites: Sites, chromium: Any, as_module: bool
) -> None:
    """The widget fails on the first page, the host's own script on both: two pages, one failure."""
    site.asked.clear()
    with_client(site, "")
    shared = {"access-control-allow-origin": "*"}
    for path in ("/_bluegreen/client.js", "/_bluegreen/client.mjs"):
        site.serve({path: Answer(site.answers[path].body, headers=shared)})
    entry = {**shared, **TIMING, "timing-allow-origin": "*"}
    site.serve({"/widget.js": Answer("if (location.search) throw new Error('widget');", headers=entry)})
    client = f'<script src="{site.address}/_bluegreen/client.js"></script>'
    if as_module:
        source = f"import {{ start }} from '{site.address}/_bluegreen/client.mjs'; start();"
        client = f"<script type=module>{source}</script>"
    host = sites.site(f"host-{'module' if as_module else 'classic'}")
    embedded = f'<script type=module crossorigin src="{site.address}/widget.js"></script>'
    host.serve({"/": f"{client}{embedded}<script type=module>throw new Error('the host page')</script>"})
    page = chromium.new_page()
    slow = look(page, host, path="/?broken") + look(page, host)
    assert reports(page, site, slow, l=2, e=1, a=0), site.paths()
    assert page.evaluate("Object.keys(sessionStorage).length") == 0
    assert not [path for path in host.paths() if "_bluegreen" in path]


def wait_for(page: Any, condition: str) -> None:
    page.wait_for_function(condition, timeout=20_000)


def test_a_page_is_told_of_a_newer_release_once(site: Site, chromium: Any) -> None:
    with_client(site, LISTENING)
    releases(site, stable=BUILD, following=BUILD, build=BUILD)
    page = chromium.new_page()
    look(page, site)
    assert page.evaluate("window.told") == []
    releases(site, stable="build-2", following="build-2", build=BUILD)
    wait_for(page, "window.told.length > 0")
    page.wait_for_timeout(400)
    assert page.evaluate("window.told") == ["build-2"]
    releases(site, stable="build-3", following="build-3", build=BUILD)
    wait_for(page, "window.told.length > 1")
    assert page.evaluate("window.told") == ["build-2", "build-3"]
    page.evaluate("window.stop()")
    # What was under way may still arrive; a page that goes on asks several times in every one of these pauses.
    counts = [len(site.paths())]
    for _ in range(10):
        page.wait_for_timeout(400)
        counts.append(len(site.paths()))
        if counts[-1] == counts[-2]:
            break
    assert counts[-1] == counts[-2], "ended means ended"


@pytest.mark.parametrize(
    ("stable", "following", "last", "why"),
    [
        ("build-0", BUILD, BUILD, "its own build is the candidate, and a reload would bring it again"),
        (BUILD, "build-2", BUILD, "a reload would bring the candidate, which is not stable"),
        (BUILD, BUILD, "build-2", "another tab is of another build; this page is of the stable one"),
    ],
)
def test_a_page_is_not_told_when(site: Site, chromium: Any, stable: str, following: str, last: str, why: str) -> None:
    with_client(site, LISTENING)
    releases(site, stable=stable, following=following, build=last)
    page = chromium.new_page()
    look(page, site)
    until(page, lambda: site.paths().count("/_bluegreen/release.json") > 2)
    assert site.paths().count("/_bluegreen/release.json") > 2
    assert page.evaluate("window.told") == [], why


@pytest.mark.parametrize("answer", [Answer("no", 503), Answer("<html>", 200), Answer("null", 200)])
def test_an_answer_that_is_none_is_asked_for_again(site: Site, chromium: Any, answer: Answer) -> None:
    with_client(site, LISTENING)
    site.serve({"/_bluegreen/release.json": answer})
    page = chromium.new_page()
    errors: list[object] = []
    page.on("pageerror", lambda error: errors.append(error))
    look(page, site)
    releases(site, stable="build-2", following="build-2")
    wait_for(page, "window.told.length > 0")
    assert errors == []


@pytest.mark.parametrize("storefront", ["first"], indirect=True)
def test_the_storefront_offers_to_reload_when_somebody_comes_back(storefront: Site, chromium: Any) -> None:
    client = (edge_handler_path() / "client.mjs").read_text()
    storefront.serve({"/_bluegreen/client.mjs": Answer(client, headers={"content-type": "text/javascript"})})
    releases(storefront, stable="build-2", following="build-2", build=BUILD)
    page = chromium.new_page()
    page.goto(f"{storefront.address}/", wait_until="networkidle")
    assert "/_bluegreen/client.mjs" not in storefront.paths()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_selector(".newer button", timeout=20_000)
    before = storefront.paths().count("/")
    page.click(".newer button")
    until(page, lambda: storefront.paths().count("/") > before)
    page.wait_for_load_state("networkidle")
    assert storefront.paths().count("/") == before + 1
    storefront.answers.pop("/_bluegreen/client.mjs")


def test_the_page_runner_hears_of_a_newer_release_as_chromium_does(site: Site, visitors: Visitors) -> None:
    with_client(site, LISTENING.replace("window.told.push(build)", "document.body.dataset.told = build") + "<p>well")
    releases(site, stable="build-2", following="build-2", build=BUILD)
    end = time.monotonic() + 20
    report = visitors.visit(f"{site.address}/")
    while "/_bluegreen/release.json" not in site.paths() and time.monotonic() < end:
        time.sleep(0.05)
    assert report["ok"], report
    assert "/_bluegreen/release.json" in site.paths()
