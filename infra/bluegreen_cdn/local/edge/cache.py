"""One location's cache: least recently used out first, one fetch for many viewers."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from bluegreen_cdn.local.edge.behaviors import pattern_matches
from bluegreen_cdn.local.edge.cache_key import CacheKey
from bluegreen_cdn.local.edge.freshness import Lifetime
from bluegreen_cdn.local.edge.messages import Response

CACHE_MAXIMUM_BYTES = 256 * 1024 * 1024
ENTRY_OVERHEAD_BYTES = 1_024


@dataclass(slots=True)
class Entry:
    """A cached answer.

    Attributes:
        stored: When it was last found valid (monotonic seconds).
        uri: The path of its key, for invalidations.
        rest_until: Until then it stands in for an origin that failed, without asking again (monotonic seconds).
    """

    response: Response
    lifetime: Lifetime
    stored: float
    uri: str
    rest_until: float = 0.0

    @property
    def origin_etag(self) -> str | None:
        """The origin's ETag, where this is what the origin sent: a copy that was compressed here has another one."""
        return None if "content-encoding" in self.response.headers else self.response.header("etag")

    def age(self, now: float) -> float:
        """Seconds since it was last found valid."""
        return max(now - self.stored, 0.0)

    def is_fresh(self, now: float) -> bool:
        """Whether it may be served as it is."""
        return self.age(now) < self.lifetime.fresh or now < self.rest_until

    def may_revalidate_later(self, now: float) -> bool:
        """Whether it may be served now and refreshed behind the viewer's back."""
        return self.age(now) < self.lifetime.fresh + self.lifetime.stale_while_revalidate

    def may_stand_in_for_error(self, now: float) -> bool:
        """Whether it may be served because the origin fails."""
        return self.response.status < 400 and self.age(now) < self.lifetime.fresh + self.lifetime.stale_if_error


class Cache:
    """Answers by key, with the fetches under way."""

    def __init__(self, maximum_bytes: int = CACHE_MAXIMUM_BYTES) -> None:
        self._maximum_bytes = maximum_bytes
        self._entries: OrderedDict[CacheKey, Entry] = OrderedDict()
        self._bytes = 0
        self.fetching: dict[CacheKey, asyncio.Future[None]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: CacheKey) -> Entry | None:
        """The entry of a key, fresh or not."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: CacheKey, entry: Entry) -> None:
        """Keep an entry, and drop the least recently used ones that no longer fit."""
        self.drop(key)
        self._entries[key] = entry
        self._bytes += len(entry.response.body) + ENTRY_OVERHEAD_BYTES
        while self._bytes > self._maximum_bytes and len(self._entries) > 1:
            self.drop(next(iter(self._entries)))

    def drop(self, key: CacheKey) -> None:
        """Forget one entry."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= len(entry.response.body) + ENTRY_OVERHEAD_BYTES

    def invalidate(self, pattern: str) -> int:
        """Forget every entry whose path matches an invalidation; returns how many."""
        matching = [key for key, entry in self._entries.items() if pattern_matches(pattern, entry.uri)]
        for key in matching:
            self.drop(key)
        return len(matching)
