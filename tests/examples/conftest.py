"""A page runner for all tests of a module, and a web server on which each test has hosts of its own."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from mimetypes import guess_type
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bluegreen_cdn.edge_code import edge_handler_path
from bluegreen_cdn.local.rehearsal.browsers import find_chromium
from bluegreen_cdn.local.rehearsal.example_builds import example_build
from bluegreen_cdn.local.rehearsal.page_runner import PageReport, PageRunner


@dataclass(frozen=True)
class Answer:
    body: str | bytes = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


class Site:
    """One host: what it answers, and what it was asked."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.answers: dict[str, Answer] = {}
        self.asked: list[Asked] = []
        self.folder: Path | None = None
        self.headers: Mapping[str, str] = {}

    def serve(self, pages: Mapping[str, str | Answer]) -> None:
        self.answers.update({path: Answer(page) if isinstance(page, str) else page for path, page in pages.items()})

    def find(self, path: str) -> tuple[Answer, str]:
        """The answer and its content type; a path without an extension falls back to the document, as the edge does."""
        if path in self.answers:
            return self.answers[path], guess_type(path)[0] or "text/html; charset=utf-8"
        if self.folder and (self.folder / path.lstrip("/")).is_file():
            return Answer((self.folder / path.lstrip("/")).read_bytes()), guess_type(path)[0] or "text/plain"
        if self.folder and "." not in path:
            return Answer((self.folder / "index.html").read_bytes()), "text/html"
        return Answer("nothing here", 404), "text/plain"

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]


class Sites(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hosts: dict[str, Site] = {}

    def site(self, name: str) -> Site:
        host = f"{name}.localhost:{self.server_port}"
        return self.hosts.setdefault(host, Site(f"http://{host}"))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Sites

    def answer(self) -> None:
        site = self.server.hosts[self.headers["host"]]
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        site.asked.append(Asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        answer, content_type = site.find(self.path.split("?")[0])
        status = answer.status
        if answer.headers.get("etag", "-") == self.headers.get("if-none-match"):
            status = 304
        content = b"" if status in (204, 304) else answer.body.encode() if isinstance(answer.body, str) else answer.body
        self.send_response(status)
        for name, value in {"content-type": content_type, **site.headers, **answer.headers}.items():
            for line in value.split("\n"):
                self.send_header(name, line)
        if status not in (204, 304):
            self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = answer  # noqa: N815  names that the base class calls

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def sites() -> Iterator[Sites]:
    with Sites() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def site(sites: Sites, request: pytest.FixtureRequest) -> Site:
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name.lower())
    return sites.site(name[:60].strip("-"))


class Visitors:
    """The page runner for tests that are no coroutines."""

    def __init__(self, runner: PageRunner, loop: asyncio.AbstractEventLoop) -> None:
        self.runner = runner
        self.loop = loop

    def wait(self, work: Coroutine[Any, Any, PageReport]) -> PageReport:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def visit(self, url: str, *actions: Mapping[str, object], **options: Any) -> PageReport:
        return self.wait(self.runner.visit(url, actions=actions, **options))

    def go_on(self, tab: str, *actions: Mapping[str, object], **options: Any) -> PageReport:
        return self.wait(self.runner.go_on(tab, actions=actions, **options))


@pytest.fixture(scope="session")
def visitors() -> Iterator[Visitors]:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    runner = PageRunner()
    asyncio.run_coroutine_threadsafe(runner.__aenter__(), loop).result(30)
    yield Visitors(runner, loop)
    asyncio.run_coroutine_threadsafe(runner.__aexit__(None, None, None), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)


@pytest.fixture
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    found = find_chromium()
    if found is None:
        pytest.skip("there is no Chromium here")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


TOKEN = "build-1~abc123~signature_of-it"


@pytest.fixture
def storefront(sites: Sites, request: pytest.FixtureRequest) -> Site:
    site = sites.site(f"storefront-{request.param}")
    site.asked.clear()
    site.folder = example_build("storefront", request.param)
    site.headers = {"server-timing": f'cdn;dur=1, bluegreen;desc="{TOKEN}"'}
    client = (edge_handler_path() / "client.js").read_text()
    site.serve({"/_bluegreen/client.js": client, "/_bluegreen/beacon": Answer(status=204)})
    return site


SLOW_SECONDS = 4
"""A load that takes longer is reported as slow; how many do is a matter of the machine."""


def reported(site: Site) -> dict[str, int]:
    """The sums of what the client script sent: page loads, script errors, failed assets, slow loads."""
    sums = dict.fromkeys("leas", 0)
    for path in site.paths():
        if path.startswith("/_bluegreen/beacon?"):
            query = parse_qs(urlsplit(path).query)
            assert query["t"] == [TOKEN]
            for name in sums:
                sums[name] += int(query[name][0])
    return sums
