"""What the simulator knows: the distribution as last read, and each edge location."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bluegreen_cdn.local.edge.cache import Cache
from bluegreen_cdn.local.edge.config import Distribution
from bluegreen_cdn.local.edge.functions.engine import Function
from bluegreen_cdn.local.edge.lambda_edge import LambdaWorker
from bluegreen_cdn.local.edge.policies import CachePolicy, OriginRequestPolicy, ResponseHeadersPolicy
from bluegreen_cdn.local.edge.stores import LocatedStore

DEFAULT_LOCATIONS = ("us-east-1", "eu-west-1", "ap-northeast-1")
ROUTING_KEY = "routing"
COUNTED = (
    *("requests", "generated", "hits", "misses", "errors"),
    *("origin_requests", "origin_failures", "function_errors", "lambda_errors"),
)


@dataclass(frozen=True, kw_only=True)
class LoadedFunction:
    """A CloudFront Function ready to run, with the KeyValueStores it may read."""

    etag: str
    function: Function
    store_arns: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Policies:
    """The policies that behaviours name, by id."""

    cache: Mapping[str, CachePolicy]
    origin_request: Mapping[str, OriginRequestPolicy]
    response_headers: Mapping[str, ResponseHeadersPolicy]


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """One consistent reading of a distribution and all it refers to."""

    etag: str
    distribution: Distribution
    functions: Mapping[str, LoadedFunction]
    lambdas: Mapping[str, LambdaWorker]
    policies: Policies

    def store_arns(self) -> set[str]:
        """Every KeyValueStore that some function may read."""
        return {arn for loaded in self.functions.values() for arn in loaded.store_arns}


@dataclass
class Location:
    """One edge location: its cache, its view of the KeyValueStores, what it counted."""

    name: str
    delay_seconds: float = 0.0
    cache: Cache = field(default_factory=Cache)
    stores: dict[str, LocatedStore] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    last_function_error: str = ""

    @property
    def pop(self) -> str:
        """The name of the edge location, in CloudFront's form."""
        return f"{self.name.replace('-', '').upper()}-SIM"

    @property
    def via(self) -> str:
        """The name of the edge server in `Via`."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:32] + ".cloudfront.net"

    def store(self, arn: str) -> LocatedStore:
        """This location's view of a KeyValueStore."""
        if arn not in self.stores:
            self.stores[arn] = LocatedStore(self.delay_seconds)
        return self.stores[arn]

    def status(self, now: float) -> dict[str, Any]:
        """What the admin port says of this location."""
        stores = {}
        routing: Any = None
        for arn, store in self.stores.items():
            snapshot = store.visible(now)
            stores[arn] = {"etag": snapshot.etag if snapshot else None, "fault": store.fault}
            if snapshot is not None and ROUTING_KEY in snapshot.items:
                routing = _json_or_text(snapshot.items[ROUTING_KEY])
        return {
            "routing": routing,
            "epoch": routing.get("epoch") if isinstance(routing, dict) else None,
            "stores": stores,
            "cached": len(self.cache),
            "last_function_error": self.last_function_error,
            **{name: self.counts[name] for name in COUNTED},
        }


@dataclass
class Edge:
    """Everything that requests, refreshes and the admin port share."""

    locations: dict[str, Location]
    loaded: Loaded | None = None
    problem: str = "no distribution has been read yet"
    request_headers_visible_in_response: bool = True
    """Whether viewer-response functions see the headers that the viewer-request function set: unconfirmed on AWS."""
    origin_faults: dict[str, int | None] = field(default_factory=dict)
    """Origin domain names, or buckets, that are set to fail: with a status, or unreachable (None)."""

    def locate(self, wanted: str | None, client_ip: str) -> Location:
        """The location that a viewer is served from: the one asked for, else one that stays the same for an address."""
        if wanted and wanted in self.locations:
            return self.locations[wanted]
        names = list(self.locations)
        return self.locations[names[int(hashlib.sha256(client_ip.encode()).hexdigest()[:8], 16) % len(names)]]


def make_locations(names: tuple[str, ...], propagation_seconds: float) -> dict[str, Location]:
    """The locations: changes reach the first soonest, and the last after the whole propagation time."""
    count = len(names)
    return {name: Location(name, propagation_seconds * (at + 1) / count) for at, name in enumerate(names)}


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
