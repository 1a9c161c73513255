"""Buckets as releases need them: replication with delay and faults, conditional writes, nothing dropped in silence."""

import base64
import hashlib
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import Aws, eventually

pytestmark = [pytest.mark.cloud, pytest.mark.xdist_group("local-cloud")]


def bucket(name: str, **properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::S3::Bucket",
        "Properties": {"BucketName": name, "VersioningConfiguration": {"Status": "Enabled"}, **properties},
    }


def replicated(
    aws: Aws, name: str, regions: tuple[str, ...] = ("eu-west-1", "ap-southeast-2")
) -> tuple[str, list[str]]:
    """A bucket in us-east-1 with a replica in each region, made from templates."""
    replicas = []
    for region in regions:
        formation = aws.client("cloudformation", region)
        import json

        replica = f"{name}-{region}"
        formation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": {"Bucket": bucket(replica)}}))
        formation.get_waiter("stack_create_complete").wait(
            StackName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 99}
        )
        replicas.append(replica)
    rules = [
        {
            "Id": f"to-{index}",
            "Priority": index,
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "DeleteMarkerReplication": {"Status": "Disabled"},
            "Destination": {"Bucket": f"arn:aws:s3:::{replica}"},
        }
        for index, replica in enumerate(replicas)
    ]
    configuration = {"Role": "arn:aws:iam::111122223333:role/replication", "Rules": rules}
    assert aws.deploy(name, {"Bucket": bucket(name, ReplicationConfiguration=configuration)}) == "CREATE_COMPLETE", (
        aws.failure_reasons(name)
    )
    return name, replicas


def status(aws: Aws, name: str, key: str) -> str:
    return str(aws.client("s3").head_object(Bucket=name, Key=key).get("ReplicationStatus", ""))


def exists(aws: Aws, name: str, key: str) -> bool:
    try:
        aws.client("s3").head_object(Bucket=name, Key=key)
    except ClientError:
        return False
    return True


def test_objects_reach_every_region_with_their_metadata(aws: Aws) -> None:
    name, replicas = replicated(aws, "everywhere")
    s3 = aws.client("s3")
    made = s3.put_object(
        Bucket=name,
        Key="builds/a/index.html",
        Body=b"<html>",
        ContentType="text/html; charset=utf-8",
        CacheControl="no-cache",
        Metadata={"build-id": "a"},
        Tagging="kind=entry",
    )
    eventually(lambda: status(aws, name, "builds/a/index.html") == "COMPLETED")
    for replica in replicas:
        found = s3.get_object(Bucket=replica, Key="builds/a/index.html")
        assert found["Body"].read() == b"<html>"
        assert (found["ContentType"], found["CacheControl"]) == ("text/html; charset=utf-8", "no-cache")
        assert (found["Metadata"], found["ReplicationStatus"]) == ({"build-id": "a"}, "REPLICA")
        assert found["VersionId"] == made["VersionId"]
        tags = s3.get_object_tagging(Bucket=replica, Key="builds/a/index.html")["TagSet"]
        assert tags == [{"Key": "kind", "Value": "entry"}]
        assert (
            aws.client("s3", "eu-west-1").get_bucket_location(Bucket=replicas[0])["LocationConstraint"] == "eu-west-1"
        )


def test_replication_takes_the_time_that_was_ordered(aws: Aws) -> None:
    name, (near, far) = replicated(aws, "delayed")
    seconds = 1200  # ten real ones, for what is looked at before the copy arrives
    fault = aws.cloud.fault("replication-delay", bucket=far, seconds=seconds)
    try:
        began = time.monotonic()
        aws.client("s3").put_object(Bucket=name, Key="x", Body=b"x")
        eventually(lambda: exists(aws, near, "x"))
        assert not exists(aws, far, "x")
        assert status(aws, name, "x") == "PENDING"
        eventually(lambda: exists(aws, far, "x"))
        assert time.monotonic() - began >= seconds / aws.cloud.time_scale
        eventually(lambda: status(aws, name, "x") == "COMPLETED")
    finally:
        aws.cloud.mend(fault)


def test_a_dropped_replica_is_failed_and_never_retried(aws: Aws) -> None:
    name, (first, second) = replicated(aws, "dropped")
    fault = aws.cloud.fault("replication-drop", bucket=second, keys="shared/*.js")
    aws.client("s3").put_object(Bucket=name, Key="shared/a.js", Body=b"a")
    aws.client("s3").put_object(Bucket=name, Key="shared/a.css", Body=b"a")
    eventually(lambda: status(aws, name, "shared/a.js") == "FAILED")
    aws.cloud.mend(fault)
    eventually(lambda: status(aws, name, "shared/a.css") == "COMPLETED")
    assert [exists(aws, one, "shared/a.js") for one in (first, second)] == [True, False]


def test_a_region_that_is_down_answers_503_and_catches_up(aws: Aws) -> None:
    name, (first, _) = replicated(aws, "down")
    fault = aws.cloud.fault("down", region="eu-west-1")
    try:
        aws.client("s3").put_object(Bucket=name, Key="x", Body=b"x")
        with pytest.raises(ClientError) as refused:
            aws.client("s3").head_object(Bucket=first, Key="x")
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert status(aws, name, "x") == "PENDING"
    finally:
        aws.cloud.mend(fault)
    eventually(lambda: status(aws, name, "x") == "COMPLETED")
    assert exists(aws, first, "x")


def test_a_slow_bucket_is_slow(aws: Aws) -> None:
    aws.client("s3").create_bucket(Bucket="slow")
    fault = aws.cloud.fault("slow", bucket="slow", seconds=24)
    began = time.monotonic()
    aws.client("s3").list_objects_v2(Bucket="slow")
    assert time.monotonic() - began >= 24 / aws.cloud.time_scale
    aws.cloud.mend(fault)
    assert aws.cloud.admin("faults") == []


def test_an_unknown_fault_is_refused(aws: Aws) -> None:
    from bluegreen_cdn.errors import LocalCloudError

    with pytest.raises(LocalCloudError, match="'earthquake' is not one of"):
        aws.cloud.fault("earthquake")


def test_replication_to_a_bucket_that_does_not_exist_is_refused(aws: Aws) -> None:
    configuration = {
        "Role": "arn:aws:iam::111122223333:role/replication",
        "Rules": [
            {
                "Status": "Enabled",
                "Priority": 1,
                "Filter": {"Prefix": ""},
                "DeleteMarkerReplication": {"Status": "Disabled"},
                "Destination": {"Bucket": "arn:aws:s3:::nowhere"},
            }
        ],
    }
    stack = {"Bucket": bucket("lonely", ReplicationConfiguration=configuration)}
    assert aws.deploy("lonely", stack) == "ROLLBACK_COMPLETE"
    assert "Destination bucket must exist" in aws.failure_reasons("lonely")


def test_what_a_template_says_about_a_bucket_can_be_read_back(aws: Aws) -> None:
    status = aws.deploy(
        "readable",
        {
            "Bucket": bucket(
                "readable",
                LifecycleConfiguration={
                    "Rules": [
                        {
                            "Id": "old",
                            "Status": "Enabled",
                            "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
                            "ExpiredObjectDeleteMarker": True,
                        }
                    ]
                },
                OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
                BucketEncryption={
                    "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
                },
                PublicAccessBlockConfiguration={
                    "BlockPublicAcls": True,
                    "BlockPublicPolicy": True,
                    "IgnorePublicAcls": True,
                    "RestrictPublicBuckets": True,
                },
            )
        },
    )
    assert status == "CREATE_COMPLETE", aws.failure_reasons("readable")
    s3 = aws.client("s3")
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket="readable")["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert s3.get_bucket_versioning(Bucket="readable")["Status"] == "Enabled"
    assert s3.get_public_access_block(Bucket="readable")["PublicAccessBlockConfiguration"]["BlockPublicAcls"] is True
    controls = s3.get_bucket_ownership_controls(Bucket="readable")["OwnershipControls"]
    assert controls["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    name, replicas = replicated(aws, "readable-rules")
    found = s3.get_bucket_replication(Bucket=name)["ReplicationConfiguration"]
    assert [rule["Destination"]["Bucket"] for rule in found["Rules"]] == [f"arn:aws:s3:::{one}" for one in replicas]


def test_a_bucket_property_that_would_be_dropped_is_refused(aws: Aws) -> None:
    assert (
        aws.deploy("dropping", {"Bucket": bucket("dropping", IntelligentTieringConfigurations=[])})
        == "ROLLBACK_COMPLETE"
    )
    assert "IntelligentTieringConfigurations" in aws.failure_reasons("dropping")
    aws.deploy("dropping-later", {"Bucket": bucket("dropping-later")})
    changed = {"Bucket": bucket("dropping-later", IntelligentTieringConfigurations=[])}
    assert aws.deploy("dropping-later", changed) == "UPDATE_ROLLBACK_COMPLETE"


def test_a_key_is_written_once(aws: Aws) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="once")
    digest = base64.b64encode(hashlib.sha256(b"one").digest()).decode()
    s3.put_object(Bucket="once", Key="shared/a.js", Body=b"one", IfNoneMatch="*", ChecksumSHA256=digest)
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket="once", Key="shared/a.js", Body=b"two", IfNoneMatch="*")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    found = s3.head_object(Bucket="once", Key="shared/a.js", ChecksumMode="ENABLED")
    assert found["ChecksumSHA256"] == digest
    with pytest.raises(ClientError, match="did not match"):
        s3.put_object(Bucket="once", Key="b", Body=b"other", ChecksumSHA256=digest)


def test_a_bucket_with_objects_survives_its_stack(aws: Aws) -> None:
    aws.deploy("full", {"Bucket": bucket("full")})
    aws.client("s3").put_object(Bucket="full", Key="x", Body=b"x")
    aws.client("cloudformation").delete_stack(StackName="full")
    assert aws.settled("full") == "DELETE_FAILED"
    assert exists(aws, "full", "x")
