"""The viewers' side: HTTP in, the pipeline, HTTP out, one line in the access log."""

from __future__ import annotations

import time
import traceback

from aiohttp import web
from multidict import CIMultiDict

from bluegreen_cdn.local.edge.access_log import AccessLog
from bluegreen_cdn.local.edge.messages import Headers, Request, Response, format_query, parse_cookies, parse_query
from bluegreen_cdn.local.edge.pipeline import Pipeline
from bluegreen_cdn.local.edge.state import Edge, Location
from bluegreen_cdn.local.edge.visit import Trace

LOCATION_HEADER = "x-bluegreen-sim-location"
VIEWER_IP_HEADER = "x-bluegreen-sim-viewer-ip"
_OWN = frozenset({LOCATION_HEADER, VIEWER_IP_HEADER})
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te", "trailer"}
)
_BODYLESS = frozenset({204, 304})


class Front:
    """An `aiohttp` request handler."""

    def __init__(self, edge: Edge, pipeline: Pipeline, log: AccessLog) -> None:
        self._edge = edge
        self._pipeline = pipeline
        self._log = log

    async def __call__(self, incoming: web.BaseRequest) -> web.StreamResponse:
        """Answer one viewer."""
        started = time.time()
        request = await read_request(incoming)
        location = self._edge.locate(incoming.headers.get(LOCATION_HEADER), request.client_ip)
        response, trace = await self._answered(location, request)
        self._log.write(
            {
                "time": round(started, 3),
                "seconds": round(time.time() - started, 4),
                "location": location.name,
                "client_ip": request.client_ip,
                "host": incoming.host,
                "method": request.method,
                "uri": request.uri,
                "query": format_query(request.query),
                "status": response.status,
                "bytes": len(response.body),
                "result": trace.result,
                "behavior": trace.behavior,
                "origin": trace.origin,
                "request_id": trace.request_id,
                "custom_data": "".join(trace.custom_data),
                **({"problem": trace.problem} if trace.problem else {}),
                **({"function_log": trace.function_log} if trace.function_log else {}),
            }
        )
        return write_response(response)

    async def _answered(self, location: Location, request: Request) -> tuple[Response, Trace]:
        try:
            return await self._pipeline.handle(location, request)
        except Exception as error:
            # A fault of the simulator must not look like one of the site: no status of CloudFront's own.
            traceback.print_exc()
            trace = Trace("simulator-fault", result="SimulatorFault", problem=f"{type(error).__name__}: {error}")
            return Response(500, {"content-type": ["text/plain"]}, f"edge simulator: {error}\n".encode()), trace


async def read_request(incoming: web.BaseRequest) -> Request:
    """The viewer's request; the path and the query string stay encoded as they were sent."""
    path, _, query = incoming.raw_path.partition("?")
    if not path.startswith("/"):  # absolute form, as proxies send it
        path = "/" + path.partition("://")[2].partition("/")[2]
    headers: Headers = {}
    for name, value in incoming.headers.items():
        lower = name.lower()
        if lower not in _HOP_BY_HOP and lower not in _OWN:
            headers.setdefault(lower, []).append(value)
    cookies = parse_cookies(headers.pop("cookie", []))
    client_ip = incoming.headers.get(VIEWER_IP_HEADER) or incoming.remote or "127.0.0.1"
    body = await incoming.read() if incoming.can_read_body else b""
    return Request(incoming.method, path, parse_query(query), headers, cookies, body, client_ip)


def write_response(response: Response) -> web.Response:
    """The answer as it goes over the wire."""
    headers: CIMultiDict[str] = CIMultiDict()
    for name, values in response.headers.items():
        if name not in _HOP_BY_HOP and name != "content-length":
            for value in values:
                headers.add(name, value)
    headers.setdefault("server", "CloudFront")
    if response.status in _BODYLESS:
        return web.Response(status=response.status, headers=headers)
    # For HEAD aiohttp sends no body, and takes the length from the one it was given.
    return web.Response(status=response.status, headers=headers, body=response.body)
