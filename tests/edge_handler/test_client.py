"""What the client metrics script counts; the tests of the examples run it in real pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import quickjs

from bluegreen_cdn.edge_code import edge_handler_path, render_client

PAGE, WIDGET = "https://shop.example", "https://widget.example"
TOKEN = "b1~s44we8~RctzRNrf6GUi8FxGLYYi7M"
TIMING = [{"name": "cdn", "description": ""}, {"name": "bluegreen", "description": TOKEN}]
OWN = {"navigation": [{"name": f"{PAGE}/some/page?private=1", "serverTiming": TIMING, "loadEventStart": 900}]}
EMBEDDED = {
    "navigation": [{"name": f"{PAGE}/", "serverTiming": [{"name": "bluegreen", "description": "the host page's"}]}],
    "resource": [
        {"name": f"{PAGE}/app.js", "duration": 9000},
        {"name": f"{WIDGET}/widget.js", "serverTiming": TIMING, "duration": 80},
    ],
}


class Browser:
    """A page that has loaded the script."""

    def __init__(
        self,
        entries: dict[str, Any],
        *,
        script: str | None = f"{PAGE}/_bluegreen/client.js",
        rate: str | None = None,
        remembered: dict[str, str] | None = None,
    ) -> None:
        self.context = quickjs.Context()
        given = {"PAGE": PAGE, "SCRIPT": script, "ENTRIES": entries, "RATE": rate, "REMEMBERED": remembered}
        for name, value in given.items():
            self.context.eval(f"var {name} = {json.dumps(value)};")
        self.context.eval((Path(__file__).parent / "browser.js").read_text())
        self.context.eval(render_client((edge_handler_path() / "client.js").read_text()))

    def remembers(self) -> dict[str, str]:
        """What the tab keeps."""
        kept: dict[str, str] = json.loads(self.context.eval("JSON.stringify(sessionStorage)"))
        return kept

    def fire(self, event: str, value: str = "{}") -> None:
        self.context.eval(f"fire({json.dumps(event)}, {value})")

    def error(self, file: str | None = f"{PAGE}/assets/index-B3x9aZ0q.js", message: str = "x is undefined") -> None:
        error = json.dumps({"message": message, "stack": f"at {file}:1:2"} if file else None)
        self.fire("error", f"{{target: window, error: {error}, filename: {json.dumps(file or '')}}}")

    def element(self, **values: str) -> None:
        self.fire("error", f"{{target: {json.dumps(values)}}}")

    def reports(self) -> list[dict[str, str]]:
        """The beacons so far; time passes until there are no more."""
        self.context.eval("tick()")
        sent = json.loads(self.context.eval("JSON.stringify(sent)"))
        for url, options in sent:
            assert urlsplit(url).path == "/_bluegreen/beacon"
            assert options == {"keepalive": True, "mode": "no-cors", "credentials": "omit"}
            assert "private" not in url
        return [dict(parse_qsl(urlsplit(url).query)) for url, _ in sent]


def counts(**more: int) -> dict[str, str]:
    return {"t": TOKEN, **{name: str(more.get(name, 0)) for name in "leas"}}


def test_a_page_that_is_well_reports_itself_once() -> None:
    page = Browser(OWN)
    assert page.reports() == []
    page.fire("load")
    assert page.reports() == [counts(l=1)]
    page.fire("pagehide")
    assert len(page.reports()) == 1


def test_errors_before_the_page_is_loaded_go_with_it() -> None:
    page = Browser(OWN)
    page.error()
    page.fire("load")
    assert page.reports() == [counts(l=1, e=1)]


def test_a_page_with_many_errors_is_one_page_with_errors() -> None:
    page = Browser(OWN)
    page.fire("load")
    page.reports()
    for _ in range(5):
        page.error()
    assert page.reports() == [counts(l=1), counts(e=1)]
    page.error()
    page.fire("pagehide")
    assert len(page.reports()) == 2


def test_leaving_early_reports_what_there_is() -> None:
    page = Browser(OWN)
    page.error()
    page.fire("pagehide")
    assert page.reports() == [counts(l=1, e=1)]


@pytest.mark.parametrize(
    ("element", "failed"),
    [
        ({"tagName": "SCRIPT", "src": f"{PAGE}/assets/a-B3x9aZ0q.js"}, 1),
        ({"tagName": "LINK", "rel": "stylesheet", "href": f"{PAGE}/assets/a.css"}, 1),
        ({"tagName": "LINK", "rel": "modulepreload", "href": f"{PAGE}/assets/a.js"}, 1),
        ({"tagName": "LINK", "rel": "icon", "href": f"{PAGE}/favicon.ico"}, 0),
        ({"tagName": "IMG", "src": f"{PAGE}/a.png"}, 0),
        ({"tagName": "SCRIPT", "src": "https://ads.example/ad.js"}, 0),
        ({"tagName": "SCRIPT", "src": f"{PAGE}.evil.example/a.js"}, 0),
    ],
)
def test_failed_assets(element: dict[str, str], failed: int) -> None:
    page = Browser(OWN)
    page.element(**element)
    page.fire("load")
    assert page.reports() == [counts(l=1, a=failed)]


@pytest.mark.parametrize(
    "message",
    [
        "Failed to fetch dynamically imported module: https://shop.example/assets/cart-B3x9aZ0q.js",
        "error loading dynamically imported module",
        "Importing a module script failed.",
        "Loading chunk 5 failed.",
        "Loading CSS chunk 5 failed.",
        "Unable to preload CSS for /assets/cart-B3x9aZ0q.css",
    ],
)
def test_chunks_that_do_not_come_are_assets(message: str) -> None:
    page = Browser(OWN)
    page.fire("unhandledrejection", json.dumps({"reason": {"message": message}}))
    page.fire("load")
    assert page.reports() == [counts(l=1, a=1)]


@pytest.mark.parametrize(
    ("reason", "errors"),
    [
        ({"message": "no", "stack": f"Error: no\n at f ({PAGE}/assets/a.js:1:2)"}, 1),
        ({"message": "no", "stack": "Error: no\n at chrome-extension://abc/x.js:1:2"}, 0),
        ("a text", 1),
        (None, 1),
    ],
)
def test_rejections(reason: object, errors: int) -> None:
    page = Browser(OWN)
    page.fire("unhandledrejection", json.dumps({"reason": reason}))
    page.fire("load")
    assert page.reports() == [counts(l=1, e=errors)]


def test_what_others_scripts_do_is_not_counted() -> None:
    page = Browser(OWN)
    page.error("https://ads.example/ad.js")
    page.error("chrome-extension://abc/x.js")
    page.error(None, "Script error.")
    page.fire("load")
    assert page.reports() == [counts(l=1)]


def test_slow_loads() -> None:
    slow = {"navigation": [{**OWN["navigation"][0], "loadEventStart": 4500}]}
    page = Browser(slow)
    page.fire("load")
    assert page.reports() == [counts(l=1, s=1)]


def test_without_a_token_nothing_is_sent() -> None:
    page = Browser({"navigation": [{"name": f"{PAGE}/"}]})
    page.error()
    page.fire("load")
    page.fire("pagehide")
    assert page.reports() == []


def test_on_another_sites_page_only_its_own_is_counted() -> None:
    page = Browser(EMBEDDED, script=f"{WIDGET}/_bluegreen/client.js")
    page.error(f"{PAGE}/app.js")
    page.error(None, "Script error.")
    page.element(tagName="SCRIPT", src=f"{PAGE}/app.js")
    page.fire("unhandledrejection", '{"reason": "a text"}')
    page.fire("load")
    assert page.reports() == [counts(l=1)]
    page.error(f"{WIDGET}/assets/w-B3x9aZ0q.js")
    assert page.reports() == [counts(l=1), counts(e=1)]
    assert page.context.eval("sent[0][0]").startswith(f"{WIDGET}/_bluegreen/beacon?")


def test_a_page_counts_as_failed_once_by_what_failed_first() -> None:
    page = Browser(OWN)
    page.element(tagName="SCRIPT", src=f"{PAGE}/assets/a-B3x9aZ0q.js")
    page.error()
    page.fire("load")
    page.error()
    assert page.reports() == [counts(l=1, a=1)]


def test_a_tab_that_has_reported_a_failure_says_nothing_more_of_that_build() -> None:
    first = Browser(OWN, remembered={})
    first.error()
    first.fire("load")
    assert first.reports() == [counts(l=1, e=1)]
    assert first.remembers() == {"bg": "b1"}

    again = Browser(OWN, remembered=first.remembers())
    again.error()
    again.fire("load")
    again.fire("pagehide")
    assert again.reports() == []

    of_another_build = Browser(OWN, remembered={"bg": "b0"})
    of_another_build.error()
    of_another_build.fire("load")
    assert of_another_build.reports() == [counts(l=1, e=1)]
    assert of_another_build.remembers() == {"bg": "b1"}


def test_the_page_that_failed_still_says_that_it_was_slow() -> None:
    page = Browser({"navigation": [{**OWN["navigation"][0], "loadEventStart": 4500}]}, remembered={})
    page.error()
    assert page.reports() == [counts(l=1, e=1)]
    page.fire("load")
    assert page.reports() == [counts(l=1, e=1), counts(s=1)]


def test_pages_that_are_well_keep_nothing() -> None:
    page = Browser(OWN, remembered={})
    page.fire("load")
    assert page.reports() == [counts(l=1)]
    assert page.remembers() == {}


def test_on_another_sites_page_nothing_is_kept_or_heeded() -> None:
    page = Browser(EMBEDDED, script=f"{WIDGET}/_bluegreen/client.js", remembered={"bg": "b1"})
    page.error(f"{WIDGET}/assets/w-B3x9aZ0q.js")
    page.fire("load")
    assert page.reports() == [counts(l=1, e=1)]
    assert page.remembers() == {"bg": "b1"}


def test_a_tab_that_refuses_to_keep_anything_is_counted_page_by_page() -> None:
    page = Browser(OWN)
    page.context.eval(
        "var sessionStorage = {}; Object.defineProperty(sessionStorage, 'bg', {"
        "get: function () { throw Error('denied'); }, set: function () { throw Error('full'); }});"
    )
    page.context.eval("delete window['bg:' + PAGE + '/']; sent = []; listeners = {};")
    page.context.eval(render_client((edge_handler_path() / "client.js").read_text()))
    page.error()
    page.fire("load")
    assert page.reports() == [counts(l=1, e=1)]


@pytest.mark.parametrize(
    ("rate", "reports"), [("0.4", 0), ("0.6", 1), ("1", 1), ("0", 0), ("", 0), ("all", 1), (None, 1)]
)
def test_a_rate_leaves_pages_out_as_a_whole(rate: str | None, reports: int) -> None:
    """Chance says 0.5 here. Not by event, or a page's error could be in the sample and the page not."""
    page = Browser(OWN, rate=rate)
    page.error()
    page.fire("load")
    page.fire("pagehide")
    assert len(page.reports()) == reports


@pytest.mark.parametrize(("rate", "reports"), [(0.4, 0), (0.6, 1)])
def test_a_module_takes_its_rate_from_start(rate: float, reports: int) -> None:
    page = Browser(OWN, script=None)
    page.context.eval(f"document.readyState = 'complete'; window.bgStart('{PAGE}/_bluegreen/client.mjs', {rate})")
    assert len(page.reports()) == reports


def test_two_tags_count_once_and_two_sites_twice() -> None:
    page = Browser({**EMBEDDED, **OWN})
    code = render_client((edge_handler_path() / "client.js").read_text())
    page.context.eval(code)
    page.context.eval(f"document.currentScript.src = '{WIDGET}/_bluegreen/client.js'")
    page.context.eval(code)
    page.fire("load")
    page.reports()
    hosts = [url.split("/_bluegreen")[0] for url, _ in json.loads(page.context.eval("JSON.stringify(sent)"))]
    assert sorted(hosts) == [PAGE, WIDGET]


def test_as_a_module_it_waits_for_start() -> None:
    page = Browser(OWN, script=None)
    page.fire("load")
    assert page.reports() == []
    page.context.eval(f"document.readyState = 'complete'; window.bgStart('{PAGE}/_bluegreen/client.mjs')")
    assert page.reports() == [counts(l=1)]


def test_a_browser_that_lacks_everything_is_left_in_peace() -> None:
    context = quickjs.Context()
    context.eval(
        "var window = {}, document = {currentScript: {src: 'x', dataset: {}}}, performance = undefined, location = {};"
    )
    context.eval(render_client((edge_handler_path() / "client.js").read_text()))
