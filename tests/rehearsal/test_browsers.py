"""Real browsers and the page runner against the tests' own edge."""

import asyncio
import shutil
import time

import pytest
from invented_edge import Edge, ledger, with_edge

from bluegreen_cdn.local.rehearsal.browser_like import Site
from bluegreen_cdn.local.rehearsal.browsers import Browsers, find_chromium
from bluegreen_cdn.local.rehearsal.sessions import Sessions


@pytest.mark.browser
@pytest.mark.skipif(find_chromium() is None, reason="Chromium or playwright is not installed")
def test_a_real_browsers_files_are_judged_by_their_bytes() -> None:
    edge, book = Edge(fault=lambda path, build: "second" if path == "locales/en.json" else None), ledger()

    async def story(site: Site) -> None:
        browsers = Browsers(site=site, ledger=book, now=time.monotonic, chromium=find_chromium(), count=1)
        task = asyncio.create_task(browsers.run())
        while not (book.mixed_pages and book.asset_requests >= 5):
            await asyncio.sleep(0.05)
        await browsers.finish()
        await task
        assert browsers.problems == []

    with_edge(edge, story)
    page = book.pages[0]
    assert (page.build_id, page.via, page.first_visit) == ("first", "browser", True)
    assert book.asset_failures == len(book.mixed_pages) == len(book.pages)


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_the_page_runners_files_are_judged_by_their_bytes() -> None:
    edge, book = Edge(fault=lambda path, build: "second" if path == "locales/en.json" else None), ledger()

    async def story(site: Site) -> None:
        sessions = Sessions(
            site=site,
            ledger=book,
            now=time.monotonic,
            from_wall=float,
            at_a_time=2,
            routes=(("/cart", "/checkout"),),
            seed=1,
        )
        task = asyncio.create_task(sessions.run())
        while not book.mixed_pages:
            await asyncio.sleep(0.05)
        await sessions.finish()
        await task
        assert sessions.problems == []

    with_edge(edge, story)
    assert {page.via for page in book.pages} == {"page runner"}
    assert len({page.visitor for page in book.pages}) == len(book.pages)
    assert book.asset_failures == len(book.mixed_pages) == len(book.pages)
