"""An HTTP client that behaves like a browser's tab: headers, cookies, cache, and what a page asks for."""

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp

from bluegreen_cdn import defaults
from bluegreen_cdn.local.rehearsal import references
from bluegreen_cdn.local.rehearsal.ledger import Ledger
from bluegreen_cdn.local.rehearsal.observations import Page, Verdict

CONNECTIONS_PER_VISITOR = 6
REQUEST_TIMEOUT_SECONDS = 15.0
VIEWER_ADDRESS_HEADER = "x-bluegreen-sim-viewer-ip"
BUILD_METADATA_HEADER = f"x-amz-meta-{defaults.BUILD_METADATA}"

_DESTINATIONS = {
    "js": ("script", "*/*"),
    "mjs": ("script", "*/*"),
    "css": ("style", "text/css,*/*;q=0.1"),
    "json": ("empty", "*/*"),
    "woff": ("font", "*/*"),
    "woff2": ("font", "*/*"),
}
_IMAGE = ("image", "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8")
_DOCUMENT_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
_COOKIE = re.compile(r"\s*([^=;\s]+)=([^;]*)(.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where the site is served on this machine.

    Attributes:
        port: The edge simulator's port on 127.0.0.1.
        host: The name it is asked by, such as `storefront.localhost`.
    """

    port: int
    host: str

    @property
    def url(self) -> str:
        """The address a browser uses."""
        return f"http://{self.host}:{self.port}"


@dataclass(kw_only=True)
class Tab:
    """One page in one tab, and the files it may still ask for."""

    page: Page
    number: int
    pending: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)


class BrowserLike:
    """One visitor: an address, a user agent, cookies, a cache of immutable files, and tabs.

    Args:
        name: For the ledger.
        address: The viewer's address, in 127/8.
        user_agent: What it calls itself.
        site: Where the site is.
        ledger: Where observations go.
        now: Seconds since the rehearsal began.
        bind: Send from `address` itself; otherwise a header tells the edge simulator.
        accept_encoding: The encodings it takes; what arrives is decoded before it is judged. Default: as browsers do.
    """

    def __init__(
        self,
        *,
        name: str,
        address: str,
        user_agent: str,
        site: Site,
        ledger: Ledger,
        now: Callable[[], float],
        bind: bool,
        accept_encoding: str = "gzip, deflate, br",
    ) -> None:
        self.name = name
        self.cookies: dict[str, str] = {}
        self._site, self._ledger, self._now = site, ledger, now
        self._headers = {
            "Host": f"{site.host}:{site.port}",
            "User-Agent": user_agent,
            "Accept-Language": "en",
            "Accept-Encoding": accept_encoding,
        }
        if not bind:
            self._headers[VIEWER_ADDRESS_HEADER] = address
        self._session = aiohttp.ClientSession(
            f"http://127.0.0.1:{site.port}",
            connector=aiohttp.TCPConnector(
                limit=CONNECTIONS_PER_VISITOR, local_addr=(address, 0) if bind else None, force_close=False
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_SECONDS),
        )
        self._cache: dict[str, tuple[str, str]] = {}
        self._tabs = 0

    async def close(self) -> None:
        """Leave."""
        await self._session.close()

    async def open(self, path: str = "/") -> Tab:
        """Open a document in a new tab and load everything it refers to."""
        first_visit = not self.cookies
        self._tabs += 1
        status, body, headers, error = await self._get(
            path,
            {
                "Accept": _DOCUMENT_ACCEPT,
                "Sec-Fetch-Dest": "document",
                "Sec-Fetch-Mode": "navigate",
                "Sec-Fetch-Site": "none",
                "Upgrade-Insecure-Requests": "1",
            },
        )
        page = self._ledger.document(
            visitor=self.name,
            tab=self._tabs,
            at=self._now(),
            url=path,
            status=status,
            digest=hashlib.sha256(body).hexdigest(),
            claimed_build=headers.get(BUILD_METADATA_HEADER),
            first_visit=first_visit,
            error=error,
        )
        tab = Tab(page=page, number=self._tabs)
        if page.build_id is not None:
            found = references.scan_html(body.decode("utf-8", "replace"))
            base = urlsplit(found.base).path or path
            await self._load(tab, self._resolved(tab, found, base), lazy=False)
        return tab

    async def load_lazily(self, tab: Tab, count: int) -> None:
        """Let a tab ask for some of the files it has not needed yet."""
        wanted, tab.pending = tab.pending[:count], tab.pending[count:]
        await self._load(tab, wanted, lazy=True)

    async def ask(self, path: str, destination: str, accept: str = "*/*") -> tuple[int, bytes]:
        """Ask for something that no page refers to, with this visitor's cookies; give status and body.

        Args:
            path: With its leading slash.
            destination: What it is for, as `Sec-Fetch-Dest` has it, such as `serviceworker`.
            accept: What is wanted.
        """
        headers = {"Accept": accept, "Sec-Fetch-Dest": destination, "Sec-Fetch-Site": "same-origin"}
        status, body, _, _ = await self._get(path, headers)
        return status, body

    async def _load(self, tab: Tab, paths: Iterable[str], *, lazy: bool) -> None:
        """Load files and, wave by wave, what they refer to."""
        wave = [path for path in dict.fromkeys(paths) if path not in tab.asked]
        while wave:
            tab.asked.update(wave)
            texts = await asyncio.gather(*(self._asset(tab, path, lazy=lazy) for path in wave))
            found: list[str] = []
            for path, text in zip(wave, texts, strict=True):
                kind = _extension(path)
                if text and kind in ("css", "js", "mjs"):
                    scanned = references.scan_css(text) if kind == "css" else references.scan_script(text)
                    found += self._resolved(tab, scanned, f"/{path}")
            wave = [path for path in dict.fromkeys(found) if path not in tab.asked]

    async def _asset(self, tab: Tab, path: str, *, lazy: bool) -> str:
        """Ask for one file, have the answer judged, and return its text when it is worth scanning."""
        if path in self._cache:
            digest, text = self._cache[path]
            return text
        destination, accept = _DESTINATIONS.get(_extension(path), _IMAGE)
        cookie_build = self.cookies.get(defaults.BUILD_COOKIE)
        status, body, headers, error = await self._get(
            f"/{path}",
            {
                "Accept": accept,
                "Sec-Fetch-Dest": destination,
                "Sec-Fetch-Mode": "cors" if destination in ("font", "empty") else "no-cors",
                "Sec-Fetch-Site": "same-origin",
                "Referer": f"{self._site.url}{tab.page.url}",
            },
        )
        digest = hashlib.sha256(body).hexdigest()
        verdict = self._ledger.asset(
            tab.page,
            at=self._now(),
            path=path,
            status=status,
            digest=digest,
            cookie_build=cookie_build,
            lazy=lazy,
            error=error,
        )
        text = body.decode("utf-8", "replace") if _extension(path) in ("css", "js", "mjs") else ""
        if verdict is Verdict.GOOD and "immutable" in headers.get("cache-control", ""):
            self._cache[path] = (digest, text)
        return text if status == 200 else ""

    async def _get(self, path: str, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str], str]:
        sent = self._headers | headers
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        try:
            async with self._session.get(path, headers=sent, allow_redirects=False) as answer:
                body = await answer.read()
                self._keep_cookies(answer.headers.getall("Set-Cookie", []))
                return answer.status, body, {name.lower(): value for name, value in answer.headers.items()}, ""
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return 0, b"", {}, f"no answer ({type(error).__name__}: {error})"

    def _keep_cookies(self, lines: Iterable[str]) -> None:
        for line in lines:
            match = _COOKIE.match(line)
            if match is None:
                continue
            if re.search(r"max-age=0\b", match[3], re.IGNORECASE):
                self.cookies.pop(match[1], None)
            else:
                self.cookies[match[1]] = match[2].strip()

    def _resolved(self, tab: Tab, found: references.References, base: str) -> list[str]:
        """Return what to load at once; remember the rest for later."""
        build = self._ledger.builds.get(tab.page.build_id or "")
        if build is None:
            return []
        known = build.digests.keys()
        eager = [references.resolve(reference, base=base) for reference in found.eager]
        own = f"builds/{build.build_id}/"
        now = [
            path
            for path in eager
            if path is not None and (path.removeprefix(own) in known or path.startswith("_bluegreen/"))
        ]
        for reference in found.lazy:
            path = references.resolve_literal(reference, base=base, known=set(known))
            if path is not None and path not in tab.asked and path not in tab.pending and not path.endswith(".html"):
                tab.pending.append(path)
        return now


def _extension(path: str) -> str:
    return path.rpartition(".")[2].lower()
