import json
from typing import Any

import pytest

from bluegreen_cdn.aws import operator_site
from bluegreen_cdn.aws.operator_site import open_site
from bluegreen_cdn.aws.site import DeployedSite
from bluegreen_cdn.errors import ForeignState

CONTROL = {
    "application": "app",
    "group": "group",
    "alarms": ["worse"],
    "own_alarms": ["dead"],
    "buckets": {"us-east-1": "one", "eu-west-1": "two"},
    "holdout": 500,
}
PARAMETERS = {"alias": "release:live", "control": json.dumps(CONTROL), "distribution-domain": "d111.cloudfront.net"}


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The parameters of the site `shop`; to be changed."""
    values = dict(PARAMETERS)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")

    def find_site(name: str) -> DeployedSite:
        return DeployedSite(name=name, bucket="one", key_value_store_arn="arn", parameters=values)

    monkeypatch.setattr(operator_site, "find_site", find_site)
    return values


def test_a_site_says_how_it_is_controlled(deployed: dict[str, str]) -> None:
    site = open_site("shop")
    assert (site.domain, site.holdout) == ("d111.cloudfront.net", 500)
    assert [(region, bucket.name) for region, bucket in site.buckets.items()] == [
        ("us-east-1", "s3://one"),
        ("eu-west-1", "s3://two"),
    ]


@pytest.mark.parametrize(
    "change", [{"control": "{}"}, {"control": "no json"}, {"control": "[]"}, {"alias": "release"}, {"alias": None}]
)
def test_a_site_of_an_older_version_has_to_be_deployed_again(deployed: dict[str, str], change: dict[str, Any]) -> None:
    for name, value in change.items():
        del deployed[name]
        if value is not None:
            deployed[name] = value
    with pytest.raises(ForeignState, match="does not say how it is controlled"):
        open_site("shop")
