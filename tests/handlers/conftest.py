"""CloudFormation's end of a custom resource."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


class Formation:
    """Where the answers arrive."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.sizes: list[int] = []
        self.arrived = threading.Event()
        formation = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                formation.sizes.append(len(data))
                formation.headers.append(dict(self.headers.items()))
                formation.answers.append(json.loads(data))
                self.send_response(200)
                self.end_headers()
                formation.arrived.set()

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/answer?X-Amz-Signature=top-secret"

    def event(self, kind: str = "Create", **values: Any) -> dict[str, Any]:
        return {
            "RequestType": kind,
            "ResponseURL": self.url,
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "Publish",
            "ResourceProperties": {"Name": "ada", "Password": "hunter2"},
            **({} if kind == "Create" else {"PhysicalResourceId": "before"}),
            **values,
        }

    @property
    def answer(self) -> dict[str, Any]:
        (only,) = self.answers
        return only


class Context:
    """A function with so much time left."""

    def __init__(self, seconds: float = 600) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self._seconds * 1000)


@pytest.fixture
def formation() -> Iterator[Formation]:
    made = Formation()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def context() -> Callable[..., Context]:
    """Makes the context of an invocation."""
    return Context
