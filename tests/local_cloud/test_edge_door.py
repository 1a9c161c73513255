"""Functions reach a distribution by its own name: through the local cloud, at the edge simulator."""

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.local_cloud.conftest import Aws

pytestmark = [pytest.mark.cloud, pytest.mark.xdist_group("local-cloud")]


class Edge:
    """Says what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        edge = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                edge.asked.append(
                    (self.command, self.path, {name.lower(): value for name, value in self.headers.items()})
                )
                self.send_response(206)
                self.send_header("content-encoding", "gzip")
                self.send_header("content-length", "3")
                self.send_header("set-cookie", "a=1")
                self.send_header("set-cookie", "b=2")
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else b"\x1f\x8b\x00")

            do_HEAD = do_GET  # noqa: N815  the name that the server looks for

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def edge() -> Iterator[Edge]:
    made = Edge()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def ask(aws: Aws, path: str, method: str = "GET") -> tuple[Any, bytes]:
    connection = http.client.HTTPConnection(urlsplit(aws.cloud.endpoint).netloc, timeout=10)
    connection.request(
        method, path, headers={"host": "d123.cloudfront.net", "accept-encoding": "gzip", "cookie": "c=1"}
    )
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def test_a_distributions_name_leads_to_the_edge_with_everything_as_it_was(aws: Aws, edge: Edge) -> None:
    aws.cloud.connect_edge(edge.url)
    answer, body = ask(aws, "/a%20b/%5Bslug%5D?x=1%262")
    ((method, path, headers),) = edge.asked
    assert (method, path) == ("GET", "/a%20b/%5Bslug%5D?x=1%262")
    assert (headers["host"], headers["accept-encoding"], headers["cookie"]) == ("d123.cloudfront.net", "gzip", "c=1")
    assert (answer.status, body, answer.headers["content-encoding"]) == (206, b"\x1f\x8b\x00", "gzip")
    assert answer.headers.get_all("set-cookie") == ["a=1", "b=2"]
    head, body = ask(aws, "/", "HEAD")
    assert (head.status, head.headers["content-length"], body) == (206, "3", b"")


def test_an_edge_that_is_not_there_is_an_answer_that_nobody_takes_for_a_page(aws: Aws, edge: Edge) -> None:
    aws.cloud.admin("edge", {"url": None})
    answer, body = ask(aws, "/")
    assert answer.status == 503
    assert b"no edge simulator is in front of this local cloud" in body
    aws.cloud.connect_edge("http://127.0.0.1:9")
    answer, body = ask(aws, "/")
    assert answer.status == 503
    assert b"the edge simulator at http://127.0.0.1:9 does not answer" in body
