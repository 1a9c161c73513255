"""Who may do what: every right names its action and its resource, save for a list that says why not."""

import fnmatch
import json
from typing import Any

import pytest

WITHOUT_RESOURCE = {
    "cloudwatch:DescribeAlarms": "CloudWatch refuses it, as soon as composite alarms are asked for, on anything less",
    "cloudwatch:GetMetricData": "metrics know no resource",
}
"""Actions that may be allowed on `*`, because the service takes nothing narrower."""

WITH_WILDCARD = {
    "*/builds/*": "objects of builds",
    "*/shared/*": "objects of builds",
    "*/manifests/*": "objects of builds",
    "*/condemned/*": "what retention has condemned",
    "arn:*:s3:::bluegreen-shop-*/*": "every object is replicated",
    "arn:*:s3:::cdk-hnb659fds-assets-*/*.zip": "every build is another asset",
    "*SiteReleaseHandlerFunction*:*": "versions have numbers that nobody knows before they exist",
    "arn:*:logs:\\*:*:log-group:/aws/lambda/us-east-1.*:\\*": "Lambda@Edge logs wherever it runs",
}
"""Resources that may have one, as patterns in which `\\*` is the wildcard itself."""


def flat(value: Any) -> str:
    """A resource as one text, with references in angle brackets."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    if function == "Fn::Join":
        return "".join(flat(part) for part in argument[1])
    return f"<{argument if isinstance(argument, str) else '.'.join(argument)}>"


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(template: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for logical_id, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        documents = [properties["PolicyDocument"]] if resource["Type"] == "AWS::IAM::Policy" else []
        if resource["Type"] == "AWS::IAM::Role":
            documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        if resource["Type"] == "AWS::S3::BucketPolicy":
            documents = [properties["PolicyDocument"]]
        found += [(logical_id, statement) for document in documents for statement in document["Statement"]]
    return found


def excesses(template: dict[str, Any]) -> list[str]:
    """Every right that is wider than it need be."""
    found = []
    for logical_id, statement in statements(template):
        if statement["Effect"] == "Deny":
            continue
        actions = listed(statement["Action"])
        found += [f"{logical_id}: action {action}" for action in actions if "*" in action]
        for resource in map(flat, listed(statement["Resource"])):
            if resource == "*":
                found += [f"{logical_id}: {action} on *" for action in actions if action not in WITHOUT_RESOURCE]
            elif "*" in resource and not any(
                fnmatch.fnmatchcase(resource, pattern.replace("\\*", "[*]")) for pattern in WITH_WILDCARD
            ):
                found.append(f"{logical_id}: resource {resource}")
    return found


def test_no_right_is_wider_than_it_need_be(templates: Any) -> None:
    for template in templates.by_stack.values():
        assert excesses(template) == []


def test_no_role_has_a_managed_policy(templates: Any) -> None:
    """AWS's own are for every function and every bucket of the account."""
    for role in templates.of_type("AWS::IAM::Role").values():
        assert "ManagedPolicyArns" not in role["Properties"]


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ({"Action": "s3:*", "Resource": "arn:aws:s3:::b/builds/*"}, "Bad: action s3:*"),
        ({"Action": "s3:GetObject", "Resource": "*"}, "Bad: s3:GetObject on *"),
        ({"Action": "lambda:InvokeFunction", "Resource": "arn:aws:lambda:*:*:function:x"}, "Bad: resource arn:aws:lam"),
        ({"Action": ["logs:PutLogEvents"], "Resource": ["arn:aws:logs:us-east-1:1:log-group:*"]}, "Bad: resource arn"),
    ],
)
def test_a_right_that_is_too_wide_would_be_noticed(statement: dict[str, Any], found: str) -> None:
    policy = {
        "Type": "AWS::IAM::Policy",
        "Properties": {"PolicyDocument": {"Statement": [{"Effect": "Allow"} | statement]}},
    }
    (excess,) = excesses({"Resources": {"Bad": policy}})
    assert excess.startswith(found)


def test_every_reason_is_still_needed(templates: Any) -> None:
    resources = [
        flat(resource)
        for template in templates.by_stack.values()
        for _, statement in statements(template)
        for resource in listed(statement["Resource"])
    ]
    for pattern in WITH_WILDCARD:
        assert any(fnmatch.fnmatchcase(resource, pattern.replace("\\*", "[*]")) for resource in resources), pattern


def test_whoever_looks_at_alarms_may_ask_for_composite_ones(templates: Any) -> None:
    """A user's own alarm may be one; a right on named alarms alone would have every release refused."""
    watchers = {
        logical_id: statement["Resource"]
        for logical_id, statement in statements(templates["web"])
        if "cloudwatch:DescribeAlarms" in listed(statement["Action"])
    }
    assert len(watchers) == 5, "CodeDeploy, the sync, the release check and both hooks"
    assert set(watchers.values()) == {"*"}


def test_only_the_publisher_writes_to_buckets_and_nobody_deletes(templates: Any) -> None:
    writers = {
        logical_id
        for logical_id, statement in statements(templates["web"])
        if "s3:PutObject" in listed(statement["Action"])
    }
    assert [writer.startswith("SiteBuildPublisherRole") for writer in writers] == [True]
    assert "s3:Delete" not in json.dumps(templates.by_stack)


def test_nothing_but_codedeploy_can_move_the_alias(templates: Any) -> None:
    movers = {
        logical_id
        for template in templates.by_stack.values()
        for logical_id, statement in statements(template)
        if {"lambda:UpdateAlias", "lambda:*"} & set(listed(statement["Action"]))
    }
    assert [mover.startswith("SiteReleaseShiftingRole") for mover in movers] == [True]


def test_functions_log_into_their_own_group_which_forgets(templates: Any) -> None:
    for function in templates.of_type("AWS::Lambda::Function").values():
        if function["Properties"]["Handler"] != "origin_request.handler":
            assert "LogGroup" in function["Properties"]["LoggingConfig"]
    groups = templates.of_type("AWS::Logs::LogGroup").values()
    assert {group["Properties"]["RetentionInDays"] for group in groups} == {30}
