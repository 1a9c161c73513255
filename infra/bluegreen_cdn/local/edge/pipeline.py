"""One request through one edge location, step by step."""

from __future__ import annotations

import secrets

from bluegreen_cdn.local.edge.answers import Answers
from bluegreen_cdn.local.edge.behaviors import match_behavior
from bluegreen_cdn.local.edge.config import Behavior
from bluegreen_cdn.local.edge.delivery import for_viewer
from bluegreen_cdn.local.edge.edge_functions import run_viewer_request, run_viewer_response
from bluegreen_cdn.local.edge.messages import Request, Response
from bluegreen_cdn.local.edge.origins import EdgeError, replace_uri
from bluegreen_cdn.local.edge.response_headers import apply_policy
from bluegreen_cdn.local.edge.state import Edge, Loaded, Location
from bluegreen_cdn.local.edge.visit import Trace, Visit, target_of


class Pipeline:
    """CloudFront's order of events: viewer request, cache, origin, viewer response."""

    def __init__(self, edge: Edge, answers: Answers) -> None:
        self._edge = edge
        self._answers = answers

    async def handle(self, location: Location, request: Request) -> tuple[Response, Trace]:
        """Answer one viewer."""
        trace = Trace(secrets.token_urlsafe(40))
        location.counts["requests"] += 1
        loaded = self._edge.loaded
        if loaded is None or not loaded.distribution.enabled:
            trace.result, trace.problem = "Error", self._edge.problem or "the distribution is disabled"
            return _finished(location, error_page(503, trace.problem), trace), trace
        behavior = match_behavior(loaded.distribution, request.uri)
        trace.behavior = behavior.pattern
        try:
            response = await self._behave(Visit(loaded, location, behavior, trace), request)
        except EdgeError as error:
            trace.result, trace.problem = error.result, str(error)
            response = error_page(error.status, str(error))
        return _finished(location, response, trace), trace

    async def _behave(self, visit: Visit, request: Request) -> Response:
        if request.method not in visit.behavior.methods:
            raise EdgeError(403, f"method {request.method} is not allowed here")
        viewed, chosen = run_viewer_request(visit, request)
        if isinstance(viewed, Response):
            visit.trace.result = "FunctionGeneratedResponse"
            visit.location.counts["generated"] += 1
            return _with_policy(visit.loaded, visit.behavior, viewed, request)
        root = visit.loaded.distribution.default_root_object
        if viewed.uri == "/" and root:
            viewed = replace_uri(viewed, f"/{root}")
        answer = await self._answers.get(visit, viewed, chosen or target_of(visit.loaded, visit.behavior))
        if answer.status >= 400:
            answer = await self._custom_error(visit, viewed, answer)
            return _with_policy(visit.loaded, visit.behavior, answer, request)
        answer = _with_policy(visit.loaded, visit.behavior, for_viewer(answer, viewed), request)
        if answer.status >= 400:
            return answer
        # Status 400 and above never reaches viewer-response functions, on CloudFront as here.
        seen = viewed if self._edge.request_headers_visible_in_response else request
        return run_viewer_response(visit, seen, answer)

    async def _custom_error(self, visit: Visit, request: Request, answer: Response) -> Response:
        """The page that the distribution answers an error with. No viewer-request function sees it: a known trap."""
        distribution = visit.loaded.distribution
        custom = distribution.custom_errors.get(answer.status)
        if custom is None or custom.page is None:
            return answer
        page_request = replace_uri(request, custom.page)
        page_request.method = "GET"
        behavior = match_behavior(distribution, custom.page)
        page_visit = Visit(visit.loaded, visit.location, behavior, visit.trace)
        try:
            page = await self._answers.get(page_visit, page_request, target_of(visit.loaded, behavior))
        except EdgeError:
            return answer
        visit.trace.result = "Error"
        if page.status >= 400:
            return answer
        page.status = custom.response_status or answer.status
        return page


def _with_policy(loaded: Loaded, behavior: Behavior, response: Response, request: Request) -> Response:
    if behavior.response_headers_policy:
        apply_policy(response, loaded.policies.response_headers[behavior.response_headers_policy], request)
    return response


def _finished(location: Location, response: Response, trace: Trace) -> Response:
    if response.status >= 400:
        location.counts["errors"] += 1
    headers = response.headers
    result = "Error" if trace.result == "OriginConnectError" else trace.result
    headers["x-cache"] = [f"{result} from cloudfront"]
    headers["via"] = [f"1.1 {location.via} (CloudFront)"]
    headers["x-amz-cf-pop"] = [location.pop]
    headers["x-amz-cf-id"] = [trace.request_id]
    return response


def error_page(status: int, explanation: str) -> Response:
    """CloudFront's error page, with the reason that CloudFront would only log."""
    escaped = explanation.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    title = "ERROR: The request could not be satisfied"
    body = f"<HTML><HEAD><TITLE>{title}</TITLE></HEAD><BODY><H1>{status} ERROR</H1><PRE>{escaped}</PRE></BODY></HTML>\n"
    return Response(status, {"content-type": ["text/html"], "server": ["CloudFront"]}, body.encode())
