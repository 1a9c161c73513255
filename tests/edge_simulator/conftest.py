"""A whole simulator in this process, in front of a cloud in memory."""

import asyncio
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen_cdn.local.edge.cloud import DistributionRecord, FunctionRecord, LambdaRecord
from bluegreen_cdn.local.edge.fake_cloud import FakeCloud
from bluegreen_cdn.local.edge.messages import Request, Response, parse_cookies, parse_query
from bluegreen_cdn.local.edge.server import EdgeServer, Options

DISTRIBUTION_ARN = "arn:aws:cloudfront::111122223333:distribution/E1"
STORE_ARN = "arn:aws:cloudfront::111122223333:key-value-store/bluegreen-shop"
REQUEST_ARN = "arn:aws:cloudfront::111122223333:function/request"
RESPONSE_ARN = "arn:aws:cloudfront::111122223333:function/response"
LAMBDA_ARN = "arn:aws:lambda:us-east-1:111122223333:function:origin:1"


def items(*values: object) -> dict[str, object]:
    return {"Quantity": len(values), "Items": list(values)}


class Site:
    """A distribution to arrange, and a simulator that serves it.

    The default: one private bucket, one default behaviour with a policy that keys on `x-build-id` and compresses.
    """

    def __init__(self, folder: Path) -> None:
        self.cloud = FakeCloud()
        self.folder = folder
        self.loop = asyncio.new_event_loop()
        self.version = 0
        self.origins = [self.bucket_origin("primary", "bucket-a", "us-east-1")]
        self.groups: list[dict[str, object]] = []
        self.behavior: dict[str, object] = {"TargetOriginId": "primary", "CachePolicyId": "keyed", "Compress": True}
        self.further: list[dict[str, object]] = []
        self.errors: list[dict[str, object]] = []
        self.root = ""
        self.policy("keyed", headers=["x-build-id"], gzip=True)
        self.locations = ("us-east-1", "eu-west-1")
        self.propagation_seconds = 0.0
        self.request_headers_visible_in_response = True
        self.server: EdgeServer | None = None

    def bucket_origin(self, name: str, bucket: str, region: str, **more: object) -> dict[str, object]:
        self.cloud.policies[bucket] = bucket_policy(bucket)
        return {
            "Id": name,
            "DomainName": f"{bucket}.s3.{region}.amazonaws.com",
            "S3OriginConfig": {"OriginAccessIdentity": ""},
            "OriginAccessControlId": "OAC1",
            **more,
        }

    def policy(self, name: str, *, headers=(), cookies=(), query=(), gzip=False, ttl=(0, 86_400, 31_536_000)) -> None:
        def some(names: object, kind: str) -> dict[str, object]:
            return {f"{kind}Behavior": "whitelist" if names else "none", f"{kind}s": items(*names)}

        self.cloud.cache_policies[name] = {
            "MinTTL": ttl[0],
            "DefaultTTL": ttl[1],
            "MaxTTL": ttl[2],
            "ParametersInCacheKeyAndForwardedToOrigin": {
                "EnableAcceptEncodingGzip": gzip,
                "HeadersConfig": some(headers, "Header"),
                "CookiesConfig": some(cookies, "Cookie"),
                "QueryStringsConfig": some(query, "QueryString"),
            },
        }

    def on_request(self, code: str) -> None:
        self._function(REQUEST_ARN, "viewer-request", code)

    def on_response(self, code: str) -> None:
        self._function(RESPONSE_ARN, "viewer-response", code)

    def _function(self, arn: str, event: str, code: str) -> None:
        self.version += 1
        name = arn.rpartition("/")[2]
        stores = (STORE_ARN,) if STORE_ARN in self.cloud.stores else ()
        self.cloud.functions[arn] = FunctionRecord(name=name, etag=str(self.version), code=code, store_arns=stores)
        associated = self.behavior.setdefault("FunctionAssociations", items())
        kept = [item for item in associated["Items"] if item["EventType"] != event]
        self.behavior["FunctionAssociations"] = items(*kept, {"EventType": event, "FunctionARN": arn})

    def at_edge(self, source: str, *, event: str = "origin-request", arn: str = LAMBDA_ARN, **more: object) -> None:
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("edge.py", source)
        more = {"timeout_seconds": 30.0, **more}
        record = LambdaRecord(arn=arn, handler="edge.handler", package=package.getvalue(), **more)
        self.cloud.lambdas[arn] = record
        self.behavior["LambdaFunctionAssociations"] = items({"EventType": event, "LambdaFunctionARN": arn})

    def put(self, key: str, body: bytes | str = b"hello", *, bucket: str = "bucket-a", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.cloud.objects[bucket, key] = (named, body.encode() if isinstance(body, str) else body)

    def deploy(self) -> None:
        """Bring the arrangement into the cloud and let the simulator look at it."""
        self.version += 1
        config = {
            "Enabled": True,
            "DefaultRootObject": self.root,
            "Origins": items(*self.origins),
            "OriginGroups": items(*self.groups),
            "DefaultCacheBehavior": self.behavior,
            "CacheBehaviors": items(*self.further),
            "CustomErrorResponses": items(*self.errors),
        }
        self.cloud.distributions["E1"] = DistributionRecord(
            id="E1", arn=DISTRIBUTION_ARN, domain_name="d1.cloudfront.net", etag=str(self.version), config=config
        )
        if self.server is None:
            options = Options(
                state_dir=self.folder,
                locations=self.locations,
                propagation_seconds=self.propagation_seconds,
                request_headers_visible_in_response=self.request_headers_visible_in_response,
            )
            self.server = EdgeServer(self.cloud, options)
        self.refresh()

    def refresh(self) -> None:
        self.run(self.server.refresher.refresh_config())

    def run(self, awaitable):
        return self.loop.run_until_complete(awaitable)

    async def ask(
        self, path: str, *, method: str = "GET", location: str = "us-east-1", ip: str = "127.0.0.9", **headers
    ):
        uri, _, query = path.partition("?")
        named = {name.replace("_", "-"): [value] for name, value in headers.items()}
        cookies = parse_cookies(named.pop("cookie", []))
        request = Request(method, uri, parse_query(query), {"host": ["site.localhost"], **named}, cookies, b"", ip)
        response, self.trace = await self.server.pipeline.handle(self.server.edge.locations[location], request)
        return response

    def get(self, path: str, **more) -> Response:
        if self.server is None:
            self.deploy()
        return self.run(self.ask(path, **more))

    @property
    def asked(self) -> list[str]:
        """The keys and paths that reached an origin."""
        return [path for _, path in self.cloud.asked]

    def counts(self, location: str = "us-east-1"):
        return self.server.edge.locations[location].counts

    def close(self) -> None:
        if self.server is not None:
            self.run(self.server.stop())
        self.loop.close()


def bucket_policy(bucket: str, arn: str = DISTRIBUTION_ARN, actions: object = "s3:GetObject") -> dict[str, object]:
    return json.loads(
        json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "cloudfront.amazonaws.com"},
                        "Action": actions,
                        "Resource": [f"arn:aws:s3:::{bucket}/*", f"arn:aws:s3:::{bucket}"],
                        "Condition": {"StringEquals": {"AWS:SourceArn": arn}},
                    }
                ],
            }
        )
    )


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()
