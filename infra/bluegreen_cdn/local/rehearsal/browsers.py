"""Real browser sessions through playwright, where Chromium is installed."""

import asyncio
import contextlib
import hashlib
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from bluegreen_cdn.local.rehearsal.browser_like import BUILD_METADATA_HEADER, Site
from bluegreen_cdn.local.rehearsal.ledger import Ledger
from bluegreen_cdn.local.rehearsal.observations import Page

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAVIGATION_TIMEOUT_MS = 20_000
BODY_TIMEOUT_SECONDS = 5.0
PROBLEMS_LIMIT = 5
STAY_SECONDS = (6.0, 18.0)
_LINKS = """() => [...document.querySelectorAll('a[href^="/"]')].filter(a => a.offsetParent).length"""


def find_chromium() -> Path | None:
    """Return Chromium's executable, or None when it or playwright is not installed."""
    try:
        import playwright.async_api  # noqa: F401
    except ImportError:
        return None
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    return Path(found) if found else None


async def launch(playwright: Any, chromium: Path | None) -> Any:
    """Start Chromium without a window."""
    return await playwright.chromium.launch(executable_path=str(chromium), headless=True, args=list(_ARGUMENTS))


class Browsers:
    """A few tabs of a real browser: each stays, follows links of the site, and is replaced by a new visitor's.

    Args:
        site: Where the site is.
        ledger: Where observations go.
        now: Seconds since the rehearsal began.
        chromium: The browser; None for no sessions at all.
        count: How many visitors at a time.
    """

    def __init__(
        self, *, site: Site, ledger: Ledger, now: Callable[[], float], chromium: Path | None, count: int
    ) -> None:
        self._site, self._ledger, self._now = site, ledger, now
        self._chromium, self._count = chromium, count
        self._leaving = asyncio.Event()
        self._done = asyncio.Event()
        self._random = random.Random(3)  # noqa: S311  choice of links, no secrets
        self.came = 0
        self.problems: list[str] = []

    @property
    def installed(self) -> bool:
        """Whether there is a browser to open sessions with."""
        return self._chromium is not None

    async def run(self) -> None:
        """Open sessions until `finish` is called; a browser that does not work is a problem to note, not a failure."""
        try:
            if self._chromium is None or self._count == 0:
                return
            from playwright.async_api import Error, async_playwright

            with self._noting(Error):
                await self._open_sessions(async_playwright)
        finally:
            self._done.set()

    @contextlib.contextmanager
    def _noting(self, kind: type[Exception]) -> Iterator[None]:
        try:
            yield
        except kind as error:
            self.problems.append(str(error).partition("\n")[0])

    async def _open_sessions(self, async_playwright: Callable[[], Any]) -> None:
        async with async_playwright() as playwright:
            browser = await launch(playwright, self._chromium)
            try:
                await asyncio.gather(*(self._visit_again_and_again(browser) for _ in range(self._count)))
            finally:
                with contextlib.suppress(Exception):
                    await browser.close()

    async def finish(self) -> None:
        """Let open tabs follow one more link, then close them."""
        self._leaving.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._done.wait(), NAVIGATION_TIMEOUT_MS / 1000)

    async def _visit_again_and_again(self, browser: Any) -> None:
        from playwright.async_api import Error

        while not self._leaving.is_set() and len(self.problems) < PROBLEMS_LIMIT:
            self.came += 1
            context = await browser.new_context()
            try:
                with self._noting(Error):
                    await _Tab(self._site, self._ledger, self._now, f"Chromium visitor {self.came}").visit(
                        await context.new_page(), self._leaving, self._random
                    )
            finally:
                with contextlib.suppress(Exception):
                    await context.close()


class _Tab:
    """One tab of a real browser, and what the ledger should know of it."""

    def __init__(self, site: Site, ledger: Ledger, now: Callable[[], float], name: str) -> None:
        self._site, self._ledger, self._now, self._name = site, ledger, now, name
        self._page: Page | None = None
        self._noted: asyncio.Task[None] | None = None

    async def visit(self, tab: Any, leaving: asyncio.Event, chance: random.Random) -> None:
        tab.on("response", self._soon)
        tab.on("pageerror", lambda _error: self._error())
        await tab.goto(f"{self._site.url}/", timeout=NAVIGATION_TIMEOUT_MS, wait_until="load")
        leave_at = self._now() + chance.uniform(*STAY_SECONDS)
        while True:
            last = leaving.is_set() or self._now() > leave_at
            await self._follow_a_link(tab, chance)
            if last:
                break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(leaving.wait(), chance.uniform(2, 4))
        await asyncio.sleep(0.3)
        if self._noted is not None:
            await self._noted

    async def _follow_a_link(self, tab: Any, chance: random.Random) -> None:
        """Click one of the site's own links, as far as there are any: client-side routes load their chunks then."""
        count = await tab.evaluate(_LINKS)
        if count:
            with contextlib.suppress(Exception):
                await tab.locator('a[href^="/"]:visible').nth(chance.randrange(count)).click(timeout=1500)

    def _soon(self, response: Any) -> None:
        """Note the answers one after the other: what a document asks for must not be judged before the document."""
        self._noted = asyncio.create_task(self._note(response, self._noted))

    async def _note(self, response: Any, earlier: asyncio.Task[None] | None) -> None:
        if earlier is not None:
            await earlier
        address = urlsplit(response.url)
        if address.hostname != self._site.host or response.from_service_worker:
            return
        path = unquote(address.path).removeprefix("/")
        is_document = response.request.resource_type == "document"
        if path.startswith("_bluegreen/") and not is_document:
            return
        digest = None
        with contextlib.suppress(Exception):
            body = await asyncio.wait_for(response.body(), BODY_TIMEOUT_SECONDS)
            digest = hashlib.sha256(body).hexdigest()
        if is_document:
            self._page = self._ledger.document(
                visitor=self._name,
                at=self._now(),
                url=address.path,
                status=response.status,
                digest=digest,
                claimed_build=response.headers.get(BUILD_METADATA_HEADER),
                first_visit=self._page is None,
                via="browser",
            )
        elif self._page is not None:
            self._ledger.asset(
                self._page,
                at=self._now(),
                path=path,
                status=200 if response.status == 304 else response.status,
                digest=digest,
                lazy=self._now() - self._page.at > 1.0,
            )

    def _error(self) -> None:
        if self._page is not None:
            self._ledger.script_error(self._page, self._now())
