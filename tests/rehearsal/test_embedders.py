"""Pages of somebody else that embed the example widget, against a site that changes under them."""

import asyncio
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen_cdn.local.rehearsal.browser_like import Site
from bluegreen_cdn.local.rehearsal.browsers import find_chromium
from bluegreen_cdn.local.rehearsal.builds import PreparedBuild, read
from bluegreen_cdn.local.rehearsal.embedders import EmbeddersByHttp, HostPage, open_in_chromium, use_in_chromium
from bluegreen_cdn.local.rehearsal.example_builds import example_build, example_sources
from bluegreen_cdn.local.rehearsal.kept_pages import chromium


def prepared(flavour: str) -> PreparedBuild:
    folder = example_build("widget", flavour)
    return PreparedBuild(name=flavour, folder=folder, files=read(folder))


class Widgets:
    """A site that serves one widget after another, and keeps the hashed files of both, as long as it is told to."""

    def __init__(self) -> None:
        self.builds = {flavour: prepared(flavour) for flavour in ("first", "second")}
        self.flavour, self.lost, self.consents = "first", "", True
        widgets = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = widgets.find(self.path.removeprefix("/"))
                self.send_response(200 if found else 404)
                if widgets.consents:
                    self.send_header("Access-Control-Allow-Origin", "*")
                if found:
                    self.send_header("Content-Type", "text/javascript" if found.suffix == ".js" else "image/svg+xml")
                body = found.read_bytes() if found else b""
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.site = Site(port=self.server.server_address[1], host="site.localhost")

    def find(self, path: str) -> Path | None:
        live = self.builds[self.flavour]
        if path == "widget.js":
            return live.folder / path
        if self.lost and self.lost in path:
            return None
        places = [build.folder / path for build in self.builds.values() if path in build.files.digests]
        return places[0] if places else None


@pytest.fixture
def widgets() -> Iterator[Widgets]:
    made = Widgets()
    yield made
    made.server.shutdown()
    made.server.server_close()


def embedded(widgets: Widgets) -> list[str]:
    """Load the first widget, then use it when the second is live, and the second, too; give the problems."""

    async def run() -> list[str]:
        people = EmbeddersByHttp(widgets.site, list(widgets.builds.values()), 3)
        try:
            await people.load()
            widgets.flavour = "second"
            assert await people.use() == 9
            await people.load()
            assert [len(set(one.builds)) for one in people.all if not one.problems] in ([2, 2, 2], [])
            await people.use()
        finally:
            await people.close()
        return [problem for one in people.all for problem in one.problems]

    return asyncio.run(run())


def test_late_files_are_judged_by_the_build_of_the_script_that_asks(widgets: Widgets) -> None:
    assert embedded(widgets) == []


def test_a_file_that_is_gone_is_a_problem(widgets: Widgets) -> None:
    widgets.lost = "assets/table"
    assert any(problem.startswith("assets/table") and "status 404" in problem for problem in embedded(widgets))


def test_a_script_that_pages_of_others_may_not_read_is_a_problem(widgets: Widgets) -> None:
    widgets.consents = False
    assert any(problem.startswith("widget.js") and "CORS False" in problem for problem in embedded(widgets))


@pytest.mark.browser
def test_in_chromium(widgets: Widgets) -> None:
    executable = find_chromium()
    if executable is None:
        pytest.skip("Chromium is not installed")
    host = HostPage(example_sources("widget") / "host" / "index.html")

    async def run() -> None:
        async with chromium(executable) as browser:
            tab, label = await open_in_chromium(browser, host.address(widgets.site))
            assert label == "first"
            widgets.flavour = "second"
            assert "17" in await use_in_chromium(tab)
            tab, label = await open_in_chromium(browser, host.address(widgets.site))
            assert label == "second"
            assert "18" in await use_in_chromium(tab)

    try:
        asyncio.run(run())
    finally:
        host.close()
