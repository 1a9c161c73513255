"""What a deployed site says about itself: its SSM parameters in us-east-1."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from bluegreen_cdn.aws.session import client, translate_errors
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.regions import EDGE_REGION
from bluegreen_cdn.errors import ForeignState, NotFound


@dataclass(frozen=True, kw_only=True)
class DeployedSite:
    """A site that exists.

    Attributes:
        name: Its name.
        bucket: The bucket in us-east-1, the only one that is written to.
        key_value_store_arn: Its KeyValueStore.
        rules: The classification rules that its edge has. Default: it does not say.
        mode: How its edge finds documents. Default: it does not say.
        precompress: Whether its edge asks for precompressed variants. Default: no.
        buckets: The bucket of every region, the primary one first. Default: the one in us-east-1.
        function: Its release function. Default: it does not say.
        alias: That function's alias. Default: it does not say.
        parameters: All that it says, as text by the last part of the parameter's name. Default: nothing.
    """

    name: str
    bucket: str
    key_value_store_arn: str
    rules: ClassificationRules | None = None
    mode: str | None = None
    precompress: bool = False
    buckets: Mapping[str, str] = field(default_factory=dict)
    function: str | None = None
    alias: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        """The bucket that is written to is one of the buckets."""
        if not self.buckets:
            object.__setattr__(self, "buckets", {EDGE_REGION: self.bucket})


def find_site(name: str) -> DeployedSite:
    """Look a site up by its name.

    Raises:
        NotFound: There is none in this account.
        CloudError: The cloud refused.
    """
    prefix = f"/bluegreen/{name}/"
    values: dict[str, str] = {}
    with translate_errors("ssm", "GetParametersByPath", prefix):
        pages = client("ssm", EDGE_REGION).get_paginator("get_parameters_by_path").paginate(Path=prefix)
        for page in pages:
            values |= {item["Name"].removeprefix(prefix): item["Value"] for item in page["Parameters"]}
    arn = values.get("key-value-store-arn")
    if arn is None:
        raise NotFound(
            f"site {name!r} is not deployed in this account (no parameter '{prefix}key-value-store-arn' in "
            f"{EDGE_REGION}): check the name and the credentials, or deploy the site first",
            service="ssm",
            operation="GetParametersByPath",
        )
    try:
        account = arn.split(":")[4]
        rules = ClassificationRules.from_json(json.loads(values["rules"])) if "rules" in values else None
    except (IndexError, ValueError) as error:
        raise ForeignState(f"the parameters under '{prefix}' are not a site's ({error}): deploy it again") from error
    bucket = values.get("bucket", f"bluegreen-{name}-{account}-{EDGE_REGION}")
    replicas = [region for region in values.get("regions", "").split(",") if region and region != EDGE_REGION]
    function, _, alias = values.get("alias", "").partition(":")
    return DeployedSite(
        name=name,
        bucket=bucket,
        buckets={EDGE_REGION: bucket, **{region: f"bluegreen-{name}-{account}-{region}" for region in replicas}},
        function=function or None,
        alias=alias or None,
        key_value_store_arn=arn,
        rules=rules,
        mode=values.get("mode"),
        precompress=values.get("precompress") == "true",
        parameters=values,
    )
