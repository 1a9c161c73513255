"""An edge of the tests' own, which releases, rolls back, and makes mistakes to order."""

import asyncio
import gzip
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import brotli
from aiohttp import web

from bluegreen_cdn.local.rehearsal.browser_like import Site
from bluegreen_cdn.local.rehearsal.ledger import Ledger
from bluegreen_cdn.local.rehearsal.observations import BuildFiles

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
        "assets/vendor-33333333.js": "// the same in all builds",
        f"assets/lazy-{name}44444444.js": f'const more = () => import("./deep-{name}55555555.js")',
        f"assets/deep-{name}55555555.js": f"// deep {name}",
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
    encoded: Callable[[bytes, str], bytes] = lambda body, encoding: (
        brotli.compress(body) if encoding == "br" else gzip.compress(body)
    )
    served: dict[str, int] = field(default_factory=dict)

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
        accepted = request.headers.get("Accept-Encoding", "")
        encoding = next((each for each in ("br", "gzip") if each in accepted), "identity")
        self.served[encoding] = self.served.get(encoding, 0) + 1
        response = web.Response(body=body.encode(), content_type=TYPES[name.rpartition(".")[2]], charset="utf-8")
        if encoding != "identity":
            response = web.Response(
                body=self.encoded(body.encode(), encoding),
                content_type=response.content_type,
                headers={"Content-Encoding": encoding},
            )
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
