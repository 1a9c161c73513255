"""The crowd against an edge of this test's own, which releases, rolls back, and makes mistakes to order."""

import asyncio
import hashlib
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web
from bluegreen_cdn.local.rehearsal.browser_like import BrowserLike, Site
from bluegreen_cdn.local.rehearsal.crowd import Crowd, can_bind_addresses
from bluegreen_cdn.local.rehearsal.ledger import BuildFiles, Ledger

COOKIE = "__Host-bg-build"
TYPES = {
    "html": "text/html",
    "js": "text/javascript",
    "css": "text/css",
    "json": "application/json",
    "svg": "image/svg+xml",
}


def files(name: str) -> dict[str, str]:
    return {
        "index.html": f'<html><head><link rel=stylesheet href="/assets/s-{name}22222222.css">'
        f'<script type=module src="/assets/index-{name}11111111.js"></script></head>{name}</html>',
        f"assets/index-{name}11111111.js": 'import "./vendor-33333333.js";'
        f'const lazy = () => import("./lazy-{name}44444444.js");'
        f'fetch("/locales/en.json"); // {name}',
        "assets/vendor-33333333.js": "the same in all builds",
        f"assets/lazy-{name}44444444.js": f'const more = () => import("./deep-{name}55555555.js")',
        f"assets/deep-{name}55555555.js": f"deep {name}",
        f"assets/s-{name}22222222.css": "body { background: url(/logo.svg) }",
        "locales/en.json": f'{{"name": "{name}"}}',
        "logo.svg": f"<svg>{name}</svg>",
    }


BUILDS = {name: files(name) for name in ("first", "second")}


@dataclass
class Edge:
    """Serves builds as the real edge should, with faults."""

    current: str = "first"
    fault: Callable[[str, str], str | None] = lambda path, build: None
    asked: list[tuple[str, str]] = field(default_factory=list)
    viewers: set[str] = field(default_factory=set)
    headers: list[dict[str, str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        path = request.path.removeprefix("/")
        document = path in ("", "index.html")
        self.viewers.add(str(request.remote))
        self.headers.append(dict(request.headers))
        build = self.current if document else request.cookies.get(COOKIE, self.current)
        name = "index.html" if document else path
        served = self.fault(name, build) or build
        if served == "missing":
            return web.Response(status=404)
        places = BUILDS.values() if name.startswith("assets/") else (BUILDS[served],)
        body = next((place[name] for place in places if name in place), None)
        self.asked.append((name, served))
        if body is None:
            return web.Response(status=404)
        response = web.Response(text=body, content_type=TYPES[name.rpartition(".")[2]])
        if name.startswith("assets/"):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        if document:
            response.headers["x-amz-meta-build-id"] = served
            response.headers["Set-Cookie"] = (
                f"{COOKIE}={served}; Secure; HttpOnly; SameSite=Lax; Path=/; Max-Age=604800"
            )
        return response


def ledger() -> Ledger:
    return Ledger(
        BuildFiles(
            build_id=name,
            digests={path: hashlib.sha256(text.encode()).hexdigest() for path, text in content.items()},
            hashed=frozenset(path for path in content if path.startswith("assets/")),
        )
        for name, content in BUILDS.items()
    )


def with_edge(edge: Edge, story: Callable[[Site], Awaitable[None]]) -> None:
    async def play() -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", edge.answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        server = web.TCPSite(runner, "127.0.0.1", 0)
        await server.start()
        try:
            port = runner.addresses[0][1]
            await asyncio.wait_for(story(Site(port=port, host="site.localhost")), 30)
        finally:
            await runner.cleanup()

    asyncio.run(play())


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
    assert len(book.lazy_requests) > 50
    if can_bind_addresses():
        assert len(edge.viewers) > 40
