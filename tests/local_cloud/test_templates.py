"""What templates rely on: refused types, versions, rollback, custom resources, CloudFront, function URLs."""

import json
import sys
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import Aws

pytestmark = [pytest.mark.cloud, pytest.mark.xdist_group("local-cloud")]

ROLE = "arn:aws:iam::111122223333:role/x"
LOOK = """
import os, sys
def handler(event, context):
    names = ("BLUEGREEN_TIME_SCALE", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_PROFILE", "MINE")
    return {"python": sys.executable, **{name: os.environ.get(name) for name in names}}
"""
ANSWER = """
import json, urllib.request
def handler(event, context):
    if event["ResourceProperties"].get("Crash"):
        raise ValueError("no such build")
    body = json.dumps({"Status": event["ResourceProperties"].get("Answer", "SUCCESS"), "Reason": "because",
        "PhysicalResourceId": "thing", "StackId": event["StackId"], "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"], "Data": {"Said": event["RequestType"]}}).encode()
    urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], data=body, method="PUT"))
"""


def function(name: str, source: str, **environment: str) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": name,
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Role": ROLE,
            "Timeout": 30,
            "Code": {"ZipFile": source},
            "Environment": {"Variables": environment},
        },
    }


def parameter(name: str, value: Any) -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Name": name, "Type": "String", "Value": value}}


def test_an_unknown_type_is_refused(aws: Aws) -> None:
    with pytest.raises(ClientError, match="AWS::NoSuchService::Thing"):
        aws.deploy("unknown", {"Thing": {"Type": "AWS::NoSuchService::Thing", "Properties": {}}})
    # Real types that nothing here stands for are refused too, not "created".
    with pytest.raises(ClientError, match="AWS::Synthetics::Canary"):
        aws.deploy("unknown", {"Thing": {"Type": "AWS::Synthetics::Canary", "Properties": {"Name": "x"}}})


def test_a_function_knows_where_it_runs(aws: Aws) -> None:
    aws.function("looking", LOOK, MINE="yes")
    seen = json.loads(aws.client("lambda").invoke(FunctionName="looking")["Payload"].read())
    assert seen == {
        "python": sys.executable,
        "BLUEGREEN_TIME_SCALE": f"{aws.cloud.time_scale:g}",
        "MINE": "yes",
        "AWS_ENDPOINT_URL": aws.cloud.endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_PROFILE": None,
    }


def test_a_version_of_an_unchanged_function_is_refused_even_after_a_detour(aws: Aws) -> None:
    def version(**extra: Any) -> dict[str, Any]:
        return {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}, **extra}

    kept = version(DeletionPolicy="RetainExceptOnCreate")
    aws.deploy("versions", {"Function": function("versioned", LOOK, MINE="one"), "One": kept})
    functions = aws.client("lambda")
    for value in ("two", "one"):
        functions.update_function_configuration(FunctionName="versioned", Environment={"Variables": {"MINE": value}})
    assert (
        aws.deploy("versions", {"Function": function("versioned", LOOK, MINE="one"), "One": kept, "Again": version()})
        == "UPDATE_ROLLBACK_COMPLETE"
    )
    assert "A version for this Lambda function exists ( 1 )" in aws.failure_reasons("versions")

    two = {"Function": function("versioned", LOOK, MINE="two"), "Two": kept}
    assert aws.deploy("versions", two) == "UPDATE_COMPLETE"
    found = functions.list_versions_by_function(FunctionName="versioned")["Versions"]
    assert {one["Version"]: one["Environment"]["Variables"]["MINE"] for one in found} == {
        "$LATEST": "two",
        "1": "one",
        "2": "two",
    }, "removed from the template, version 1 is retained"


@pytest.mark.parametrize(
    ("trouble", "reason"), [({"Answer": "FAILED"}, "because"), ({"Crash": "yes"}, "no such build")]
)
def test_a_failing_custom_resource_rolls_earlier_resources_back(aws: Aws, trouble: dict[str, str], reason: str) -> None:
    name = f"custom-{next(iter(trouble)).lower()}"

    def stack(value: str, **properties: str) -> dict[str, Any]:
        return {
            "Provider": function(name, ANSWER),
            "Parameter": parameter(f"/{name}", value),
            "Custom": {
                "Type": "Custom::Thing",
                "DependsOn": "Parameter",
                "Properties": {"ServiceToken": {"Fn::GetAtt": ["Provider", "Arn"]}, "Value": value, **properties},
            },
            "Said": {**parameter(f"/{name}/said", {"Fn::GetAtt": ["Custom", "Said"]})},
        }

    assert aws.deploy(name, stack("one")) == "CREATE_COMPLETE", aws.failure_reasons(name)
    ssm = aws.client("ssm")
    assert ssm.get_parameter(Name=f"/{name}/said")["Parameter"]["Value"] == "Create"
    assert aws.deploy(name, stack("two", **trouble)) == "UPDATE_ROLLBACK_COMPLETE"
    assert reason in aws.failure_reasons(name)
    assert ssm.get_parameter(Name=f"/{name}")["Parameter"]["Value"] == "one"


def subscription(distribution: Any, status: str = "Enabled") -> dict[str, Any]:
    config = {"RealtimeMetricsSubscriptionConfig": {"RealtimeMetricsSubscriptionStatus": status}}
    return {
        "Type": "AWS::CloudFront::MonitoringSubscription",
        "Properties": {"DistributionId": distribution, "MonitoringSubscription": config},
    }


def test_additional_metrics_belong_to_a_distribution_that_exists(aws: Aws) -> None:
    behaviour = {"TargetOriginId": "o", "ViewerProtocolPolicy": "https-only", "CachePolicyId": "x"}
    origin = {"Id": "o", "DomainName": "o.example", "CustomOriginConfig": {"OriginProtocolPolicy": "https-only"}}
    config = {"Enabled": True, "Origins": [origin], "DefaultCacheBehavior": behaviour}
    watched = {
        "Watched": {"Type": "AWS::CloudFront::Distribution", "Properties": {"DistributionConfig": config}},
        "Metrics": subscription({"Ref": "Watched"}),
    }
    assert aws.deploy("watched", watched) == "CREATE_COMPLETE", aws.failure_reasons("watched")
    assert aws.deploy("watched", {**watched, "Metrics": subscription({"Ref": "Watched"}, "Disabled")}) == (
        "UPDATE_COMPLETE"
    )
    assert aws.deploy("watched", {**watched, "Again": subscription({"Ref": "Watched"})}) == "UPDATE_ROLLBACK_COMPLETE"
    assert "already exists" in aws.failure_reasons("watched")
    assert aws.deploy("nobody", {"Metrics": subscription("ENOBODY")}) == "ROLLBACK_COMPLETE"
    assert "does not exist: 'ENOBODY'" in aws.failure_reasons("nobody")


def test_a_function_url_answers_under_its_own_host(aws: Aws) -> None:
    source = "def handler(event, context):\n    return {'statusCode': 204, 'headers': {'x-path': event['rawPath']}}\n"
    status = aws.deploy(
        "url",
        {
            "Function": function("with-url", source),
            "Url": {
                "Type": "AWS::Lambda::Url",
                "Properties": {"TargetFunctionArn": {"Fn::GetAtt": ["Function", "Arn"]}, "AuthType": "NONE"},
            },
        },
    )
    assert status == "CREATE_COMPLETE"
    url = aws.client("lambda").get_function_url_config(FunctionName="with-url")["FunctionUrl"]
    host = url.removeprefix("https://").rstrip("/")
    assert host.endswith(".lambda-url.us-east-1.on.aws")
    request = urllib.request.Request(f"{aws.cloud.endpoint}/_bluegreen/beacon", headers={"Host": host})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert (answer.status, answer.headers["x-path"]) == (204, "/_bluegreen/beacon")


def test_an_edge_of_functions_store_and_lambda_can_be_read_back(aws: Aws) -> None:
    def edge_function(name: str) -> dict[str, Any]:
        return {
            "Type": "AWS::CloudFront::Function",
            "Properties": {
                "Name": name,
                "AutoPublish": True,
                "FunctionCode": f"// {name}",
                "FunctionConfig": {
                    "Comment": name,
                    "Runtime": "cloudfront-js-2.0",
                    "KeyValueStoreAssociations": [{"KeyValueStoreARN": {"Fn::GetAtt": ["Store", "Arn"]}}],
                },
            },
        }

    origin = {
        "Id": "bucket",
        "DomainName": "some.s3.eu-west-1.amazonaws.com",
        "S3OriginConfig": {},
        "OriginAccessControlId": {"Fn::GetAtt": ["Access", "Id"]},
        "OriginCustomHeaders": [{"HeaderName": "x-origin", "HeaderValue": "eu-west-1"}],
    }
    status = aws.deploy(
        "edge",
        {
            "Store": {"Type": "AWS::CloudFront::KeyValueStore", "Properties": {"Name": "edge-store"}},
            "Request": edge_function("edge-request"),
            "Response": edge_function("edge-response"),
            "Access": {
                "Type": "AWS::CloudFront::OriginAccessControl",
                "Properties": {
                    "OriginAccessControlConfig": {
                        "Name": "edge",
                        "OriginAccessControlOriginType": "s3",
                        "SigningBehavior": "always",
                        "SigningProtocol": "sigv4",
                    }
                },
            },
            "Policy": {
                "Type": "AWS::CloudFront::CachePolicy",
                "Properties": {
                    "CachePolicyConfig": {
                        "Name": "edge",
                        "MinTTL": 5,
                        "DefaultTTL": 60,
                        "MaxTTL": 600,
                        "ParametersInCacheKeyAndForwardedToOrigin": {
                            "EnableAcceptEncodingGzip": True,
                            "EnableAcceptEncodingBrotli": False,
                            "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": ["x-build-id"]},
                            "CookiesConfig": {"CookieBehavior": "none"},
                            "QueryStringsConfig": {"QueryStringBehavior": "none"},
                        },
                    }
                },
            },
            "Handler": function("edge-handler", "def handler(event, context):\n    return event\n"),
            "Version": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Handler"}}},
            "Distribution": {
                "Type": "AWS::CloudFront::Distribution",
                "Properties": {
                    "DistributionConfig": {
                        "Enabled": True,
                        "HttpVersion": "http2and3",
                        "Origins": [origin, {**origin, "Id": "other"}],
                        "OriginGroups": {
                            "Quantity": 1,
                            "Items": [
                                {
                                    "Id": "group",
                                    "FailoverCriteria": {"StatusCodes": {"Quantity": 2, "Items": [403, 503]}},
                                    "Members": {
                                        "Quantity": 2,
                                        "Items": [{"OriginId": "bucket"}, {"OriginId": "other"}],
                                    },
                                }
                            ],
                        },
                        "DefaultCacheBehavior": {
                            "TargetOriginId": "group",
                            "ViewerProtocolPolicy": "redirect-to-https",
                            "CachePolicyId": {"Ref": "Policy"},
                            "FunctionAssociations": [
                                {
                                    "EventType": "viewer-request",
                                    "FunctionARN": {"Fn::GetAtt": ["Request", "FunctionARN"]},
                                },
                                {
                                    "EventType": "viewer-response",
                                    "FunctionARN": {"Fn::GetAtt": ["Response", "FunctionARN"]},
                                },
                            ],
                            "LambdaFunctionAssociations": [
                                {"EventType": "origin-request", "LambdaFunctionARN": {"Ref": "Version"}}
                            ],
                        },
                        "CacheBehaviors": [
                            {
                                "PathPattern": "/assets/*",
                                "TargetOriginId": "bucket",
                                "ViewerProtocolPolicy": "https-only",
                                "CachePolicyId": {"Ref": "Policy"},
                            }
                        ],
                    }
                },
            },
        },
    )
    assert status == "CREATE_COMPLETE", aws.failure_reasons("edge")
    cloudfront = aws.client("cloudfront")
    listed = cloudfront.list_distributions()["DistributionList"]["Items"]
    (known,) = [one for one in listed if one["Origins"]["Items"][0]["DomainName"] == "some.s3.eu-west-1.amazonaws.com"]
    config = cloudfront.get_distribution_config(Id=known["Id"])["DistributionConfig"]
    first = config["Origins"]["Items"][0]
    assert first["CustomHeaders"]["Items"] == [{"HeaderName": "x-origin", "HeaderValue": "eu-west-1"}]
    assert first["OriginAccessControlId"]
    (group,) = config["OriginGroups"]["Items"]
    assert [member["OriginId"] for member in group["Members"]["Items"]] == ["bucket", "other"]
    default = config["DefaultCacheBehavior"]
    assert [one["EventType"] for one in default["FunctionAssociations"]["Items"]] == [
        "viewer-request",
        "viewer-response",
    ]
    (association,) = default["LambdaFunctionAssociations"]["Items"]
    assert association["LambdaFunctionARN"].endswith(":function:edge-handler:1")
    policy = cloudfront.get_cache_policy(Id=default["CachePolicyId"])["CachePolicy"]["CachePolicyConfig"]
    assert (policy["MinTTL"], policy["MaxTTL"]) == (5, 600)
    parameters = policy["ParametersInCacheKeyAndForwardedToOrigin"]
    assert parameters["HeadersConfig"]["Headers"]["Items"] == ["x-build-id"]
    code = cloudfront.get_function(Name="edge-request", Stage="LIVE")["FunctionCode"].read()
    assert code == b"// edge-request"
    summary = cloudfront.describe_function(Name="edge-request", Stage="LIVE")["FunctionSummary"]
    assert summary["FunctionConfig"]["KeyValueStoreAssociations"]["Quantity"] == 1


def test_an_update_tells_only_of_what_changed(aws: Aws) -> None:
    still, moved, added = parameter("/told/still", "x"), parameter("/told/moved", "x"), parameter("/told/added", "x")
    aws.deploy("told", {"Still": still, "Moved": moved})
    aws.deploy("told", {"Still": still, "Moved": parameter("/told/moved", "y"), "Added": added})
    events = aws.client("cloudformation").describe_stack_events(StackName="told")["StackEvents"]
    seen = [(one["LogicalResourceId"], one["ResourceStatus"]) for one in reversed(events)]
    told = seen[seen.index(("told", "CREATE_COMPLETE")) + 1 :]
    assert sorted(one for one in told if one[0] != "told") == [
        ("Added", "CREATE_COMPLETE"),
        ("Added", "CREATE_IN_PROGRESS"),
        ("Moved", "UPDATE_COMPLETE"),
        ("Moved", "UPDATE_IN_PROGRESS"),
    ]
