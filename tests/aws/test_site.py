"""Looking a site up by its parameters."""

from typing import Any

import pytest

from bluegreen_cdn.aws import site as module
from bluegreen_cdn.aws.site import DeployedSite, find_site
from bluegreen_cdn.errors import ForeignState, NotFound

ARN = "arn:aws:cloudfront::111122223333:key-value-store/abc"


def parameters(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    """Let the site `shop` have these parameters, one a page."""
    items = [{"Name": f"/bluegreen/shop/{part.replace('_', '-')}", "Value": value} for part, value in values.items()]

    class Client:
        def get_paginator(self, operation: str) -> "Client":
            assert operation == "get_parameters_by_path"
            return self

        def paginate(self, **arguments: Any) -> list[dict[str, Any]]:
            assert arguments == {"Path": "/bluegreen/shop/"}
            return [{"Parameters": [item]} for item in items]

    def client(service: str, region: str) -> Client:
        assert (service, region) == ("ssm", "us-east-1")
        return Client()

    monkeypatch.setattr(module, "client", client)


def test_the_bucket_follows_from_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters(monkeypatch, key_value_store_arn=ARN, regions="us-east-1")
    assert find_site("shop") == DeployedSite(
        name="shop", bucket="bluegreen-shop-111122223333-us-east-1", key_value_store_arn=ARN
    )


def test_a_bucket_of_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters(monkeypatch, key_value_store_arn=ARN, bucket="mine", mode="html")
    found = find_site("shop")
    assert (found.bucket, found.mode) == ("mine", "html")


def test_no_parameters_are_no_site(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters(monkeypatch)
    with pytest.raises(NotFound, match="site 'shop' is not deployed in this account"):
        find_site("shop")


@pytest.mark.parametrize("change", [{"key_value_store_arn": "none"}, {"rules": "no json"}, {"rules": "{}"}])
def test_parameters_of_somebody_else(monkeypatch: pytest.MonkeyPatch, change: dict[str, str]) -> None:
    parameters(monkeypatch, **{"key_value_store_arn": ARN, **change})
    with pytest.raises(ForeignState):
        find_site("shop")
