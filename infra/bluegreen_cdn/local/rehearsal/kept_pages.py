"""Visitors whose page a service worker keeps: in real Chromium, and by HTTP with the same habits."""

import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol

from bluegreen_cdn.local.rehearsal.browser_like import BrowserLike, Site
from bluegreen_cdn.local.rehearsal.browsers import NAVIGATION_TIMEOUT_MS, launch
from bluegreen_cdn.local.rehearsal.crowd import can_bind_addresses
from bluegreen_cdn.local.rehearsal.ledger import Ledger

WORKER = "sw.js"
REGISTRATION = '<script>navigator.serviceWorker && navigator.serviceWorker.register("/" + "sw" + ".js");</script>'
"""In parts, because the worker is none of the page's own files: it follows the rollout as documents do."""
_READY = "async () => { await navigator.serviceWorker.ready; return !!navigator.serviceWorker.controller; }"
_UPDATE = """async () => {
  const registration = await navigator.serviceWorker.ready;
  const patience = new Promise((done) => setTimeout(done, 5000));
  await Promise.race([registration.update().catch(String), patience]);
}"""
_FETCH = """async (path) => {
  const answer = await fetch(path);
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", await answer.arrayBuffer()));
  return [answer.status, [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")];
}"""


def worker_script(label: str) -> str:
    """A service worker that keeps the document that it was installed with, and shows it whatever the site has since.

    Args:
        label: Of the build; another one makes it another worker, which browsers then install.
    """
    return f"""const KEPT = "{label}";
self.addEventListener("install", (event) => {{
  event.waitUntil(caches.open(KEPT).then((cache) => cache.add("/")).then(() => self.skipWaiting()));
}});
self.addEventListener("activate", (event) => {{
  const old = caches.keys().then((names) => Promise.all(names.filter((n) => n !== KEPT).map((n) => caches.delete(n))));
  event.waitUntil(old.then(() => self.clients.claim()));
}});
self.addEventListener("fetch", (event) => {{
  if (event.request.mode !== "navigate") return;
  event.respondWith(caches.open(KEPT).then((cache) => cache.match("/")).then((kept) => kept || fetch(event.request)));
}});
"""


class KeptPage(Protocol):
    """One visitor."""

    kind: str

    async def shown(self) -> str:
        """Open the page again, which the worker answers; give the label of its build."""

    async def update(self) -> None:
        """Look for a new worker, as browsers do by themselves now and then; one that is found is soon installed."""

    async def fetch(self, path: str) -> tuple[int, str]:
        """Ask for a file from the page; give status and SHA-256."""

    async def close(self) -> None:
        """Leave."""


class PageByHttp:
    """A visitor who does by HTTP what a browser with a worker does.

    Args:
        visitor: Whoever asks.
        labels: The label of a document's build by the document's SHA-256.
    """

    kind = "by HTTP"

    def __init__(self, visitor: BrowserLike, labels: dict[str, str]) -> None:
        self._visitor, self._labels = visitor, labels
        self._worker, self._kept = b"", b""

    @classmethod
    async def open(
        cls, number: int, site: Site, ledger: Ledger, now: Callable[[], float], labels: dict[str, str]
    ) -> "PageByHttp":
        """Open the page and let it install its worker."""
        visitor = BrowserLike(
            name=f"kept page {number}",
            address=f"127.201.7.{number + 2}",
            user_agent=f"kept page {number}",
            site=site,
            ledger=ledger,
            now=now,
            bind=can_bind_addresses(),
        )
        await visitor.open("/")
        page = cls(visitor, labels)
        await page.update()
        return page

    async def shown(self) -> str:
        """See `KeptPage`."""
        return self._labels.get(hashlib.sha256(self._kept).hexdigest(), "no build")

    async def update(self) -> None:
        """See `KeptPage`."""
        status, worker = await self._visitor.ask(f"/{WORKER}", "serviceworker")
        if status == 200 and worker != self._worker:
            answered, document = await self._visitor.ask("/", "empty")
            if answered == 200:
                self._worker, self._kept = worker, document

    async def fetch(self, path: str) -> tuple[int, str]:
        """See `KeptPage`."""
        status, body = await self._visitor.ask(f"/{path}", "empty")
        return status, hashlib.sha256(body).hexdigest()

    async def close(self) -> None:
        """See `KeptPage`."""
        await self._visitor.close()


class PageInChromium:
    """A tab of a real browser.

    Args:
        context: The browser's, with cookies and workers of its own.
        tab: The tab.
    """

    kind = "in Chromium"

    def __init__(self, context: Any, tab: Any) -> None:
        self._context, self._tab = context, tab

    @classmethod
    async def open(cls, browser: Any, site: Site) -> "PageInChromium":
        """Open the page and let it install its worker."""
        context = await browser.new_context()
        tab = await context.new_page()
        await tab.goto(f"{site.url}/", timeout=NAVIGATION_TIMEOUT_MS, wait_until="load")
        await tab.evaluate(_READY)
        return cls(context, tab)

    async def shown(self) -> str:
        """See `KeptPage`."""
        await self._tab.reload(timeout=NAVIGATION_TIMEOUT_MS, wait_until="load")
        return str(await self._tab.evaluate("document.documentElement.dataset.rehearsal || ''"))

    async def update(self) -> None:
        """See `KeptPage`."""
        await self._tab.evaluate(_UPDATE)

    async def fetch(self, path: str) -> tuple[int, str]:
        """See `KeptPage`."""
        status, digest = await self._tab.evaluate(_FETCH, f"/{path}")
        return int(status), str(digest)

    async def close(self) -> None:
        """See `KeptPage`."""
        await self._context.close()


@contextlib.asynccontextmanager
async def chromium(executable: Path | None) -> AsyncIterator[Any]:
    """Start Chromium; give None where it is not installed."""
    if executable is None:
        yield None
        return
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await launch(playwright, executable)
        try:
            yield browser
        finally:
            with contextlib.suppress(Exception):
                await browser.close()
