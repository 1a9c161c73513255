"""A proxy before an S3 server that refuses, breaks off or lets through, as a test says."""

import http.client
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request on its way to the server.

    Attributes:
        number: Counted from 1.
        method: Such as `PUT`.
        path: With the query.
        headers: By lower-case name.
        repetition: How often the same method and path have come, this time included.
    """

    number: int
    method: str
    path: str
    headers: Mapping[str, str]
    repetition: int

    @property
    def is_manifest(self) -> bool:
        """Whether it is about the manifest of a build."""
        return "/manifests/" in self.path and ".json" in self.path


@dataclass(frozen=True)
class Refuse:
    """Answer with an error of S3's; to a HEAD without a body, as S3 does."""

    status: int
    code: str


@dataclass(frozen=True)
class BreakOff:
    """Close the connection after so many bytes of the server's answer."""

    after_bytes: int


Fault = Refuse | BreakOff | None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that end early, as those of clients do which are refused or killed."""
        if not isinstance(sys.exception(), OSError | http.client.HTTPException):
            super().handle_error(request, client_address)


class FaultyProxy:
    """Between a client and an S3 server.

    Args:
        upstream: The server's address.
        fault: What becomes of a request. Default: it goes through.

    Attributes:
        requests: All of them, in order.
        statuses: What each was answered with, by its number.
    """

    def __init__(self, upstream: str, fault: Callable[[Request], Fault] = lambda request: None) -> None:
        self.fault = fault
        self.requests: list[Request] = []
        self.statuses: dict[int, int] = {}
        proxy, server, lock = self, urlsplit(upstream), threading.Lock()
        seen: dict[tuple[str, str], int] = {}

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                with lock:
                    key = (self.command, self.path)
                    seen[key] = seen.get(key, 0) + 1
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    request = Request(
                        number=len(proxy.requests) + 1,
                        method=self.command, path=self.path, headers=headers, repetition=seen[key],
                    )  # fmt: skip
                    proxy.requests.append(request)
                    fault = proxy.fault(request)
                if isinstance(fault, Refuse):
                    proxy.statuses[request.number] = fault.status
                    said = f"<Error><Code>{fault.code}</Code><Message>told to</Message></Error>".encode()
                    self._answer(fault.status, {"Content-Type": "application/xml"}, said)
                    return
                connection = http.client.HTTPConnection(str(server.hostname), server.port, timeout=60)
                # The host is part of what is signed.
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() not in ("connection", "expect"):
                        connection.putheader(name, value)
                connection.endheaders(body)
                answer = connection.getresponse()
                data, status = answer.read(), answer.status
                connection.close()
                proxy.statuses[request.number] = status
                self._answer(status, dict(answer.getheaders()), data, fault)

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_one  # noqa: N815

            def handle_expect_100(self) -> bool:
                return super().handle_expect_100()

            def _answer(self, status: int, headers: Mapping[str, str], data: bytes, fault: Fault = None) -> None:
                self.send_response_only(status)
                for name, value in headers.items():
                    if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                        self.send_header(name, value)
                length = headers.get("Content-Length", str(len(data))) if self.command == "HEAD" else str(len(data))
                if not (self.command == "HEAD" and status >= 400):
                    self.send_header("Content-Length", length)
                self.end_headers()
                if self.command == "HEAD":
                    return
                if isinstance(fault, BreakOff):
                    self.wfile.write(data[: fault.after_bytes])
                    self.close_connection = True
                    return
                self.wfile.write(data)

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def of(self, method: str, part: str = "") -> list[Any]:
        """The requests of a method whose path has a part."""
        return [request for request in self.requests if request.method == method and part in request.path]
