"""One request through one edge location, step by step."""

from __future__ import annotations

import asyncio
import secrets
import time

from bluegreen_cdn.local.edge.behaviors import match_behavior
from bluegreen_cdn.local.edge.cache import Entry
from bluegreen_cdn.local.edge.cache_key import CacheKey, cache_key, normalized_accept_encoding, origin_request
from bluegreen_cdn.local.edge.config import Behavior, CachePolicy, Origin, OriginGroup, OriginRequestPolicy
from bluegreen_cdn.local.edge.delivery import compressed, for_viewer
from bluegreen_cdn.local.edge.edge_functions import Trace, run_viewer_request, run_viewer_response
from bluegreen_cdn.local.edge.freshness import ERROR_TTL_SECONDS, error_lifetime, lifetime, parse_cache_control
from bluegreen_cdn.local.edge.messages import Request, Response
from bluegreen_cdn.local.edge.origins import EdgeError, Origins, replace_uri
from bluegreen_cdn.local.edge.response_headers import apply_policy
from bluegreen_cdn.local.edge.state import Edge, Loaded, Location

NO_CACHING = CachePolicy(min_ttl=0, default_ttl=0, max_ttl=0)
NO_EXTRAS = OriginRequestPolicy()
Target = Origin | OriginGroup


class Pipeline:
    """CloudFront's order of events."""

    def __init__(self, edge: Edge, origins: Origins) -> None:
        self._edge = edge
        self._origins = origins
        self._background: set[asyncio.Task[None]] = set()

    async def handle(self, location: Location, request: Request) -> tuple[Response, Trace]:
        """Answer one viewer."""
        trace = Trace(secrets.token_urlsafe(40))
        location.counts["requests"] += 1
        loaded = self._edge.loaded
        if loaded is None or not loaded.distribution.enabled:
            trace.result, trace.problem = "Error", self._edge.problem or "the distribution is disabled"
            return self._finished(location, _error_page(503, trace.problem), trace), trace
        behavior = match_behavior(loaded.distribution, request.uri)
        trace.behavior = behavior.pattern
        try:
            response = await self._behave(loaded, behavior, location, request, trace)
        except EdgeError as error:
            trace.result, trace.problem = error.result, str(error)
            response = _error_page(error.status, str(error))
        return self._finished(location, response, trace), trace

    async def _behave(self, loaded: Loaded, behavior: Behavior, location: Location, request: Request, trace: Trace) -> Response:
        if request.method not in behavior.methods:
            raise EdgeError(403, f"method {request.method} is not allowed here")
        viewed, target = run_viewer_request(loaded, behavior, location, request, trace)
        if isinstance(viewed, Response):
            trace.result = "FunctionGeneratedResponse"
            location.counts["generated"] += 1
            return self._with_policy(loaded, behavior, viewed, request)
        if viewed.uri == "/" and loaded.distribution.default_root_object:
            viewed = replace_uri(viewed, f"/{loaded.distribution.default_root_object}")
        answer = await self._answer(loaded, behavior, location, viewed, target or _target(loaded, behavior), trace)
        if answer.status >= 400:
            answer = await self._custom_error(loaded, location, viewed, answer, trace)
            return self._with_policy(loaded, behavior, answer, request)
        answer = self._with_policy(loaded, behavior, for_viewer(answer, viewed), request)
        if answer.status >= 400:
            return answer
        seen = viewed if self._edge.request_headers_visible_in_response else request
        return run_viewer_response(loaded, behavior, location, seen, answer, trace)

    async def _answer(
        self, loaded: Loaded, behavior: Behavior, location: Location, request: Request, target: Target, trace: Trace
    ) -> Response:
        """The whole answer from the cache or from an origin."""
        policy = loaded.cache_policies[behavior.cache_policy] if behavior.cache_policy else NO_CACHING
        if request.method not in behavior.cached_methods or not policy.caches:
            location.counts["misses"] += 1
            sent = self._to_origin(loaded, behavior, policy, request)
            return (await self._ask(loaded, behavior, location, sent, target, trace)).copy()
        key = cache_key(request, policy)
        collapse = True
        while True:
            now = time.monotonic()
            entry = location.cache.get(key)
            if entry is not None and entry.is_fresh(now):
                return self._hit(location, entry, now, trace)
            if entry is not None and entry.response.status < 400 and entry.may_revalidate_later(now):
                self._refresh_later(loaded, behavior, location, request, target, key)
                return self._hit(location, entry, now, trace)
            under_way = location.cache.fetching.get(key)
            if under_way is None or not collapse:
                break
            # Viewers who ask for the same thing meanwhile share one fetch; what may not be cached, each then asks for alone.
            await asyncio.wait([under_way])
            collapse = False
        return await self._fetch(loaded, behavior, location, request, target, key, trace)

    async def _fetch(
        self, loaded: Loaded, behavior: Behavior, location: Location, request: Request, target: Target, key: CacheKey, trace: Trace
    ) -> Response:
        """Ask an origin for what the cache does not have, and keep the answer."""
        location.counts["misses"] += 1
        policy = loaded.cache_policies[behavior.cache_policy or ""]
        entry = location.cache.get(key)
        sent = self._to_origin(loaded, behavior, policy, request)
        sent.method = "GET" if request.method == "HEAD" else request.method
        sent.headers.pop("range", None)
        sent.headers.pop("if-range", None)
        etag = entry.response.header("etag") if entry is not None and entry.response.status < 400 else None
        if etag is not None and "content-encoding" not in (entry.response.headers if entry else {}):
            sent.headers["if-none-match"] = [etag]
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        first = location.cache.fetching.setdefault(key, done) is done
        try:
            return await self._fetch_and_keep(loaded, behavior, location, sent, target, key, entry, trace)
        finally:
            if first:
                del location.cache.fetching[key]
                done.set_result(None)

    async def _fetch_and_keep(
        self,
        loaded: Loaded,
        behavior: Behavior,
        location: Location,
        sent: Request,
        target: Target,
        key: CacheKey,
        entry: Entry | None,
        trace: Trace,
    ) -> Response:
        policy = loaded.cache_policies[behavior.cache_policy or ""]
        try:
            answer = await self._ask(loaded, behavior, location, sent, target, trace)
        except EdgeError as error:
            if entry is not None and entry.may_stand_in_for_error(time.monotonic()):
                return self._stand_in(location, entry, trace)
            if error.result == "OriginConnectError":
                page = _error_page(error.status, str(error))
                self._keep_error(loaded, location, policy, key, sent.uri, page)
            raise
        now = time.monotonic()
        if answer.status == 304 and entry is not None:
            # the copy is still good; its headers and lifetime are the new ones
            entry.response.headers.update(answer.headers)
            entry.lifetime = lifetime(entry.response.headers, policy, time.time())
            entry.stored = now
            trace.result = "RefreshHit"
            return entry.response.copy()
        if answer.status >= 400:
            if answer.status >= 500 and entry is not None and entry.may_stand_in_for_error(now):
                return self._stand_in(location, entry, trace)
            self._keep_error(loaded, location, policy, key, sent.uri, answer)
            return answer.copy()
        if behavior.compress:
            encodings = normalized_accept_encoding(sent.header("accept-encoding"), policy)
            answer = await asyncio.to_thread(compressed, answer, encodings)
        life = lifetime(answer.headers, policy, time.time())
        directives = parse_cache_control(answer.header("cache-control"))
        if life.fresh > 0 or not directives.keys() & {"no-store", "private", "no-cache"}:
            location.cache.put(key, Entry(answer, life, now, sent.uri))
        else:
            location.cache.drop(key)
        return answer.copy()

    def _keep_error(
        self, loaded: Loaded, location: Location, policy: CachePolicy, key: CacheKey, uri: str, answer: Response
    ) -> None:
        life = error_lifetime(answer.status, answer.headers, policy, loaded.distribution.custom_errors.get(answer.status))
        if life.fresh > 0:
            location.cache.put(key, Entry(answer, life, time.monotonic(), uri))

    def _stand_in(self, location: Location, entry: Entry, trace: Trace) -> Response:
        """A stale answer instead of an error; the origin is left alone for a while."""
        now = time.monotonic()
        entry.rest_until = now + ERROR_TTL_SECONDS
        return self._hit(location, entry, now, trace)

    def _hit(self, location: Location, entry: Entry, now: float, trace: Trace) -> Response:
        location.counts["hits"] += 1
        trace.result = "Hit" if entry.response.status < 400 else "Error"
        response = entry.response.copy()
        response.headers["age"] = [str(int(entry.age(now)))]
        return response

    def _refresh_later(
        self, loaded: Loaded, behavior: Behavior, location: Location, request: Request, target: Target, key: CacheKey
    ) -> None:
        if key in location.cache.fetching:
            return

        async def refresh() -> None:
            try:
                await self._fetch(loaded, behavior, location, request, target, key, Trace(secrets.token_urlsafe(40)))
            except EdgeError:
                location.counts["errors"] += 1

        task = asyncio.create_task(refresh())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _to_origin(self, loaded: Loaded, behavior: Behavior, policy: CachePolicy, request: Request) -> Request:
        extra = NO_EXTRAS
        if behavior.origin_request_policy:
            extra = loaded.origin_request_policies[behavior.origin_request_policy]
        return origin_request(request, policy, extra)

    async def _ask(
        self, loaded: Loaded, behavior: Behavior, location: Location, request: Request, target: Target, trace: Trace
    ) -> Response:
        answer = await self._origins.ask(loaded, behavior, location, request, target, trace.request_id)
        trace.origin = answer.origin_id
        trace.result = "LambdaGeneratedResponse" if answer.generated else "Miss"
        if answer.response.status >= 400:
            trace.result = "Error"
        return answer.response

    async def _custom_error(self, loaded: Loaded, location: Location, request: Request, answer: Response, trace: Trace) -> Response:
        """The page that the distribution answers an error with. No viewer-request function sees it: a known trap."""
        custom = loaded.distribution.custom_errors.get(answer.status)
        if custom is None or custom.page is None:
            return answer
        page_request = replace_uri(request, custom.page)
        page_request.method = "GET"
        behavior = match_behavior(loaded.distribution, custom.page)
        try:
            page = await self._answer(loaded, behavior, location, page_request, _target(loaded, behavior), trace)
        except EdgeError:
            return answer
        trace.result = "Error"
        if page.status >= 400:
            return answer
        page.status = custom.response_status or answer.status
        return page

    def _with_policy(self, loaded: Loaded, behavior: Behavior, response: Response, request: Request) -> Response:
        if behavior.response_headers_policy:
            apply_policy(response, loaded.response_headers_policies[behavior.response_headers_policy], request)
        return response

    def _finished(self, location: Location, response: Response, trace: Trace) -> Response:
        if response.status >= 400:
            location.counts["errors"] += 1
        headers = response.headers
        word = {"Hit": "Hit", "Miss": "Miss", "RefreshHit": "RefreshHit", "OriginConnectError": "Error"}.get(trace.result, trace.result)
        headers["x-cache"] = [f"{word} from cloudfront"]
        headers["via"] = [f"1.1 {location.via} (CloudFront)"]
        headers["x-amz-cf-pop"] = [location.pop]
        headers["x-amz-cf-id"] = [trace.request_id]
        return response


def _target(loaded: Loaded, behavior: Behavior) -> Target:
    groups = loaded.distribution.origin_groups
    return groups.get(behavior.target) or loaded.distribution.origins[behavior.target]


def _error_page(status: int, explanation: str) -> Response:
    """CloudFront's error page, with the reason that CloudFront would only log."""
    body = f"<HTML><HEAD><TITLE>ERROR: The request could not be satisfied</TITLE></HEAD><BODY><H1>{status} ERROR</H1><PRE>{_escaped(explanation)}</PRE></BODY></HTML>\n"
    return Response(status, {"content-type": ["text/html"], "server": ["CloudFront"]}, body.encode())


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
