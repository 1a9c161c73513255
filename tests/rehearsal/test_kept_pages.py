"""Pages that a service worker keeps, against a site that changes."""

import asyncio
import hashlib
import http.server
import threading
from collections.abc import Iterator

import pytest
from invented import FIRST, build

from bluegreen_cdn.local.rehearsal.browser_like import Site
from bluegreen_cdn.local.rehearsal.browsers import find_chromium
from bluegreen_cdn.local.rehearsal.kept_pages import (
    REGISTRATION,
    KeptPage,
    PageByHttp,
    PageInChromium,
    chromium,
    worker_script,
)
from bluegreen_cdn.local.rehearsal.ledger import Ledger


def document(label: str) -> str:
    script = f'<script>document.documentElement.dataset.rehearsal = "{label}"</script>'
    return f"<!doctype html><html><head>{REGISTRATION}{script}</head><body>{label}</body></html>"


class Changing:
    """A site that serves one build after another."""

    def __init__(self) -> None:
        self.label = "old"
        changing = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/sw.js":
                    body, kind = worker_script(changing.label), "text/javascript"
                elif self.path == "/":
                    body, kind = document(changing.label), "text/html"
                else:
                    body, kind = "a file", "text/plain"
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Cache-Control", "no-cache")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                return

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.site = Site(port=self.server.server_address[1], host="site.localhost")


@pytest.fixture
def changing() -> Iterator[Changing]:
    made = Changing()
    yield made
    made.server.shutdown()
    made.server.server_close()


async def shows(page: KeptPage, label: str) -> bool:
    """Look for a worker, and at the page, for some seconds: a browser changes workers when it has leisure."""
    for _ in range(30):
        await page.update()
        if await page.shown() == label:
            return True
        await asyncio.sleep(0.5)
    return False


async def keeps_until_it_looks(page: KeptPage, changing: Changing) -> None:
    assert await page.shown() == "old"
    changing.label = "new"
    assert await page.shown() == "old"
    assert await shows(page, "new")
    changing.label = "old"
    assert await page.shown() == "new"
    assert await page.fetch("file") == (200, hashlib.sha256(b"a file").hexdigest())
    assert await shows(page, "old")
    await page.close()


def test_by_http(changing: Changing) -> None:
    async def run() -> None:
        labels = {hashlib.sha256(document(label).encode()).hexdigest(): label for label in ("old", "new")}
        ledger = Ledger([build(FIRST)])
        await keeps_until_it_looks(await PageByHttp.open(1, changing.site, ledger, lambda: 0.0, labels), changing)

    asyncio.run(run())


@pytest.mark.browser
def test_in_chromium(changing: Changing) -> None:
    executable = find_chromium()
    if executable is None:
        pytest.skip("Chromium is not installed")

    async def run() -> None:
        async with chromium(executable) as browser:
            await keeps_until_it_looks(await PageInChromium.open(browser, changing.site), changing)

    asyncio.run(run())
