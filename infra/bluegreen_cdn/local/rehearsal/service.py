"""A service of somebody else, on loopback: pages of some builds ask it, and it can be down."""

import http.server
import socket
import threading

from bluegreen_cdn.local.cloud.environment import HOST


class Service:
    """Answers every GET with 200, or with 503 while it is down.

    Its address is known from the beginning, because builds have it in their scripts; it listens once it is started.
    """

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            self._port = int(probe.getsockname()[1])
        self._server: http.server.ThreadingHTTPServer | None = None
        self.down = False
        self.answered = 0

    @property
    def url(self) -> str:
        """What pages ask."""
        return f"http://{HOST}:{self._port}/health"

    def start(self) -> None:
        """Begin to listen; harmless when it does already."""
        if self._server is not None:
            return
        service = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.answered += 1
                self.send_response(503 if service.down else 200)
                self.send_header("Access-Control-Allow-Origin", "*")
                self.send_header("Cache-Control", "no-store")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = http.server.ThreadingHTTPServer((HOST, self._port), Answer)
        threading.Thread(target=self._server.serve_forever, daemon=True, name="service").start()

    def close(self) -> None:
        """Stop listening."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
