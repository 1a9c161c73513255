import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ssm as ssm
from aws_cdk.assertions import Match, Template

from bluegreen_cdn.constructs import DistributionIdentity, ReplicatedBuckets
from bluegreen_cdn.errors import InvalidInput

BUCKET_STACKS = ("web", "shop-eu-west-1")


def distribution_in(statement: dict[str, Any]) -> Any:
    """What the condition of a bucket policy takes the distribution's id from."""
    arn = statement["Condition"]["StringEquals"]["AWS:SourceArn"]["Fn::Join"][1]
    assert arn[:1] + arn[2:-1] == ["arn:", ":cloudfront::", {"Ref": "AWS::AccountId"}, ":distribution/"]
    return arn[-1]


@pytest.mark.parametrize("stack", BUCKET_STACKS)
def test_a_bucket_is_private_encrypted_versioned_and_kept(templates: Any, stack: str) -> None:
    bucket = templates.only("AWS::S3::Bucket", stack)
    properties = bucket["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    (encryption,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("stack", BUCKET_STACKS)
def test_a_bucket_sweeps_up_old_versions_and_unfinished_uploads_only(templates: Any, stack: str) -> None:
    (rule,) = templates.only("AWS::S3::Bucket", stack)["Properties"]["LifecycleConfiguration"]["Rules"]
    assert {key: value for key, value in rule.items() if key != "Id"} == {
        "Status": "Enabled",
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }


@pytest.mark.parametrize("stack", BUCKET_STACKS)
def test_exactly_this_distribution_may_read_builds_and_shared_files(templates: Any, stack: str) -> None:
    (bucket,) = templates.of_type("AWS::S3::Bucket", stack)
    statements = templates.only("AWS::S3::BucketPolicy", stack)["Properties"]["PolicyDocument"]["Statement"]
    (allowed,) = (statement for statement in statements if statement["Effect"] == "Allow")
    assert allowed["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert allowed["Action"] == "s3:GetObject"
    assert allowed["Resource"] == [
        {"Fn::Join": ["", [{"Fn::GetAtt": [bucket, "Arn"]}, f"/{prefix}/*"]]} for prefix in ("builds", "shared")
    ]
    (distribution,) = templates.of_type("AWS::CloudFront::Distribution", "shop-edge")
    if stack == "web":
        exports = templates["shop-edge"]["Outputs"].values()
        (export,) = (o["Export"]["Name"] for o in exports if o["Value"] == {"Ref": distribution})
        assert distribution_in(allowed) == {"Fn::ImportValue": export}
    else:
        (reader,) = templates.of_type("Custom::BlueGreenParameter", stack)
        assert distribution_in(allowed) == {"Fn::GetAtt": [reader, "Value"]}
        read = templates[stack]["Resources"][reader]["Properties"]
        assert (read["Name"], read["Region"]) == ("/bluegreen/shop/distribution-id", "us-east-1")
        (written,) = (
            parameter["Properties"]
            for parameter in templates.of_type("AWS::SSM::Parameter", "shop-edge").values()
            if parameter["Properties"]["Name"] == read["Name"]
        )
        assert written["Value"] == {"Ref": distribution}


@pytest.mark.parametrize("stack", BUCKET_STACKS)
def test_unencrypted_requests_are_denied(templates: Any, stack: str) -> None:
    statements = templates.only("AWS::S3::BucketPolicy", stack)["Properties"]["PolicyDocument"]["Statement"]
    conditions = [statement["Condition"] for statement in statements if statement["Effect"] == "Deny"]
    assert {"Bool": {"aws:SecureTransport": "false"}} in conditions
    assert {"NumericLessThan": {"s3:TlsVersion": 1.2}} in conditions


def test_the_primary_replicates_everything_to_every_other_region(synthesise: Any) -> None:
    templates = synthesise(regions=["us-east-1", "eu-west-1", "ap-southeast-2"])
    configuration = templates.only("AWS::S3::Bucket", "web")["Properties"]["ReplicationConfiguration"]
    rules = configuration["Rules"]
    assert [
        json.dumps(rule["Destination"]["Bucket"]).count(region)
        for rule, region in zip(rules, ("eu-west-1", "ap-southeast-2"), strict=True)
    ] == [1, 1]
    assert len({rule["Priority"] for rule in rules}) == 2
    assert all(rule["Status"] == "Enabled" and rule["Filter"] == {"Prefix": ""} for rule in rules)
    assert all(rule["DeleteMarkerReplication"] == {"Status": "Disabled"} for rule in rules)
    for region in ("eu-west-1", "ap-southeast-2"):
        replica = templates.only("AWS::S3::Bucket", f"shop-{region}")["Properties"]
        assert "ReplicationConfiguration" not in replica
        assert replica["VersioningConfiguration"] == {"Status": "Enabled"}


def test_replication_has_exactly_the_rights_it_needs(templates: Any) -> None:
    (role,) = (
        role["Properties"]
        for role in templates.of_type("AWS::IAM::Role", "web").values()
        if role["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
        == {"Service": "s3.amazonaws.com"}
    )
    (policy,) = role["Policies"]
    source, objects, destination = policy["PolicyDocument"]["Statement"]
    primary, replica = ("bluegreen-shop-111122223333-us-east-1", "bluegreen-shop-111122223333-eu-west-1")
    assert source["Action"] == ["s3:GetReplicationConfiguration", "s3:ListBucket"]
    assert objects["Action"] == [
        "s3:GetObjectVersionForReplication",
        "s3:GetObjectVersionAcl",
        "s3:GetObjectVersionTagging",
    ]
    assert destination["Action"] == ["s3:ReplicateObject", "s3:ReplicateTags"]
    assert [json.dumps(statement["Resource"]).split(":::")[1] for statement in (source, objects, destination)] == [
        f'{primary}"]]}}',
        f'{primary}/*"]]}}',
        f'{replica}/*"]]}}',
    ]


def test_one_region_replicates_nothing(synthesise: Any) -> None:
    assert "ReplicationConfiguration" not in synthesise().only("AWS::S3::Bucket")["Properties"]


def test_buckets_can_be_used_with_a_distribution_of_the_users_own(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path), analytics_reporting=False)
    env = cdk.Environment(account="111122223333", region="us-east-1")
    edge = cdk.Stack(app, "their-edge", env=env)
    ssm.StringParameter(edge, "Id", parameter_name="/theirs/id", string_value="E1234567890ABC")
    stack = cdk.Stack(app, "web", env=env)
    identity = DistributionIdentity(distribution_id="E1234567890ABC", parameter_name="/theirs/id", stack=edge)
    buckets = ReplicatedBuckets(
        stack, "Buckets", name="shop", regions=["us-east-1", "eu-west-1"], distribution=identity
    )
    template = Template.from_stack(buckets.replica_stacks["eu-west-1"])
    template.has_resource_properties("Custom::BlueGreenParameter", {"Name": "/theirs/id"})
    Template.from_stack(stack).has_resource_properties(
        "AWS::S3::BucketPolicy",
        {"PolicyDocument": {"Statement": Match.array_with([Match.object_like({"Sid": "OnlyThisDistribution"})])}},
    )


def test_a_parameter_in_the_primarys_stack_would_come_too_late(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path), analytics_reporting=False)
    stack = cdk.Stack(app, "web", env=cdk.Environment(account="111122223333", region="us-east-1"))
    identity = DistributionIdentity(distribution_id="E1", parameter_name="/theirs/id", stack=stack)
    with pytest.raises(InvalidInput, match="put it in a stack of its own"):
        ReplicatedBuckets(stack, "Buckets", name="shop", regions=["us-east-1", "eu-west-1"], distribution=identity)
