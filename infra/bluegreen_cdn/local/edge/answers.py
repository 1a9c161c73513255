"""Whole answers, from a location's cache or from the origins."""

from __future__ import annotations

import asyncio
import secrets
import time

from bluegreen_cdn.local.edge.cache import Entry
from bluegreen_cdn.local.edge.cache_key import CacheKey, cache_key, normalized_accept_encoding, origin_request
from bluegreen_cdn.local.edge.delivery import compressed
from bluegreen_cdn.local.edge.freshness import ERROR_TTL_SECONDS, error_lifetime, lifetime, parse_cache_control
from bluegreen_cdn.local.edge.messages import Request, Response
from bluegreen_cdn.local.edge.origins import EdgeError, Origins
from bluegreen_cdn.local.edge.policies import CachePolicy, OriginRequestPolicy
from bluegreen_cdn.local.edge.visit import Target, Trace, Visit

NO_CACHING = CachePolicy(min_ttl=0, default_ttl=0, max_ttl=0)
NO_EXTRAS = OriginRequestPolicy()
_UNSTORABLE = frozenset({"no-store", "private", "no-cache"})
_NEEDS_PERMISSION = frozenset({302, 307})


class Answers:
    """The cache, and the way past it.

    A HEAD or a range on a cold cache fetches the whole object, where CloudFront may fetch less: what the viewer gets is
    the same.
    """

    def __init__(self, origins: Origins) -> None:
        self._origins = origins
        self._background: set[asyncio.Task[None]] = set()

    async def get(self, visit: Visit, request: Request, target: Target) -> Response:
        """The answer to a request as the viewer-request function left it; the caller may change its headers.

        Raises:
            EdgeError: when CloudFront itself has to answer.
        """
        policy = _policy(visit)
        if request.method not in visit.behavior.cached_methods or not policy.caches:
            visit.location.counts["misses"] += 1
            return (await self._ask(visit, _to_origin(visit, policy, request), target)).copy()
        key = cache_key(request, policy)
        cache = visit.location.cache
        may_wait = True
        while True:
            now = time.monotonic()
            entry = cache.get(key)
            if entry is not None and entry.is_fresh(now):
                return _hit(visit, entry, now)
            if entry is not None and entry.may_revalidate_later(now):
                self._refresh_later(visit, request, target, key)
                return _hit(visit, entry, now)
            under_way = cache.fetching.get(key)
            if under_way is None or not may_wait:
                return await self._fetch(visit, request, target, key)
            # Viewers who ask for the same meanwhile share one fetch; what may not be kept, each then asks for alone.
            await asyncio.wait([under_way])
            may_wait = False

    async def _fetch(self, visit: Visit, request: Request, target: Target, key: CacheKey) -> Response:
        """Ask for what the cache does not have, and let others wait for it."""
        visit.location.counts["misses"] += 1
        fetching = visit.location.cache.fetching
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        first = fetching.setdefault(key, mine) is mine
        try:
            return await self._fetch_and_keep(visit, request, target, key)
        finally:
            if first:
                del fetching[key]
                mine.set_result(None)

    async def _fetch_and_keep(self, visit: Visit, request: Request, target: Target, key: CacheKey) -> Response:
        policy = _policy(visit)
        old = visit.location.cache.get(key)
        sent = _whole_object(_to_origin(visit, policy, request), old)
        try:
            answer = await self._ask(visit, sent, target)
        except EdgeError as error:
            if old is not None and old.may_stand_in_for_error(time.monotonic()):
                return _stand_in(visit, old)
            if error.result == "OriginConnectError":
                _keep_error(visit, policy, key, request.uri, Response(error.status))
            raise
        now = time.monotonic()
        if answer.status == 304 and old is not None:
            visit.trace.result = "RefreshHit"
            return _renewed(old, answer, policy, now).response.copy()
        if answer.status >= 500 and old is not None and old.may_stand_in_for_error(now):
            return _stand_in(visit, old)
        if answer.status >= 400:
            _keep_error(visit, policy, key, request.uri, answer)
            return answer.copy()
        if visit.behavior.compress:
            encodings = normalized_accept_encoding(request.header("accept-encoding"), policy)
            answer = await asyncio.to_thread(compressed, answer, encodings)
        _keep(visit, policy, key, request.uri, answer)
        return answer.copy()

    async def _ask(self, visit: Visit, request: Request, target: Target) -> Response:
        answer = await self._origins.ask(visit, request, target)
        visit.trace.origin = answer.origin_id
        visit.trace.result = "LambdaGeneratedResponse" if answer.generated else "Miss"
        if answer.response.status >= 400:
            visit.trace.result = "Error"
        return answer.response

    def _refresh_later(self, visit: Visit, request: Request, target: Target, key: CacheKey) -> None:
        if key in visit.location.cache.fetching:
            return
        behind = Visit(visit.loaded, visit.location, visit.behavior, Trace(secrets.token_urlsafe(40)))

        async def refresh() -> None:
            try:
                await self._fetch(behind, request.copy(), target, key)
            except EdgeError:
                visit.location.counts["errors"] += 1

        task = asyncio.create_task(refresh())
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _policy(visit: Visit) -> CachePolicy:
    name = visit.behavior.cache_policy
    return visit.loaded.policies.cache[name] if name else NO_CACHING


def _to_origin(visit: Visit, policy: CachePolicy, request: Request) -> Request:
    name = visit.behavior.origin_request_policy
    return origin_request(request, policy, visit.loaded.policies.origin_request[name] if name else NO_EXTRAS)


def _whole_object(sent: Request, old: Entry | None) -> Request:
    """Ask for all of it, unless it is still what the cache holds."""
    sent.method = "GET" if sent.method == "HEAD" else sent.method
    for name in ("range", "if-range"):
        sent.headers.pop(name, None)
    if old is not None and old.response.status < 400 and old.origin_etag:
        sent.headers["if-none-match"] = [old.origin_etag]
    return sent


def _keep(visit: Visit, policy: CachePolicy, key: CacheKey, uri: str, answer: Response) -> None:
    life = lifetime(answer.headers, policy, time.time())
    directives = parse_cache_control(answer.header("cache-control"))
    silent = not directives and "expires" not in answer.headers
    if (life.fresh == 0 and directives.keys() & _UNSTORABLE) or (answer.status in _NEEDS_PERMISSION and silent):
        visit.location.cache.drop(key)
        return
    visit.location.cache.put(key, Entry(answer, life, time.monotonic(), uri))


def _keep_error(visit: Visit, policy: CachePolicy, key: CacheKey, uri: str, answer: Response) -> None:
    custom = visit.loaded.distribution.custom_errors.get(answer.status)
    life = error_lifetime(answer.status, answer.headers, policy, custom)
    if life.fresh > 0:
        visit.location.cache.put(key, Entry(answer, life, time.monotonic(), uri))


def _renewed(old: Entry, answer: Response, policy: CachePolicy, now: float) -> Entry:
    """The copy is still good; its lifetime, and the headers that the origin sent again, are new."""
    fresh = {
        name: values for name, values in answer.headers.items() if name not in ("etag", "content-encoding", "vary")
    }
    old.response.headers.update(fresh)
    old.lifetime = lifetime(old.response.headers, policy, time.time())
    old.stored, old.rest_until = now, 0.0
    return old


def _stand_in(visit: Visit, old: Entry) -> Response:
    """A stale answer instead of an error; the origin is left alone for a while."""
    now = time.monotonic()
    old.rest_until = now + ERROR_TTL_SECONDS
    return _hit(visit, old, now)


def _hit(visit: Visit, entry: Entry, now: float) -> Response:
    visit.location.counts["hits"] += 1
    visit.trace.result = "Hit" if entry.response.status < 400 else "Error"
    response = entry.response.copy()
    response.headers["age"] = [str(int(entry.age(now)))]
    return response
