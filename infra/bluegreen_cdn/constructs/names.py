"""What a site's things are called. These names are API: the edge, the command line and pipelines rely on them."""

import re

from bluegreen_cdn.defaults import SITE_NAME_PATTERN
from bluegreen_cdn.errors import InvalidInput

_SITE_NAME = re.compile(SITE_NAME_PATTERN)


def check_site_name(name: str) -> str:
    """Return the site's name unchanged if it can be part of a bucket's name.

    Raises:
        InvalidInput: It cannot.
    """
    if not isinstance(name, str) or _SITE_NAME.fullmatch(name) is None:
        raise InvalidInput(
            f"site name {name!r} is not acceptable: it must be 2 to 24 characters, each a lower-case letter, a digit "
            "or '-', begin with a letter and not end with '-', because buckets are named after it"
        )
    return name


def bucket_name(site: str, account: str, region: str) -> str:
    """The bucket of one region; `account` may be a token."""
    return f"bluegreen-{site}-{account}-{region}"


def resource_name(site: str, part: str = "") -> str:
    """The name of anything else that has one: `bluegreen-<site>` or `bluegreen-<site>-<part>`."""
    return f"bluegreen-{site}-{part}" if part else f"bluegreen-{site}"


def parameter_name(site: str, part: str) -> str:
    """The name of an SSM parameter in us-east-1, where the command line looks things up."""
    return f"/bluegreen/{site}/{part}"
