"""Pages of somebody else that embed a script of the site: by HTTP, and in real Chromium."""

import hashlib
import http.server
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

from bluegreen_cdn.local.cloud.environment import HOST
from bluegreen_cdn.local.rehearsal import references
from bluegreen_cdn.local.rehearsal.browser_like import VIEWER_ADDRESS_HEADER, Site
from bluegreen_cdn.local.rehearsal.browsers import NAVIGATION_TIMEOUT_MS
from bluegreen_cdn.local.rehearsal.builds import PreparedBuild

ORIGIN = "http://host-page.example"
WIDGET = "widget.js"
_HEADERS = {"Origin": ORIGIN, "Accept": "*/*", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "cross-site"}


@dataclass(kw_only=True)
class Embedder:
    """One visitor of a page of somebody else: an address and a browser, without cookies of the site.

    Attributes:
        number: Which.
        build: The build of the script that the open page has.
        builds: The builds of the scripts that it got, in order.
        problems: What went wrong.
    """

    number: int
    build: PreparedBuild | None = None
    builds: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class EmbeddersByHttp:
    """Several of them.

    Args:
        site: Where the script is.
        builds: The builds it can be of.
        count: How many.
    """

    def __init__(self, site: Site, builds: Sequence[PreparedBuild], count: int) -> None:
        self._site, self._builds = site, builds
        self.all = [Embedder(number=number) for number in range(count)]
        self._session = aiohttp.ClientSession(
            f"http://{HOST}:{site.port}",
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=60),
        )

    async def load(self) -> None:
        """Everybody opens the page again, which loads the script anew."""
        by_digest = {build.files.digests[WIDGET]: build for build in self._builds}
        for one in self.all:
            status, body, consents = await self._get(one, WIDGET, "script")
            one.build = by_digest.get(hashlib.sha256(body).hexdigest())
            if status != 200 or one.build is None or not consents:
                one.problems.append(f"{WIDGET}: status {status}, {'a' if one.build else 'no'} build's, CORS {consents}")
            else:
                one.builds.append(one.build.build_id)

    async def use(self) -> int:
        """Everybody uses the script that the open page has, which loads the rest of it; give the number of files."""
        asked = 0
        for one in self.all:
            for path in _needs(one.build) if one.build is not None else ():
                status, body, consents = await self._get(one, path, "script" if path.endswith(".js") else "image")
                asked += 1
                right = one.build is not None and hashlib.sha256(body).hexdigest() == one.build.files.digests[path]
                if status != 200 or not right or (path.endswith(".js") and not consents):
                    one.problems.append(f"{path}: status {status}, own bytes {right}, CORS {consents}")
        return asked

    async def close(self) -> None:
        """Leave."""
        await self._session.close()

    async def _get(self, one: Embedder, path: str, destination: str) -> tuple[int, bytes, bool]:
        headers = {
            **_HEADERS,
            "Host": f"{self._site.host}:{self._site.port}",
            "Sec-Fetch-Dest": destination,
            "User-Agent": f"somebody's browser {one.number}",
            VIEWER_ADDRESS_HEADER: f"127.99.{one.number // 200}.{one.number % 200 + 1}",
        }
        async with self._session.get(f"/{path}", headers=headers) as answer:
            return (
                answer.status,
                await answer.read(),
                answer.headers.get("Access-Control-Allow-Origin") in ("*", ORIGIN),
            )


class HostPage:
    """A page of another origin, served on this machine.

    Args:
        path: The document.
    """

    def __init__(self, path: Path) -> None:
        body = path.read_bytes()

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self._server = http.server.ThreadingHTTPServer((HOST, 0), Answer)
        threading.Thread(target=self._server.serve_forever, daemon=True, name="host-page").start()

    def address(self, site: Site) -> str:
        """Its address, with that of the site whose script it embeds."""
        return f"http://{HOST}:{self._server.server_address[1]}/?widget={quote(site.url)}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


async def open_in_chromium(browser: Any, address: str) -> tuple[Any, str]:
    """Open a page that embeds the widget; give the tab and the label of the widget's build."""
    tab = await (await browser.new_context()).new_page()
    await tab.goto(address, timeout=NAVIGATION_TIMEOUT_MS, wait_until="load")
    element = tab.locator("opening-hours[data-build]")
    await element.wait_for(timeout=NAVIGATION_TIMEOUT_MS)
    return tab, str(await element.get_attribute("data-build"))


async def use_in_chromium(tab: Any) -> str:
    """Use the widget of an open page, which loads its other files; give what it then shows."""
    await tab.locator("opening-hours button").click(timeout=NAVIGATION_TIMEOUT_MS)
    await tab.locator("opening-hours li").first.wait_for(timeout=NAVIGATION_TIMEOUT_MS)
    return str(await tab.locator("opening-hours").inner_text())


def _needs(build: PreparedBuild) -> list[str]:
    """The files that a build's script comes to load, found as a visitor without a script engine finds them."""
    known: Mapping[str, str] = build.files.digests
    found, waiting = [], [WIDGET]
    while waiting:
        path = waiting.pop()
        if not path.endswith(".js"):
            continue
        scanned = references.scan_script((build.folder / path).read_text(encoding="utf-8"))
        for reference in (*scanned.eager, *scanned.lazy):
            needed = references.resolve_literal(reference, base=f"/{path}", known=set(known))
            if needed is not None and needed not in found and needed != WIDGET:
                found.append(needed)
                waiting.append(needed)
    return found
