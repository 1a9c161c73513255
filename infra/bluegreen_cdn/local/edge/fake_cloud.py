"""A cloud in memory, for tests: set what it should hold, read what it was asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bluegreen_cdn.local.edge.cloud import (
    CloudUnavailable,
    DistributionRecord,
    FunctionRecord,
    FunctionUrlRecord,
    Invalidation,
    LambdaRecord,
    OriginUnreachable,
    StoreSnapshot,
)
from bluegreen_cdn.local.edge.config import Origin
from bluegreen_cdn.local.edge.messages import Request, Response

T = TypeVar("T")


@dataclass
class FakeCloud:
    """A `CloudView` without a cloud.

    Attributes:
        objects: (bucket, key) -> (headers, body).
        sites: Origin domain name -> what answers there.
        unreachable: Buckets and domain names that do not answer.
        asked: (bucket or domain name, key or URI) of every request that reached an origin.
    """

    distributions: dict[str, DistributionRecord] = field(default_factory=dict)
    functions: dict[str, FunctionRecord] = field(default_factory=dict)
    cache_policies: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    origin_request_policies: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    response_headers_policies: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    lambdas: dict[str, LambdaRecord] = field(default_factory=dict)
    stores: dict[str, StoreSnapshot] = field(default_factory=dict)
    invalidated: list[Invalidation] = field(default_factory=list)
    policies: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    objects: dict[tuple[str, str], tuple[Mapping[str, str], bytes]] = field(default_factory=dict)
    sites: dict[str, Callable[[Request], Response]] = field(default_factory=dict)
    function_urls: dict[str, FunctionUrlRecord] = field(default_factory=dict)
    unreachable: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def put_store(self, arn: str, **items: str) -> None:
        """Replace a KeyValueStore's content under a new ETag."""
        text = repr(sorted(items.items()))
        self.stores[arn] = StoreSnapshot(etag=hashlib.sha256(text.encode()).hexdigest()[:12], items=items)

    def distribution_ids(self) -> Sequence[str]:
        """See `CloudView`."""
        return list(self.distributions)

    def distribution(self, distribution_id: str) -> DistributionRecord:
        """See `CloudView`."""
        return _found(self.distributions, distribution_id)

    def function_etag(self, arn: str) -> str:
        """See `CloudView`."""
        return _found(self.functions, arn).etag

    def function(self, arn: str) -> FunctionRecord:
        """See `CloudView`."""
        return _found(self.functions, arn)

    def cache_policy(self, policy_id: str) -> Mapping[str, Any]:
        """See `CloudView`."""
        return _found(self.cache_policies, policy_id)

    def origin_request_policy(self, policy_id: str) -> Mapping[str, Any]:
        """See `CloudView`."""
        return _found(self.origin_request_policies, policy_id)

    def response_headers_policy(self, policy_id: str) -> Mapping[str, Any]:
        """See `CloudView`."""
        return _found(self.response_headers_policies, policy_id)

    def lambda_version(self, arn: str) -> LambdaRecord:
        """See `CloudView`."""
        return _found(self.lambdas, arn)

    def store_etag(self, arn: str) -> str:
        """See `CloudView`."""
        return _found(self.stores, arn).etag

    def store(self, arn: str) -> StoreSnapshot:
        """See `CloudView`."""
        return _found(self.stores, arn)

    def invalidations(self, distribution_id: str) -> Sequence[Invalidation]:
        """See `CloudView`."""
        return list(self.invalidated)

    def bucket_policy(self, bucket: str, region: str) -> Mapping[str, Any] | None:
        """See `CloudView`."""
        return self.policies.get(bucket)

    def get_object(self, bucket: str, region: str, key: str, request: Request) -> Response:
        """See `CloudView`."""
        self.asked.append((bucket, key))
        if bucket in self.unreachable:
            raise OriginUnreachable(f"bucket {bucket!r} is set unreachable")
        found = self.objects.get((bucket, key))
        if found is None:
            return Response(404, {"content-type": ["application/xml"]}, b"<Error><Code>NoSuchKey</Code></Error>")
        given, body = found
        headers = {"etag": [f'"{hashlib.md5(body).hexdigest()}"'], "content-type": ["application/octet-stream"]}  # noqa: S324
        headers.update({name: [value] for name, value in given.items()})
        if request.header("if-none-match") == headers["etag"][0]:
            return Response(304, headers)
        return Response(200, headers, b"" if request.method == "HEAD" else body)

    def function_url(self, domain_name: str) -> FunctionUrlRecord | None:
        """See `CloudView`."""
        return self.function_urls.get(domain_name)

    def fetch(self, origin: Origin, request: Request, query: str) -> Response:
        """See `CloudView`."""
        self.asked.append((origin.domain_name, request.uri + (f"?{query}" if query else "")))
        if origin.domain_name in self.unreachable or origin.domain_name not in self.sites:
            raise OriginUnreachable(f"nothing answers at {origin.domain_name!r}")
        return self.sites[origin.domain_name](request)


def _found(mapping: Mapping[str, T], name: str) -> T:
    if name not in mapping:
        raise CloudUnavailable(f"the cloud has no {name!r}")
    return mapping[name]
