"""The cloud through its public APIs, at whatever endpoint the environment names."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import urllib3

from bluegreen_cdn.aws.session import client, translate_errors
from bluegreen_cdn.defaults import AWS_RETRY_ATTEMPTS
from bluegreen_cdn.errors import CloudError, NotFound
from bluegreen_cdn.local.cloud.kvs_faults import EDGE_HEADER
from bluegreen_cdn.local.edge.aws_origins import LOOPBACK, fetch, get_object
from bluegreen_cdn.local.edge.cloud import (
    CloudUnavailable,
    DistributionRecord,
    FunctionRecord,
    FunctionUrlRecord,
    Invalidation,
    LambdaRecord,
    StoreSnapshot,
)
from bluegreen_cdn.local.edge.config import Origin, items
from bluegreen_cdn.local.edge.messages import Request, Response

CONNECTIONS = 16
CONNECT_TIMEOUT_SECONDS = 3.0
READ_TIMEOUT_SECONDS = 30.0
STORE_PAGE = 50
_KEY_VALUE_STORE = "cloudfront-keyvaluestore"


@contextmanager
def _available(service: str, operation: str, thing: str) -> Iterator[None]:
    try:
        with translate_errors(service, operation, thing):
            yield
    except (CloudError, urllib3.exceptions.HTTPError) as error:
        raise CloudUnavailable(str(error)) from error


def _say_that_we_are_the_edge(request: Any, **_: Any) -> None:
    """Faults that are ordered for writers of a KeyValueStore do not concern the edge."""
    request.headers[EDGE_HEADER] = "1"


class AwsCloud:
    """A `CloudView` by the SDK; the endpoint is that of the environment (`AWS_ENDPOINT_URL`)."""

    def __init__(self) -> None:
        self._endpoint = os.environ["AWS_ENDPOINT_URL"]
        timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT_SECONDS, read=READ_TIMEOUT_SECONDS)
        self._http = urllib3.PoolManager(maxsize=CONNECTIONS, timeout=timeout)
        self._clients: dict[tuple[str, str], Any] = {}

    def _client(self, service: str, region: str = "us-east-1") -> Any:
        if (service, region) not in self._clients:
            # CloudFront does not ask an origin that has answered again: it goes on to the next one of the group.
            attempts = 1 if service == "s3" else AWS_RETRY_ATTEMPTS
            made = self._clients[service, region] = client(service, region, connections=CONNECTIONS, attempts=attempts)
            made.meta.events.register("before-sign", _say_that_we_are_the_edge)
        return self._clients[service, region]

    def distribution_ids(self) -> Sequence[str]:
        """See `CloudView`."""
        with _available("cloudfront", "ListDistributions", ""):
            pages = self._client("cloudfront").get_paginator("list_distributions").paginate()
            found = [item for page in pages for item in items(page, "DistributionList")]
        return [item["Id"] for item in sorted(found, key=lambda item: str(item.get("LastModifiedTime")))]

    def distribution(self, distribution_id: str) -> DistributionRecord:
        """See `CloudView`."""
        with _available("cloudfront", "GetDistribution", distribution_id):
            answer = self._client("cloudfront").get_distribution(Id=distribution_id)
        found = answer["Distribution"]
        return DistributionRecord(
            id=found["Id"],
            arn=found["ARN"],
            domain_name=found["DomainName"],
            etag=answer["ETag"],
            config=found["DistributionConfig"],
        )

    def function_etag(self, arn: str) -> str:
        """See `CloudView`."""
        with _available("cloudfront", "DescribeFunction", arn):
            return str(self._client("cloudfront").describe_function(Name=_name(arn), Stage="LIVE")["ETag"])

    def function(self, arn: str) -> FunctionRecord:
        """See `CloudView`."""
        with _available("cloudfront", "GetFunction", arn):
            client = self._client("cloudfront")
            summary = client.describe_function(Name=_name(arn), Stage="LIVE")
            code = client.get_function(Name=_name(arn), Stage="LIVE")["FunctionCode"].read()
        stores = items(summary["FunctionSummary"]["FunctionConfig"], "KeyValueStoreAssociations")
        return FunctionRecord(
            name=_name(arn),
            etag=summary["ETag"],
            code=code.decode(),
            store_arns=tuple(item["KeyValueStoreARN"] for item in stores),
        )

    def cache_policy(self, policy_id: str) -> Mapping[str, Any]:
        """See `CloudView`."""
        return self._policy("get_cache_policy", "CachePolicy", policy_id)

    def origin_request_policy(self, policy_id: str) -> Mapping[str, Any]:
        """See `CloudView`."""
        return self._policy("get_origin_request_policy", "OriginRequestPolicy", policy_id)

    def response_headers_policy(self, policy_id: str) -> Mapping[str, Any]:
        """See `CloudView`."""
        return self._policy("get_response_headers_policy", "ResponseHeadersPolicy", policy_id)

    def _policy(self, operation: str, member: str, policy_id: str) -> Mapping[str, Any]:
        with _available("cloudfront", operation, policy_id):
            found: Mapping[str, Any] = getattr(self._client("cloudfront"), operation)(Id=policy_id)[member]
        return dict(found[f"{member}Config"])

    def lambda_version(self, arn: str) -> LambdaRecord:
        """See `CloudView`."""
        with _available("lambda", "GetFunction", arn):
            function, _, version = arn.rpartition(":")
            answer = self._client("lambda").get_function(FunctionName=function, Qualifier=version)
            package = self._http.request("GET", self._reachable(answer["Code"]["Location"])).data
        configuration = answer["Configuration"]
        digest = base64.b64encode(hashlib.sha256(package).digest()).decode()
        if digest != configuration["CodeSha256"]:
            raise CloudUnavailable(f"function {arn!r}: the package downloaded is not that version's (SHA-256 {digest})")
        return LambdaRecord(
            arn=arn,
            handler=configuration["Handler"],
            package=package,
            timeout_seconds=float(configuration.get("Timeout") or 3),
            environment=(configuration.get("Environment") or {}).get("Variables") or {},
        )

    def _reachable(self, url: str) -> str:
        """A local cloud may name itself by another name than the one it was reached by."""
        found = urlsplit(url)
        return found._replace(netloc=urlsplit(self._endpoint).netloc).geturl() if found.hostname in LOOPBACK else url

    def store_etag(self, arn: str) -> str:
        """See `CloudView`."""
        with _available(_KEY_VALUE_STORE, "ListKeys", arn):
            return str(self._client(_KEY_VALUE_STORE).describe_key_value_store(KvsARN=arn)["ETag"])

    def store(self, arn: str) -> StoreSnapshot:
        """See `CloudView`. Read again while it changes under the reading."""
        client = self._client(_KEY_VALUE_STORE)
        with _available(_KEY_VALUE_STORE, "ListKeys", arn):
            for _ in range(5):
                before = client.describe_key_value_store(KvsARN=arn)["ETag"]
                pages = client.get_paginator("list_keys").paginate(KvsARN=arn, MaxResults=STORE_PAGE)
                found = {item["Key"]: item["Value"] for page in pages for item in page.get("Items", [])}
                if client.describe_key_value_store(KvsARN=arn)["ETag"] == before:
                    return StoreSnapshot(etag=before, items=found)
        raise CloudUnavailable(f"key value store {arn!r} changes faster than it can be read")

    def invalidations(self, distribution_id: str) -> Sequence[Invalidation]:
        """See `CloudView`."""
        client = self._client("cloudfront")
        with _available("cloudfront", "ListInvalidations", distribution_id):
            listed = items(client.list_invalidations(DistributionId=distribution_id), "InvalidationList")
            found = []
            for item in reversed(listed):
                batch = client.get_invalidation(DistributionId=distribution_id, Id=item["Id"])["Invalidation"]
                found.append(Invalidation(id=item["Id"], paths=tuple(items(batch, "InvalidationBatch", "Paths"))))
        return found

    def bucket_policy(self, bucket: str, region: str) -> Mapping[str, Any] | None:
        """See `CloudView`."""
        try:
            with _available("s3", "GetBucketPolicy", bucket):
                text = self._client("s3", region).get_bucket_policy(Bucket=bucket)["Policy"]
        except CloudUnavailable as error:
            if isinstance(error.__cause__, NotFound) or getattr(error.__cause__, "code", "") == "NoSuchBucketPolicy":
                return None
            raise
        return dict(json.loads(text))

    def get_object(self, bucket: str, region: str, key: str, request: Request) -> Response:
        """See `CloudView`."""
        return get_object(self._client("s3", region), bucket, key, request)

    def function_url(self, domain_name: str) -> FunctionUrlRecord | None:
        """See `CloudView`. No API leads from the URL to its function, so all are looked through."""
        functions = self._client("lambda", domain_name.split(".")[2])
        with _available("lambda", "ListFunctionUrlConfigs", domain_name):
            pages = functions.get_paginator("list_functions").paginate()
            for name in [each["FunctionName"] for page in pages for each in page["Functions"]]:
                for url in functions.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]:
                    if urlsplit(url["FunctionUrl"]).hostname == domain_name:
                        policy = self._function_policy(functions, name)
                        return FunctionUrlRecord(
                            function_arn=url["FunctionArn"], auth_type=url["AuthType"], policy=policy
                        )
        return None

    def _function_policy(self, functions: Any, name: str) -> Mapping[str, Any] | None:
        try:
            with translate_errors("lambda", "GetPolicy", name):
                return dict(json.loads(functions.get_policy(FunctionName=name)["Policy"]))
        except NotFound:
            return None

    def fetch(self, origin: Origin, request: Request, query: str) -> Response:
        """See `CloudView`. AWS's own domains are asked at the endpoint; else only this machine is."""
        return fetch(self._http, self._endpoint, origin, request, query)


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]
