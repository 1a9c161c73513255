"""Regions: which exist, and which lists of them a site can have."""

import difflib
from collections.abc import Iterable

from bluegreen_cdn.errors import InvalidRegions

EDGE_REGION = "us-east-1"
"""Where CloudFront takes Lambda@Edge, certificates and its metrics from: the control plane lives here."""

KNOWN_REGIONS = frozenset(
    {
        "af-south-1",
        "ap-east-1",
        "ap-east-2",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-south-2",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "ap-southeast-5",
        "ap-southeast-6",
        "ap-southeast-7",
        "ca-central-1",
        "ca-west-1",
        "eu-central-1",
        "eu-central-2",
        "eu-north-1",
        "eu-south-1",
        "eu-south-2",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "il-central-1",
        "me-central-1",
        "me-south-1",
        "mx-central-1",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
    }
)
"""The regions of the partition `aws`; CloudFront with Lambda@Edge exists in no other."""


def check_regions(regions: Iterable[str]) -> tuple[str, ...]:
    """Return the regions as a tuple if a site can have its buckets there.

    Args:
        regions: The primary region first, which must be us-east-1, then the replicas.

    Raises:
        InvalidRegions: A region is unknown or listed twice, or the first is not us-east-1.
    """
    if isinstance(regions, str):
        raise InvalidRegions(f"regions is the text {regions!r}; pass a list, such as ('us-east-1', 'eu-west-1')")
    listed = tuple(regions)
    for index, region in enumerate(listed):
        if region not in KNOWN_REGIONS:
            raise InvalidRegions(f"region {region!r} is unknown{_suggestion(region)}; regions look like 'eu-west-1'")
        if region in listed[:index]:
            raise InvalidRegions(f"region {region!r} is listed twice; list each region once")
    if not listed or listed[0] != EDGE_REGION:
        found = f"regions are {', '.join(listed)}" if listed else "no regions are given"
        raise InvalidRegions(f"{found}; the first must be {EDGE_REGION}, where the control plane of the edge lives")
    return listed


def _suggestion(region: object) -> str:
    near = difflib.get_close_matches(str(region), sorted(KNOWN_REGIONS), n=1, cutoff=0.8)
    return f" (did you mean {near[0]!r}?)" if near else ""
