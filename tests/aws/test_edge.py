"""One contract for the distribution over HTTP and the one in memory; then what only HTTP has."""

import gzip
import hashlib
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bluegreen_cdn import defaults
from bluegreen_cdn.aws.edge import ENDPOINT_VARIABLE, HttpEdge
from bluegreen_cdn.aws.fake_edge import FakeEdge
from bluegreen_cdn.aws.fakes import FakeClock, FakeKeyValueStore
from bluegreen_cdn.aws.ports import Edge
from bluegreen_cdn.domain.headers import ObjectHeaders
from bluegreen_cdn.domain.routing import RoutingState
from bluegreen_cdn.domain.tokens import TokenPurpose, sign_token
from bluegreen_cdn.errors import CloudError, InvalidInput
from bluegreen_cdn.publish.memory_store import MemoryStore
from bluegreen_cdn.publish.object_store import StoredObject

SECRET = "0f" * 32
SCRIPT = b"console.log('one')\n" * 200_000
GZIPPED = gzip.compress(SCRIPT, mtime=0)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def fake() -> FakeEdge:
    bucket = MemoryStore()

    def add(key: str, data: bytes, kind: str, **metadata: str) -> None:
        encoding = "gzip" if key.endswith(".gz") else "br" if key.endswith(".br") else None
        headers = ObjectHeaders(content_type=kind, cache_control="no-cache", content_encoding=encoding)
        bucket.objects[key] = (StoredObject(key=key, size=len(data), headers=headers, metadata=metadata), data)

    for build in ("a1", "b2"):
        add(f"builds/{build}/index.html", build.encode(), "text/html", **{"build-id": build})
    add("shared/assets/app-B3x9aZ0q.js", SCRIPT, "text/javascript")
    add("shared/assets/app-B3x9aZ0q.js.gz", GZIPPED, "text/javascript")
    add("shared/assets/app-B3x9aZ0q.js.br", b"as brotli", "text/javascript")
    store = FakeKeyValueStore(
        {defaults.ROUTING_KEY: RoutingState(epoch=1, stable="a1").to_json(), defaults.SECRET_KEY: SECRET}
    )
    return FakeEdge(bucket, store, FakeClock())


class Server:
    """The one in memory over HTTP, with what CloudFront's pages look like."""

    def __init__(self) -> None:
        self.hosts: list[str | None] = []
        self.connections: set[Any] = set()
        self.closing = False
        edge, server = fake(), self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.hosts.append(self.headers["host"])
                server.connections.add(self.client_address)
                if self.path == "/moved.png":
                    self.answer(302, {"location": "/"}, b"")
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer, body = edge.respond(self.command, self.path, headers)
                self.answer(answer.status, answer.headers, body)

            do_HEAD = do_GET  # noqa: N815  the name that the server looks for

            def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in {"content-length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = server.closing  # without a word, as idle connections end

            def log_message(self, *arguments: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.http.shutdown()
    thread.join()
    made.http.server_close()


@pytest.fixture(params=["memory", "http"])
def edge(request: pytest.FixtureRequest) -> Edge:
    return (
        fake()
        if request.param == "memory"
        else HttpEdge(FakeEdge.domain, endpoint=request.getfixturevalue("server").url)
    )


def test_a_preview_opens_the_build_that_it_is_for(edge: Edge) -> None:
    token = sign_token(SECRET, "b2", purpose=TokenPurpose.PREVIEW, expires=2_000_000)
    assert edge.fetch("GET", "/", {}).headers["x-amz-meta-build-id"] == "a1"
    answer = edge.fetch("GET", "/", {"cookie": f"{defaults.PREVIEW_COOKIE}={token}"})
    assert (answer.status, answer.headers["x-amz-meta-build-id"]) == (200, "b2")
    assert answer.sha256 == answer.decoded_sha256 == digest(b"b2")


def test_digests_are_of_what_came_and_of_what_it_means(edge: Edge) -> None:
    def fetch(encoding: str) -> tuple[str | None, str, str | None]:
        answer = edge.fetch("GET", "/assets/app-B3x9aZ0q.js", {"accept-encoding": encoding})
        return answer.headers.get("content-encoding"), answer.sha256, answer.decoded_sha256

    assert fetch("identity") == (None, digest(SCRIPT), digest(SCRIPT))
    assert fetch("gzip") == ("gzip", digest(GZIPPED), digest(SCRIPT))
    assert fetch("br") == ("br", digest(b"as brotli"), None)


def test_head_has_headers_and_no_bytes(edge: Edge) -> None:
    answer = edge.fetch("HEAD", "/assets/app-B3x9aZ0q.js", {"accept-encoding": "identity"})
    assert (answer.status, answer.headers["content-length"]) == (200, str(len(SCRIPT)))


def test_what_is_missing_is_an_answer_with_its_words(edge: Edge) -> None:
    answer = edge.fetch("GET", "/nothing.png", {})
    assert (answer.status, answer.said) == (403, "Access Denied")


def test_nobody_who_answers_is_an_error(edge: Edge) -> None:
    if isinstance(edge, FakeEdge):
        edge.down = True
    else:
        edge = HttpEdge(FakeEdge.domain, endpoint="http://127.0.0.1:9")
    with pytest.raises(CloudError, match=r"https://d111111abcdef8.cloudfront.net/ does not answer"):
        edge.fetch("GET", "/", {})


# -- HTTP alone -----------------------------------------------------------------------------------------------------


def test_the_distributions_name_stays_in_the_host_and_a_connection_is_kept(server: Server) -> None:
    edge = HttpEdge("d1.cloudfront.net", endpoint=server.url)
    for _ in range(3):
        edge.fetch("GET", "/", {})
    assert server.hosts == ["d1.cloudfront.net"] * 3
    assert len(server.connections) == 1


def test_a_connection_that_was_closed_meanwhile_is_made_again(server: Server) -> None:
    edge = HttpEdge("d1.cloudfront.net", endpoint=server.url)
    server.closing = True
    assert [edge.fetch("GET", "/", {}).status for _ in range(3)] == [200, 200, 200]
    assert len(server.connections) == 3


def test_a_redirect_is_not_followed(server: Server) -> None:
    assert HttpEdge("d1.cloudfront.net", endpoint=server.url).fetch("GET", "/moved.png", {}).status == 302


def test_the_endpoint_comes_from_the_environment_or_is_the_distribution_itself() -> None:
    assert HttpEdge.from_environment("d1.cloudfront.net", {})._host == "d1.cloudfront.net"
    assert (
        HttpEdge.from_environment("d1.cloudfront.net", {ENDPOINT_VARIABLE: "http://127.0.0.1:1"})._host == "127.0.0.1:1"
    )
    with pytest.raises(InvalidInput, match="BLUEGREEN_EDGE_ENDPOINT is 'localhost:1'; it must be a URL"):
        HttpEdge.from_environment("d1.cloudfront.net", {ENDPOINT_VARIABLE: "localhost:1"})
