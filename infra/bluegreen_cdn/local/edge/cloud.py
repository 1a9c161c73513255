"""What the edge needs of the cloud: one Protocol, so that the simulator can be tested without any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bluegreen_cdn.local.edge.config import Origin
from bluegreen_cdn.local.edge.messages import Request, Response


class CloudUnavailable(Exception):
    """The cloud did not answer, or does not have what was asked for."""


class OriginUnreachable(Exception):
    """No connection to an origin, or no answer from it."""


@dataclass(frozen=True, kw_only=True)
class DistributionRecord:
    """A distribution in the API's form."""

    id: str
    arn: str
    domain_name: str
    etag: str
    config: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class FunctionRecord:
    """The live stage of a CloudFront Function."""

    name: str
    etag: str
    code: str
    store_arns: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LambdaRecord:
    """One numbered version of a Lambda@Edge function, with its package."""

    arn: str
    handler: str
    package: bytes
    timeout_seconds: float = 5.0
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FunctionUrlRecord:
    """What guards a Lambda function URL."""

    function_arn: str
    auth_type: str
    policy: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class StoreSnapshot:
    """All keys of a KeyValueStore at one moment."""

    etag: str
    items: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Invalidation:
    """Paths whose cached answers are to be forgotten."""

    id: str
    paths: tuple[str, ...]


class CloudView(Protocol):
    """The public APIs, as far as the edge asks them; every method may block and may raise `CloudUnavailable`."""

    def distribution_ids(self) -> Sequence[str]:
        """Ids of all distributions, oldest first."""

    def distribution(self, distribution_id: str) -> DistributionRecord:
        """One distribution with its configuration."""

    def function_etag(self, arn: str) -> str:
        """A value that changes when a function's live stage changes."""

    def function(self, arn: str) -> FunctionRecord:
        """The live stage of a function."""

    def cache_policy(self, policy_id: str) -> Mapping[str, Any]:
        """A `CachePolicyConfig`."""

    def origin_request_policy(self, policy_id: str) -> Mapping[str, Any]:
        """An `OriginRequestPolicyConfig`."""

    def response_headers_policy(self, policy_id: str) -> Mapping[str, Any]:
        """A `ResponseHeadersPolicyConfig`."""

    def lambda_version(self, arn: str) -> LambdaRecord:
        """A Lambda@Edge version and its package."""

    def store_etag(self, arn: str) -> str:
        """The present ETag of a KeyValueStore."""

    def store(self, arn: str) -> StoreSnapshot:
        """The present content of a KeyValueStore."""

    def invalidations(self, distribution_id: str) -> Sequence[Invalidation]:
        """All invalidations of a distribution, oldest first."""

    def bucket_policy(self, bucket: str, region: str) -> Mapping[str, Any] | None:
        """The policy document of a bucket, or None where there is none."""

    def get_object(self, bucket: str, region: str, key: str, request: Request) -> Response:
        """S3's answer to a GET or HEAD of a key; raises `OriginUnreachable`."""

    def function_url(self, domain_name: str) -> FunctionUrlRecord | None:
        """What guards the function URL of a domain name; None where no function has it."""

    def fetch(self, origin: Origin, request: Request, query: str) -> Response:
        """An HTTP origin's answer; raises `OriginUnreachable`."""
