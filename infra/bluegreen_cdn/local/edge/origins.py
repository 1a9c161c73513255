"""Asking the origins: custom headers, access control, Lambda@Edge around it, and the second origin of a group."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from bluegreen_cdn.local.edge import lambda_events
from bluegreen_cdn.local.edge.cloud import CloudView, OriginUnreachable
from bluegreen_cdn.local.edge.config import Origin, OriginGroup
from bluegreen_cdn.local.edge.functions.events import InvalidResult
from bluegreen_cdn.local.edge.gates import Gates
from bluegreen_cdn.local.edge.lambda_edge import LambdaFailed
from bluegreen_cdn.local.edge.messages import Request, Response, format_query
from bluegreen_cdn.local.edge.state import Edge, Loaded, Location
from bluegreen_cdn.local.edge.visit import Target, Visit

FAILOVER_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_DROPPED = frozenset(
    [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "content-length",
        "x-amz-request-id",
        "x-amz-id-2",
        "x-amz-version-id",
        "x-amz-server-side-encryption",
        "x-amz-checksum-type",
    ]
)


class EdgeError(Exception):
    """CloudFront itself answers with an error."""

    def __init__(self, status: int, message: str, result: str = "Error") -> None:
        super().__init__(message)
        self.status = status
        self.result = result


@dataclass(frozen=True, slots=True)
class OriginAnswer:
    """An origin's answer, and how it came about."""

    response: Response
    generated: bool = False
    origin_id: str = ""


class Origins:
    """The way from the edge to the origins."""

    def __init__(self, cloud: CloudView, edge: Edge, executor: Executor) -> None:
        self._cloud = cloud
        self._edge = edge
        self._executor = executor
        self._gates = Gates(cloud)

    async def ask(self, visit: Visit, request: Request, target: Target) -> OriginAnswer:
        """Ask an origin, and the second of a group when the first fails.

        Raises:
            EdgeError: when no origin can be reached, or a Lambda@Edge function fails.
        """
        members, failing = [], frozenset[int]()
        if isinstance(target, OriginGroup):
            members = [visit.loaded.distribution.origins[name] for name in target.members]
            failing = target.failover_statuses
        else:
            members = [target]
        if request.method not in FAILOVER_METHODS:
            members = members[:1]
        answer: OriginAnswer | None = None
        unreachable = ""
        for origin in members:
            try:
                answer = await self._ask_one(visit, request.copy(), origin)
            except OriginUnreachable as error:
                visit.location.counts["origin_failures"] += 1
                unreachable = str(error)
                continue
            if answer.response.status not in failing:
                return answer
        if answer is None:
            raise EdgeError(502, f"the origin cannot be reached: {unreachable}", "OriginConnectError")
        return answer

    async def _ask_one(self, visit: Visit, request: Request, origin: Origin) -> OriginAnswer:
        generated = False
        original = origin
        response: Response | None = None
        lambdas, request_id = visit.behavior.lambdas, visit.trace.request_id
        if "origin-request" in lambdas:
            event = lambda_events.origin_event(visit.loaded.distribution, "origin-request", request_id, request, origin)
            value = await self._invoke(visit, lambdas["origin-request"], event)
            try:
                if lambda_events.is_response(value):
                    response, generated = lambda_events.read_response(value, None, "origin-request"), True
                else:
                    request, origin = lambda_events.read_request(value, request, origin)
            except InvalidResult as error:
                raise _invalid(visit.location, str(error)) from None
        if response is None:
            if origin.domain_name != original.domain_name and original.access_control_id:
                # The signature is made for the origin that the distribution names.
                response = Response(403, {"content-type": ["application/xml"]}, _xml("SignatureDoesNotMatch"))
            else:
                response = await self._fetch(visit, request, origin)
        if "origin-response" in lambdas:
            event = lambda_events.origin_event(
                visit.loaded.distribution, "origin-response", request_id, request, origin, response
            )
            value = await self._invoke(visit, lambdas["origin-response"], event)
            try:
                response = lambda_events.read_response(value, response, "origin-response")
            except InvalidResult as error:
                raise _invalid(visit.location, str(error)) from None
        return OriginAnswer(response, generated, original.id)

    async def _invoke(self, visit: Visit, arn: str, event: dict[str, Any]) -> Any:
        try:
            return await visit.loaded.lambdas[arn].invoke(event)
        except LambdaFailed as error:
            visit.location.counts["lambda_errors"] += 1
            visit.location.last_function_error = f"{arn}: {error}"
            raise EdgeError(503, str(error), "LambdaExecutionError") from None

    async def _fetch(self, visit: Visit, request: Request, origin: Origin) -> Response:
        visit.location.counts["origin_requests"] += 1
        for name in (origin.id, origin.domain_name, origin.bucket):
            if name in self._edge.origin_faults:
                status = self._edge.origin_faults[name]
                if status is None:
                    raise OriginUnreachable(f"origin {name!r} is set unreachable")
                return Response(status, {"content-type": ["text/plain"]}, b"ordered fault\n")
        for name, value in origin.custom_headers:
            request.headers[name] = [value]
        request.headers["via"] = [f"2.0 {visit.location.via} (CloudFront)"]
        request.headers["x-amz-cf-id"] = ["simulated"]
        request.headers.setdefault("x-forwarded-for", []).append(request.client_ip)
        loop = asyncio.get_running_loop()
        answer = self._from_server if origin.bucket is None else self._from_bucket
        response = await loop.run_in_executor(self._executor, answer, visit.loaded, request, origin)
        kept = {name: values for name, values in response.headers.items() if name not in _DROPPED}
        return Response(response.status, kept, response.body)

    def _from_server(self, loaded: Loaded, request: Request, origin: Origin) -> Response:
        if not self._gates.may_invoke(origin, loaded.distribution.arn):
            return Response(403, {"content-type": ["application/json"]}, b'{"Message":"Forbidden"}')
        sent = replace_uri(request, origin.path + request.uri)
        return self._cloud.fetch(origin, sent, format_query(request.query))

    def _from_bucket(self, loaded: Loaded, request: Request, origin: Origin) -> Response:
        assert origin.bucket is not None  # noqa: S101
        assert origin.region is not None  # noqa: S101
        if request.method not in ("GET", "HEAD"):
            return Response(405, {"content-type": ["application/xml"]}, _xml("MethodNotAllowed"))
        key = unquote(origin.path + request.uri).removeprefix("/")
        denied = Response(403, {"content-type": ["application/xml"], "server": ["AmazonS3"]}, _xml("AccessDenied"))
        if not key or not self._gates.may_read(origin, key, loaded.distribution.arn):
            return denied
        response = self._cloud.get_object(origin.bucket, origin.region, key, request)
        if response.status == 404 and not self._gates.may_list(origin, loaded.distribution.arn):
            return denied  # S3 does not tell strangers what is missing
        return response


def replace_uri(request: Request, uri: str) -> Request:
    """The same request for another path."""
    return replace(request, uri=uri)


def _invalid(location: Location, message: str) -> EdgeError:
    location.counts["lambda_errors"] += 1
    location.last_function_error = message
    return EdgeError(502, message, "LambdaValidationError")


def _xml(code: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code></Error>'.encode()
