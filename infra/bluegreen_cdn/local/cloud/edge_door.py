"""The way from this cloud's functions to its edge: distributions' own names lead to the edge simulator.

On AWS a name ending in `.cloudfront.net` resolves to the edge. Here a function connects to the cloud with that name in
`host`, and is sent on to the simulator, which may have been started after the cloud. Without one it is told so: a fetch
that nobody answered must not look like one that went well.
"""

import asyncio
import http.client
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

Asgi = Callable[[Any, Any, Any], Awaitable[None]]
_SUFFIX = b".cloudfront.net"
_TIMEOUT_SECONDS = 60
_NO_EDGE = (
    "no edge simulator is in front of this local cloud, so nothing can be fetched through its distribution: start one "
    "(`bluegreen local start` does), and deploy again"
)
_OWN = {b"connection", b"transfer-encoding", b"keep-alive", b"date", b"server"}
_Response = tuple[int, list[tuple[bytes, bytes]], bytes]


class EdgeDoor:
    """Sends requests for distributions on to the edge simulator.

    Attributes:
        url: Where it is; None while there is none.
    """

    def __init__(self) -> None:
        self.url: str | None = None

    def before(self, app: Asgi) -> Asgi:
        """Put the door in front of the cloud."""

        async def serve(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http" or not _host(scope["headers"]).endswith(_SUFFIX):
                await app(scope, receive, send)
                return
            status, headers, body = await asyncio.to_thread(self._fetch, scope)
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

        return serve

    def _fetch(self, scope: Any) -> _Response:
        if self.url is None:
            return _refusal(_NO_EDGE)
        query = scope.get("query_string", b"")
        uri = (scope["raw_path"] + (b"?" + query if query else b"")).decode("latin-1")
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=_TIMEOUT_SECONDS)
        try:
            connection.putrequest(scope["method"], uri, skip_host=True, skip_accept_encoding=True)
            for name, value in scope["headers"]:
                if name not in _OWN:
                    connection.putheader(name.decode("latin-1"), value)
            connection.endheaders()
            response = connection.getresponse()
            pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.getheaders()]
            return response.status, [pair for pair in pairs if pair[0] not in _OWN], response.read()
        except (OSError, http.client.HTTPException) as error:
            return _refusal(f"the edge simulator at {self.url} does not answer ({error}): start it again")
        finally:
            connection.close()


def _host(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return next((value.partition(b":")[0].lower() for name, value in headers if name == b"host"), b"")


def _refusal(why: str) -> _Response:
    return 503, [(b"content-type", b"text/plain")], why.encode()
