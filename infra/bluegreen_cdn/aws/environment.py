"""Where S3 is and who asks, when environment variables alone say so, as in most CI jobs.

Loading boto3 and its description of S3 takes longer than publishing a release, so whoever needs an address and
credentials only looks here first. Whatever this does not know for sure is left to the SDK.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# Everything else that is named AWS_… may change where requests go or who signs them. (Whoever opens a store looks at
# the bundle of certificates.)
_KNOWN = {
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"),
    *("AWS_CA_BUNDLE", "AWS_DEFAULT_OUTPUT", "AWS_EC2_METADATA_DISABLED", "AWS_EXECUTION_ENV", "AWS_PAGER"),
}
_ENDPOINT = "AWS_ENDPOINT_URL"
_FILES = ("~/.aws/config", "~/.aws/credentials")
# Of the partitions whose S3 is below amazonaws.com, none isolated.
_REGION = re.compile(r"(?:af|ap|ca|eu|il|me|mx|sa|us)-(?:gov-)?(?:central|(?:north|south)?(?:east|west)?)-[1-9]")


@dataclass(frozen=True, kw_only=True)
class PlainEnvironment:
    """What the environment says about S3.

    Attributes:
        region: Where the bucket is.
        endpoint: What is asked instead of AWS; None for AWS.
        access_key: Access key id.
        secret_key: Secret access key.
        token: Session token; None if there is none.
    """

    region: str
    endpoint: str | None
    access_key: str
    secret_key: str
    token: str | None

    def credentials(self) -> Any:
        """The credentials, as the SDK has them."""
        return SimpleNamespace(access_key=self.access_key, secret_key=self.secret_key, token=self.token)


def plain_environment(
    region: str | None = None, environment: Mapping[str, str] = os.environ
) -> PlainEnvironment | None:
    """What the environment says; None if the SDK might find something else.

    Args:
        region: The region, as the caller has it. Default: the environment's.
        environment: The variables. Default: this process's.
    """
    given = {name: value for name, value in environment.items() if name.startswith("AWS_") and value}
    region = region or given.get("AWS_DEFAULT_REGION")
    access_key, secret_key = given.get("AWS_ACCESS_KEY_ID"), given.get("AWS_SECRET_ACCESS_KEY")
    if not (region and access_key and secret_key and _REGION.fullmatch(region)):
        return None
    if any(name not in _KNOWN and not name.startswith(_ENDPOINT) for name in given):
        return None
    if any(Path(file).expanduser().exists() for file in _FILES):
        return None
    return PlainEnvironment(
        region=region,
        endpoint=given.get(f"{_ENDPOINT}_S3") or given.get(_ENDPOINT),
        access_key=access_key,
        secret_key=secret_key,
        token=given.get("AWS_SESSION_TOKEN"),
    )
