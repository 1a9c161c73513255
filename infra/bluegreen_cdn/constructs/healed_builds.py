"""Before the edge looks elsewhere for files, they are put there: live builds survive a change of the rules."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from aws_cdk import Aws, CustomResource, Duration
from constructs import Construct

from bluegreen_cdn import defaults
from bluegreen_cdn.constructs.buckets import PUBLIC_PREFIXES
from bluegreen_cdn.constructs.handler_function import HandlerFunction
from bluegreen_cdn.constructs.names import check_site_name
from bluegreen_cdn.constructs.published_build import KEY_VALUE_STORE_READ
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.manifest import MANIFEST_PREFIX

HEAL_TIMEOUT_MINUTES = 15
HEAL_MEMORY_MEGABYTES = 1792
"""A whole processor: what has no variants yet is compressed."""


class HealedBuilds(Construct):
    """Puts the files of live builds where an edge with these rules looks, whenever the rules change.

    Attributes:
        resource: The custom resource; what looks by the rules depends on it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        bucket_names: Mapping[str, str],
        key_value_store_arn: str,
        rules: ClassificationRules,
        mode: str,
        precompress: bool,
    ) -> None:
        """Heal live builds while the stack is deployed.

        Args:
            scope: Where it belongs, in a stack in us-east-1.
            construct_id: Its id there.
            name: The site's name.
            bucket_names: The bucket of every region; the first is the primary. They may not exist yet.
            key_value_store_arn: Where the edge learns which builds there are.
            rules: Which files carry a hash and which are entries.
            mode: How a path becomes a document.
            precompress: Whether the edge asks for precompressed variants.
        """
        super().__init__(scope, construct_id)
        handler = HandlerFunction(
            self,
            "Handler",
            handler="bluegreen_cdn.handlers.heal.handler",
            description=f"{check_site_name(name)}: live builds survive a change of the rules",
            timeout=Duration.minutes(HEAL_TIMEOUT_MINUTES),
            memory_megabytes=HEAL_MEMORY_MEGABYTES,
        )
        handler.allow([*KEY_VALUE_STORE_READ, "cloudfront-keyvaluestore:ListKeys"], [key_value_store_arn])
        primary, *replicas = (f"arn:{Aws.PARTITION}:s3:::{bucket}" for bucket in bucket_names.values())
        prefixes = (*PUBLIC_PREFIXES, MANIFEST_PREFIX)
        handler.allow(["s3:ListBucket"], [primary, *replicas])
        handler.allow(["s3:GetObject", "s3:PutObject"], [f"{primary}/{prefix}*" for prefix in prefixes])
        handler.allow(["s3:GetObject"], [f"{primary}/{defaults.CONDEMNED_PREFIX}*"])
        if replicas:
            handler.allow(["s3:GetObject"], [f"{arn}/{prefix}*" for arn in replicas for prefix in PUBLIC_PREFIXES])
        written = json.dumps(rules.to_json(), sort_keys=True, separators=(",", ":"))
        yes = "true" if precompress else "false"
        self.resource: CustomResource = CustomResource(
            self,
            "Builds",
            resource_type="Custom::BlueGreenHealing",
            service_token=handler.function.function_arn,
            service_timeout=Duration.minutes(HEAL_TIMEOUT_MINUTES + 1),
            properties={
                "Site": name,
                "Buckets": json.dumps(dict(bucket_names), separators=(",", ":")),
                "KeyValueStoreArn": key_value_store_arn,
                "Rules": written,
                "Precompress": yes,
                # What looks for files in another way asks for this again.
                "Digest": hashlib.sha256(f"{written} {yes} {mode}".encode()).hexdigest()[:16],
            },
        )
