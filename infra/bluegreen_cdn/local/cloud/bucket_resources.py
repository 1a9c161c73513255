"""`AWS::S3::Bucket` with replication, lifecycle, ownership and encryption, and nothing dropped in silence."""

from collections.abc import Mapping
from typing import Any

from bluegreen_cdn.local.cloud.bucket_xml import (
    encryption_xml,
    lifecycle_xml,
    only,
    ownership_xml,
    replication_xml,
)
from bluegreen_cdn.local.cloud.seams import replace, require

_KNOWN_TO_MINISTACK = (
    "BucketName",
    "VersioningConfiguration",
    "NotificationConfiguration",
    "CorsConfiguration",
    "PublicAccessBlockConfiguration",
    "WebsiteConfiguration",
    "Tags",
)


def install(s3: Any, provisioners: Any) -> None:
    """Extend ministack's handler of the type."""
    require(
        s3,
        "_bucket_replication",
        "_put_bucket_replication",
        "_delete_bucket_replication",
        "_put_bucket_lifecycle",
        "_delete_bucket_lifecycle",
        "_put_bucket_ownership_controls",
        "_delete_bucket_ownership_controls",
        "_put_bucket_encryption",
        "_delete_bucket_encryption",
        "_bucket_owner_account",
    )
    require(provisioners, "_RESOURCE_HANDLERS")
    configurations = {
        "LifecycleConfiguration": (lifecycle_xml, s3._put_bucket_lifecycle, s3._delete_bucket_lifecycle),
        "OwnershipControls": (ownership_xml, s3._put_bucket_ownership_controls, s3._delete_bucket_ownership_controls),
        "BucketEncryption": (encryption_xml, s3._put_bucket_encryption, s3._delete_bucket_encryption),
        "ReplicationConfiguration": (replication_xml, s3._put_bucket_replication, s3._delete_bucket_replication),
    }

    def check(props: Mapping[str, Any]) -> None:
        plain = {key: value for key, value in props.items() if (key, value) != ("AccessControl", "Private")}
        only(plain, "AWS::S3::Bucket property", *_KNOWN_TO_MINISTACK, *configurations)

    def apply(name: str, props: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> None:
        check(props)
        original_apply(name, props, old)
        for prop, (to_xml, put, delete) in configurations.items():
            if prop in props:
                if prop == "ReplicationConfiguration":
                    _check_destinations(s3, props[prop])
                status, _, body = put(name, to_xml(props[prop]))
                if status >= 400:
                    raise ValueError(f"AWS::S3::Bucket {name} {prop}: {body!r}")
            elif old and prop in old:
                delete(name)

    def create(logical_id: str, props: Mapping[str, Any], stack_name: str) -> Any:
        # Refused before the bucket exists: what a failed creation leaves behind blocks the next try.
        check(props)
        if "ReplicationConfiguration" in props:
            _check_destinations(s3, props["ReplicationConfiguration"])
        known = set(s3._buckets.keys())
        try:
            return original_create(logical_id, props, stack_name)
        except Exception:
            for made in set(s3._buckets.keys()) - known:
                original_delete(made, props)
            raise

    def delete_bucket(physical_id: str, props: Mapping[str, Any]) -> None:
        bucket = s3._buckets.get(physical_id)
        if bucket and (bucket["objects"] or any(key[0] == physical_id for key in s3._object_versions)):
            raise ValueError(
                f"The bucket you tried to delete is not empty: {physical_id}. You must delete all versions "
                "in the bucket."
            )
        s3._bucket_replication.pop(physical_id, None)
        original_delete(physical_id, props)

    def server_side_encryption(headers: Any, *arguments: Any, **named: Any) -> Any:
        key = "x-amz-server-side-encryption-aws-kms-key-id"
        if headers.get("x-amz-server-side-encryption") == "aws:kms" and not headers.get(key):
            # AWS falls back to the account's own key; the CDK CLI relies on it for the bucket it bootstraps.
            headers = {**headers, key: "alias/aws/s3"}
        return original_encryption(headers, *arguments, **named)

    original_encryption = replace(s3, "_resolve_sse_write_headers", server_side_encryption)
    handlers = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    original_apply = replace(provisioners, "_s3_apply_configurations", apply)
    original_create, original_delete = handlers["create"], handlers["delete"]
    handlers["create"], handlers["delete"] = create, delete_bucket
    replace(provisioners, "_s3_create", create)


def _check_destinations(s3: Any, configuration: Mapping[str, Any]) -> None:
    for rule in configuration.get("Rules") or []:
        name = str(rule["Destination"]["Bucket"]).rpartition(":::")[2]
        if s3._bucket_owner_account(name) is None:
            raise ValueError(f"Destination bucket must exist. (Service: S3, bucket {name})")
