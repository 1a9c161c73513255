"""The admin API under `/_bluegreen_local/`: health, timeline and faults for the outside."""

import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs

from bluegreen_cdn.local.cloud.edge_door import EdgeDoor
from bluegreen_cdn.local.cloud.extension import Extension

PREFIX = "/_bluegreen_local/"
Asgi = Callable[[Any, Any, Any], Awaitable[None]]


class AdminError(Exception):
    """A request that the admin API refuses."""


class Admin:
    """Answers admin requests as JSON.

    GET  /_bluegreen_local/health     pid, time scale, token of this instance
    GET  /_bluegreen_local/timeline   events; ?since=<sequence>&kind=<kind>
    POST /_bluegreen_local/edge       {"url": …}: the edge simulator in front of this cloud
    """

    def __init__(self, extension: Extension, instance: str, door: EdgeDoor) -> None:
        self._extension = extension
        self._instance = instance
        self._door = door

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        """Answer one request.

        Raises:
            AdminError: No such path, or a body that means nothing.
        """
        match (method, path.removeprefix(PREFIX)):
            case ("GET", "health"):
                return {
                    "pid": os.getpid(),
                    "instance": self._instance,
                    "time_scale": self._extension.clock.time_scale,
                    "started": self._extension.clock.started,
                }
            case ("GET", "timeline"):
                entries = self._extension.timeline.since(int(query.get("since", 0)), query.get("kind"))
                return {"now": self._extension.clock.now(), "events": entries}
            case ("POST", "edge"):
                self._door.url = body["url"]
                return {"url": self._door.url}
            case ("GET", "faults"):
                return self._extension.faults.all()
            case ("POST", "faults"):
                return asdict(self._extension.faults.add(body))
            case ("POST", "mend"):
                self._extension.faults.remove(body.get("id"))
                return self._extension.faults.all()
        raise AdminError(f"no admin operation {method} {path}")


def with_admin(app: Asgi, admin: Admin) -> Asgi:
    """Put the admin API in front of the cloud."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await app(scope, receive, send)
            return
        raw = await _body(receive)
        query = {name: values[0] for name, values in parse_qs(scope.get("query_string", b"").decode()).items()}
        try:
            status, answer = 200, admin.answer(scope["method"], scope["path"], query, json.loads(raw or b"null"))
        except (AdminError, ValueError, KeyError, TypeError) as error:
            status, answer = 400, {"error": str(error)}
        payload = json.dumps(answer, default=str).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(payload)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": payload})

    return serve


async def _body(receive: Any) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)
