"""Publishing as part of a deployment: a custom resource that makes a build exist, or checks that it does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from aws_cdk import AssetHashType, CustomResource, Duration, SymlinkFollowMode
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from bluegreen_cdn import defaults
from bluegreen_cdn.constructs.build import Build
from bluegreen_cdn.constructs.handler_function import HandlerFunction
from bluegreen_cdn.constructs.names import check_site_name
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.header_rules import HeaderRules
from bluegreen_cdn.publish.closure import check_closure
from bluegreen_cdn.publish.folder_source import FolderSource

PUBLISH_TIMEOUT_MINUTES = 15
PUBLISH_MEMORY_MEGABYTES = 3008
"""Nearly two processors: compressing is bound by them. New accounts get no more."""
PUBLISH_STORAGE_MEGABYTES = 2048
"""For the zip with the build; a larger one is read by ranges."""
KEY_VALUE_STORE_READ = ("cloudfront-keyvaluestore:DescribeKeyValueStore", "cloudfront-keyvaluestore:GetKey")
KEY_VALUE_STORE_WRITE = ("cloudfront-keyvaluestore:UpdateKeys",)


class PublishedBuild(Construct):
    """A build in the primary bucket, with its manifest, before anything that depends on this.

    Attributes:
        function: Publishes.
        resource: The custom resource; depend on it to come after the build.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        build: Build,
        bucket: s3.IBucket,
        key_value_store_arn: str,
        rules: ClassificationRules,
        mode: str = defaults.DEFAULT_DOCUMENT_MODE,
        precompress: bool = True,
    ) -> None:
        """Publish the build while the stack is deployed.

        Args:
            scope: Where it belongs, in a stack in us-east-1.
            construct_id: Its id there.
            name: The site's name.
            build: What to publish.
            bucket: The primary bucket.
            key_value_store_arn: Where the edge learns that the build exists.
            rules: Which files carry a hash and which are entries.
            mode: How a path becomes a document: `spa`, `directory` or `html`. Default: `spa`.
            precompress: Whether text files get brotli and gzip variants. Default: they do.
        """
        super().__init__(scope, construct_id)
        publisher = HandlerFunction(
            self,
            "Publisher",
            handler="bluegreen_cdn.handlers.publish.handler",
            description=f"{check_site_name(name)}: publishes builds",
            timeout=Duration.minutes(PUBLISH_TIMEOUT_MINUTES),
            memory_megabytes=PUBLISH_MEMORY_MEGABYTES,
            storage_megabytes=PUBLISH_STORAGE_MEGABYTES,
        )
        for statement in publish_statements(bucket, key_value_store_arn):
            publisher.function.add_to_role_policy(statement)
        properties: dict[str, str | list[str]] = {
            "Site": name,
            "BuildId": build.build_id,
            "Bucket": bucket.bucket_name,
            "KeyValueStoreArn": key_value_store_arn,
            "Rules": json.dumps(rules.to_json(), sort_keys=True, separators=(",", ":")),
            "Mode": mode,
            "Precompress": "true" if precompress else "false",
        }
        if build.path is not None:
            _check_files(build, build.path, rules, mode)
            properties |= _how_to_publish(build)
            asset = self._asset(build)
            publisher.function.add_to_role_policy(
                # Every build is another key. One right for them all: a right that changes with each build is often
                # not in force yet when the publisher, seconds later, reads the build.
                iam.PolicyStatement(actions=["s3:GetObject"], resources=[asset.bucket.arn_for_objects("*.zip")])
            )
            properties |= {"SourceBucket": asset.s3_bucket_name, "SourceKey": asset.s3_object_key}
        self.function: lambda_.Function = publisher.function
        self.resource: CustomResource = CustomResource(
            self,
            "Build",
            resource_type="Custom::BlueGreenBuild",
            service_token=publisher.function.function_arn,
            service_timeout=Duration.minutes(PUBLISH_TIMEOUT_MINUTES + 1),
            properties=properties,
        )

    def _asset(self, build: Build) -> assets.Asset:
        return assets.Asset(
            self,
            "Files",
            path=str(build.path),
            asset_hash=build.digest,
            asset_hash_type=AssetHashType.CUSTOM,
            # The listing has made sure that no link leads out of the build.
            follow_symlinks=SymlinkFollowMode.ALWAYS,
        )


def _check_files(build: Build, folder: Path, rules: ClassificationRules, mode: str) -> None:
    """Refuse now what the publisher would refuse when half of the stack is deployed."""
    published = [file for file in build.files if build.headers.publishes(file.path)]
    for file in published:
        build.headers.headers_for(file.path, rules.classify(file.path))
    with FolderSource(folder) as source:
        check_closure(
            source,
            published,
            rules=rules,
            mode=mode,
            build_id=build.build_id,
            allow_missing=build.allow_missing,
        )


def _how_to_publish(build: Build) -> dict[str, str | list[str]]:
    """The properties that few builds need; those of all others stay what they were."""
    properties: dict[str, str | list[str]] = {}
    if build.headers != HeaderRules():
        properties["Headers"] = json.dumps(build.headers.to_json(), sort_keys=True, separators=(",", ":"))
    if build.allow_missing:
        properties["AllowMissing"] = list(build.allow_missing)
    return properties


def publish_statements(bucket: s3.IBucket, key_value_store_arn: str) -> Sequence[iam.PolicyStatement]:
    """The rights of whoever publishes: to add to the primary bucket and to tell the edge, not to delete."""
    return (
        _add_to([bucket.bucket_arn]),
        # What retention has condemned is put again.
        iam.PolicyStatement(
            actions=["s3:GetObject"], resources=[bucket.arn_for_objects(f"{defaults.CONDEMNED_PREFIX}*")]
        ),
        _list([bucket.bucket_arn]),
        iam.PolicyStatement(
            actions=[*KEY_VALUE_STORE_READ, *KEY_VALUE_STORE_WRITE],
            resources=[key_value_store_arn],
        ),
    )


def fan_out_statements(bucket_arns: Sequence[str]) -> Sequence[iam.PolicyStatement]:
    """What whoever publishes to every region by themselves may do besides: the same in the other buckets."""
    return (_add_to(bucket_arns), _list(bucket_arns)) if bucket_arns else ()


def _add_to(bucket_arns: Sequence[str]) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        actions=["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
        resources=[f"{arn}/{prefix}/*" for arn in bucket_arns for prefix in ("builds", "shared", "manifests")],
    )


def _list(bucket_arns: Sequence[str]) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=["s3:ListBucket"], resources=list(bucket_arns))
