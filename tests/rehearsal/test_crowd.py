"""The crowd against the tests' own edge."""

import asyncio
import random
import time
from collections.abc import Callable

import brotli
from invented_edge import BUILDS, COOKIE, Edge, ledger, with_edge

from bluegreen_cdn.local.rehearsal.browser_like import BrowserLike, Site
from bluegreen_cdn.local.rehearsal.crowd import Crowd, can_bind_addresses
from bluegreen_cdn.local.rehearsal.ledger import Ledger


def visitor(site: Site, book: Ledger, name: str = "v") -> BrowserLike:
    address = f"127.9.{random.Random(name).randint(0, 255)}.7"
    return BrowserLike(
        name=name,
        address=address,
        user_agent="test",
        site=site,
        ledger=book,
        now=time.monotonic,
        bind=can_bind_addresses(),
    )


def visit(edge: Edge, change: Callable[[], None] = lambda: None, *, second_tab: bool = False) -> Ledger:
    """One visitor: a page, then a change, perhaps a second tab, then everything lazy of the first tab."""
    book = ledger()

    async def story(site: Site) -> None:
        someone = visitor(site, book)
        try:
            tab = await someone.open("/")
            change()
            if second_tab:
                await someone.open("/")
            while tab.pending:
                await someone.load_lazily(tab, 1)
        finally:
            await someone.close()

    with_edge(edge, story)
    return book


def test_a_visitor_asks_for_everything_that_the_page_refers_to() -> None:
    edge = Edge()
    book = visit(edge)
    assert {name for name, _ in edge.asked} == set(BUILDS["first"])
    assert (book.page_loads, book.asset_requests, book.asset_failures) == (1, 7, 0)
    assert len(book.lazy_requests) == 3
    assert book.broken_pages == []


def test_a_visitor_looks_like_a_browser() -> None:
    edge = Edge()
    visit(edge)
    by_destination = {headers["Sec-Fetch-Dest"]: headers for headers in edge.headers}
    assert set(by_destination) == {"document", "script", "style", "image", "empty"}
    assert "text/html" in by_destination["document"]["Accept"]
    assert "text/html" not in by_destination["script"]["Accept"]
    assert "Cookie" not in by_destination["document"]
    assert by_destination["image"]["Cookie"] == f"{COOKIE}=first"
    assert by_destination["script"]["Host"].startswith("site.localhost:")


def test_an_open_tab_lives_through_a_release_and_a_rollback() -> None:
    edge = Edge()

    def release() -> None:
        edge.current = "second"

    book = visit(edge, release)
    assert book.broken_pages == []
    assert ("locales/en.json", "first") in edge.asked


def test_a_second_tab_takes_unhashed_files_with_it_and_is_counted_apart() -> None:
    edge = Edge()

    def release() -> None:
        edge.current = "second"

    book = visit(edge, release, second_tab=True)
    assert book.shared_cookie_mixes == 1
    assert (book.asset_failures, book.broken_pages) == (0, [])


def test_a_lost_chunk_is_found() -> None:
    book = visit(Edge(fault=lambda path, build: "missing" if path.startswith("assets/deep") else None))
    assert (book.asset_failures, len(book.broken_pages), book.mixed_pages) == (1, 1, [])


def test_another_builds_bytes_are_found() -> None:
    book = visit(Edge(fault=lambda path, build: "second" if path == "logo.svg" else None))
    assert (book.asset_failures, len(book.mixed_pages)) == (1, 1)


def test_encoded_answers_are_judged_by_what_they_decode_to() -> None:
    edge = Edge()
    assert visit(edge).broken_pages == []
    assert set(edge.served) == {"br"}


def test_a_variant_of_other_bytes_is_found() -> None:
    book = visit(Edge(encoded=lambda body, _: brotli.compress(body.replace(b"vendor-33333333", b"vendor-44444444"))))
    assert len(book.broken_pages) == 1
    assert book.asset_failures == 1


def test_what_cannot_be_decoded_is_no_answer() -> None:
    book = visit(Edge(encoded=lambda body, _: b"no brotli at all"))
    assert "no answer" in book.broken_pages[0].problems[0]


def test_an_edge_that_is_gone_breaks_the_page_and_not_the_visitor() -> None:
    book = ledger()

    async def story() -> None:
        someone = visitor(Site(port=1, host="site.localhost"), book)
        await someone.open("/")
        await someone.close()

    asyncio.run(story())
    assert "no answer" in book.broken_pages[0].problems[0]


def test_a_crowd_comes_from_many_addresses_and_finishes_when_asked() -> None:
    edge, book = Edge(), ledger()

    async def story(site: Site) -> None:
        crowd = Crowd(site=site, ledger=book, now=time.monotonic, present=400, seed=5)
        task = asyncio.create_task(crowd.run())
        while book.page_loads < 40:
            await asyncio.sleep(0.02)
        edge.current = "second"
        while book.share("second", 0, time.monotonic())[0] < 10:
            await asyncio.sleep(0.02)
        await crowd.finish()
        await task
        assert crowd.present == 0
        assert crowd.errors == []
        assert crowd.came >= 50

    with_edge(edge, story)
    assert book.broken_pages == []
    assert edge.served["br"] > edge.served["gzip"] > 0
    assert len(book.lazy_requests) > 50
    if can_bind_addresses():
        assert len(edge.viewers) > 40
