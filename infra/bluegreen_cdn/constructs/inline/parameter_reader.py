"""Custom resource: reads one SSM parameter of another region. Inline code: keep it below 4,096 characters."""

import json
import urllib.request
from typing import Any

import boto3


def handler(event: dict[str, Any], context: object) -> None:
    wanted = event["ResourceProperties"]
    reply: dict[str, Any] = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    reply |= {"Status": "SUCCESS", "PhysicalResourceId": event["LogicalResourceId"]}
    try:
        if event["RequestType"] != "Delete":
            ssm = boto3.client("ssm", region_name=wanted["Region"])
            reply["Data"] = {"Value": ssm.get_parameter(Name=wanted["Name"])["Parameter"]["Value"]}
    except Exception as error:
        reply |= {"Status": "FAILED", "Reason": f"parameter {wanted['Name']} of {wanted['Region']}: {error}"}
    answer = json.dumps(reply).encode()
    request = urllib.request.Request(event["ResponseURL"], answer, {"content-type": ""}, method="PUT")  # noqa: S310
    urllib.request.urlopen(request, timeout=30)  # noqa: S310  CloudFormation's own URL
