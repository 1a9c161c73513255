"""The simulator as a process, in front of the local cloud's own APIs."""

import http.client
import io
import json
import time
import urllib.request
import zipfile

import boto3
import pytest

from bluegreen_cdn.local.cloud import LocalCloud
from bluegreen_cdn.local.cloud.environment import ACCOUNT
from bluegreen_cdn.local.edge import EdgeSimulator

pytestmark = pytest.mark.cloud
ROUTER = """
import cf from 'cloudfront';
const store = cf.kvs();
async function handler(event) {
  const routing = await store.get('routing', {format: 'json'});
  event.request.headers['x-build-id'] = {value: routing.stable};
  return event.request;
}
"""
REWRITE = """
def handler(event, context):
    request = event["Records"][0]["cf"]["request"]
    request["uri"] = "/builds/" + request["headers"]["x-build-id"][0]["value"] + request["uri"]
    return request
"""
ECHO = """
import json
def handler(event, context):
    return {"statusCode": 200, "headers": {"content-type": "application/json"},
            "body": json.dumps({"path": event["rawPath"], "query": event["rawQueryString"]})}
"""


def zipped(source: str) -> bytes:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("index.py", source)
    return package.getvalue()


def items(*values):
    return {"Quantity": len(values), "Items": list(values)}


class Arranged:
    """A site made with the SDK, as the templates would make it."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.cloudfront = self.client("cloudfront")
        self.values = self.client("cloudfront-keyvaluestore")
        endpoint_host = endpoint.removeprefix("http://")

        def strip(request, **_):
            request.url = request.url.replace(f"{ACCOUNT}.{endpoint_host}", endpoint_host)

        self.values.meta.events.register("before-sign.cloudfront-keyvaluestore", strip)
        self.s3 = self.client("s3")
        self.functions = self.client("lambda")
        role = self.client("iam").create_role(RoleName="edge", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        self.s3.create_bucket(Bucket="bucket-a")
        for build in ("b1", "b2"):
            self.s3.put_object(
                Bucket="bucket-a",
                Key=f"builds/{build}/index.html",
                Body=f"<p>{build}" + " " * 2000,
                ContentType="text/html",
                CacheControl="no-cache",
                Metadata={"build-id": build},
            )
        self.store = self.cloudfront.create_key_value_store(Name="bluegreen-shop")["KeyValueStore"]["ARN"]
        self.route("b1")
        config = {
            "Comment": "",
            "Runtime": "cloudfront-js-2.0",
            "KeyValueStoreAssociations": items({"KeyValueStoreARN": self.store}),
        }
        made = self.cloudfront.create_function(Name="router", FunctionConfig=config, FunctionCode=ROUTER.encode())
        self.cloudfront.publish_function(Name="router", IfMatch=made["ETag"])
        router = made["FunctionSummary"]["FunctionMetadata"]["FunctionARN"]
        common = {"Role": role, "Runtime": "python3.11", "Handler": "index.handler", "Publish": True, "Timeout": 30}
        edge = self.functions.create_function(FunctionName="edge", Code={"ZipFile": zipped(REWRITE)}, **common)
        self.functions.create_function(FunctionName="echo", Code={"ZipFile": zipped(ECHO)}, **common)
        url = self.functions.create_function_url_config(FunctionName="echo", AuthType="NONE")["FunctionUrl"]
        policy = self.cloudfront.create_cache_policy(
            CachePolicyConfig={
                "Name": "keyed",
                "MinTTL": 31_536_000,
                "DefaultTTL": 31_536_000,
                "MaxTTL": 31_536_000,
                "ParametersInCacheKeyAndForwardedToOrigin": {
                    "EnableAcceptEncodingGzip": True,
                    "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": items("x-build-id")},
                    "CookiesConfig": {"CookieBehavior": "none"},
                    "QueryStringsConfig": {"QueryStringBehavior": "none"},
                },
            }
        )["CachePolicy"]["Id"]
        access = self.cloudfront.create_origin_access_control(
            OriginAccessControlConfig={
                "Name": "a",
                "SigningProtocol": "sigv4",
                "SigningBehavior": "always",
                "OriginAccessControlOriginType": "s3",
            }
        )["OriginAccessControl"]["Id"]
        bucket = {
            "Id": "bucket",
            "DomainName": "bucket-a.s3.us-east-1.amazonaws.com",
            "S3OriginConfig": {"OriginAccessIdentity": ""},
            "OriginAccessControlId": access,
        }
        echo = {
            "Id": "echo",
            "DomainName": url.removeprefix("https://").rstrip("/"),
            "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"},
        }
        answer = self.cloudfront.create_distribution(
            DistributionConfig={
                "CallerReference": "1",
                "Comment": "",
                "Enabled": True,
                "Origins": items(bucket, echo),
                "DefaultCacheBehavior": {
                    "TargetOriginId": "bucket",
                    "ViewerProtocolPolicy": "redirect-to-https",
                    "CachePolicyId": policy,
                    "Compress": True,
                    "FunctionAssociations": items({"EventType": "viewer-request", "FunctionARN": router}),
                    "LambdaFunctionAssociations": items(
                        {"EventType": "origin-request", "LambdaFunctionARN": f"{edge['FunctionArn'].rstrip(':1')}:1"}
                    ),
                },
                "CacheBehaviors": items(
                    {
                        "PathPattern": "/echo/*",
                        "TargetOriginId": "echo",
                        "ViewerProtocolPolicy": "allow-all",
                        "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
                        "OriginRequestPolicyId": "b689b0a8-53d0-40ab-baf2-68738e2966ac",
                    }
                ),
            }
        )["Distribution"]
        self.allow(answer["ARN"])

    def client(self, service: str):
        named = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "x", "region_name": "us-east-1"}
        return boto3.client(service, endpoint_url=self.endpoint, **named)

    def allow(self, arn: str) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "cloudfront.amazonaws.com"},
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::bucket-a/*",
            "Condition": {"StringEquals": {"AWS:SourceArn": arn}},
        }
        self.s3.put_bucket_policy(
            Bucket="bucket-a", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        )

    def route(self, build: str) -> None:
        etag = self.values.describe_key_value_store(KvsARN=self.store)["ETag"]
        value = json.dumps({"stable": build})
        self.values.put_key(KvsARN=self.store, Key="routing", Value=value, IfMatch=etag)


def fetch(edge: EdgeSimulator, path: str, **headers: str):
    connection = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=10)
    try:
        named = {"Host": "shop.localhost", **{name.replace("_", "-"): value for name, value in headers.items()}}
        connection.request("GET", path, headers=named)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def timed(edge: EdgeSimulator, path: str) -> tuple[float, int]:
    began = time.monotonic()
    answer, _ = fetch(edge, path)
    return time.monotonic() - began, answer.status


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("edge")
    with (
        LocalCloud(folder / "cloud") as cloud,
        EdgeSimulator(cloud.endpoint, folder / "edge", propagation_seconds=0.2) as edge,
    ):
        yield Arranged(cloud.endpoint), edge


def test_it_serves_what_the_apis_describe(running):
    _, edge = running
    status = edge.wait_until_serving(20)
    assert status["locations"]["us-east-1"]["routing"] == {"stable": "b1"}
    answer, body = fetch(edge, "/index.html", x_bluegreen_sim_location="us-east-1")
    assert (answer.status, body[:5]) == (200, b"<p>b1")
    assert answer.headers["x-amz-meta-build-id"] == "b1"
    assert answer.headers["x-cache"] == "Miss from cloudfront"
    answer, _ = fetch(edge, "/index.html", x_bluegreen_sim_location="us-east-1", accept_encoding="gzip")
    assert answer.headers["content-encoding"] == "gzip"
    answer, _ = fetch(edge, "/index.html", x_bluegreen_sim_location="us-east-1")
    assert answer.headers["x-cache"] == "Hit from cloudfront"
    assert fetch(edge, "/missing.js")[0].status == 403


def test_a_function_url_is_an_origin(running):
    _, edge = running
    edge.wait_until_serving(20)
    answer, body = fetch(edge, "/echo/a?b=1")
    assert answer.status == 200, body
    assert json.loads(body) == {"path": "/echo/a", "query": "b=1"}


def test_an_origin_that_answers_503_is_not_asked_again(running):
    arranged, edge = running
    edge.wait_until_serving(20)
    admin = f"{arranged.endpoint}/_bluegreen_local"
    order = json.dumps({"kind": "down", "bucket": "bucket-a"}).encode()

    def answers_while_down(attempt: int) -> tuple[list[float], list[int]]:
        """The seconds that answers took, and their statuses."""
        fetch(edge, f"/asked-before-{attempt}.html")  # the bucket's policy has been read by now
        urllib.request.urlopen(f"{admin}/faults", data=order).close()
        try:
            answers = [timed(edge, f"/never-asked-{attempt}-{number}.html") for number in range(3)]
            return [seconds for seconds, _ in answers], [status for _, status in answers]
        finally:
            urllib.request.urlopen(f"{admin}/mend", data=b"{}").close()

    for attempt in range(3):
        times, statuses = answers_while_down(attempt)
        if 502 not in statuses:  # else the policy was due to be read again, which it is every five seconds
            break
    assert statuses == [503] * 3
    assert min(times) < 1, "an SDK's retries take seconds; CloudFront goes on to the next origin"
    assert fetch(edge, "/never-asked-again.html")[0].status == 403


def test_a_change_of_the_store_arrives_at_every_location(running):
    arranged, edge = running
    edge.wait_until_serving(20)
    arranged.route("b2")
    until = time.monotonic() + 10
    while True:
        seen = {each["routing"]["stable"] for each in edge.status()["locations"].values()}
        if seen == {"b2"}:
            break
        assert time.monotonic() < until, seen
        time.sleep(0.05)
    assert fetch(edge, "/index.html")[1].startswith(b"<p>b2")
    edge.flush_log()
    lines = [json.loads(line) for line in edge.access_log.read_text().splitlines()]
    assert {(line["uri"], line["status"]) for line in lines} >= {("/index.html", 200)}
