"""The limit on reports: a rule of AWS WAF for the beacon's path alone, and only where somebody asks for it."""

from typing import Any

import pytest

from bluegreen_cdn.constructs import BeaconRateLimit
from bluegreen_cdn.constructs.context import SiteContext
from bluegreen_cdn.errors import InvalidInput

from .conftest import Synthesise, Templates


def test_without_it_there_is_no_firewall_to_pay_for(templates: Templates) -> None:
    assert not templates.of_type("AWS::WAFv2::WebACL")
    config = templates.only("AWS::CloudFront::Distribution")["Properties"]["DistributionConfig"]
    assert "WebACLId" not in config


def test_one_rule_counts_beacons_by_address_and_lets_everything_else_through(synthesise: Synthesise) -> None:
    templates = synthesise(beacon_rate_limit=BeaconRateLimit(requests=50, window_seconds=60))
    acl = templates.only("AWS::WAFv2::WebACL", "shop-edge")["Properties"]
    assert (acl["Scope"], acl["DefaultAction"]) == ("CLOUDFRONT", {"Allow": {}})
    (rule,) = acl["Rules"]
    assert rule["Action"] == {"Block": {}}
    statement = rule["Statement"]["RateBasedStatement"]
    assert (statement["Limit"], statement["EvaluationWindowSec"], statement["AggregateKeyType"]) == (50, 60, "IP")
    match = statement["ScopeDownStatement"]["ByteMatchStatement"]
    assert (match["SearchString"], match["PositionalConstraint"]) == ("/_bluegreen/beacon", "EXACTLY")
    assert match["FieldToMatch"] == {"UriPath": {}}
    assert [each["Type"] for each in match["TextTransformations"]] == ["URL_DECODE"]
    config = templates.only("AWS::CloudFront::Distribution")["Properties"]["DistributionConfig"]
    assert config["WebACLId"] == {"Fn::GetAtt": [next(iter(templates.of_type("AWS::WAFv2::WebACL"))), "Arn"]}


def test_the_rule_fits_into_an_acl_of_ones_own(synthesise: Synthesise) -> None:
    from aws_cdk import aws_wafv2 as wafv2

    def after(stack: Any, site: Any) -> None:
        visible = wafv2.CfnWebACL.VisibilityConfigProperty(
            metric_name="mine", cloud_watch_metrics_enabled=True, sampled_requests_enabled=False
        )
        allow = wafv2.CfnWebACL.DefaultActionProperty(allow={})
        rules = [BeaconRateLimit().rule(priority=7)]
        wafv2.CfnWebACL(stack, "Mine", scope="CLOUDFRONT", default_action=allow, visibility_config=visible, rules=rules)

    (rule,) = synthesise(after=after).only("AWS::WAFv2::WebACL")["Properties"]["Rules"]
    assert (rule["Priority"], rule["Statement"]["RateBasedStatement"]["Limit"]) == (7, 300)


@pytest.mark.parametrize(
    "values", [{"requests": 9}, {"requests": True}, {"requests": 2.5}, {"window_seconds": 90}, {"window_seconds": 0}]
)
def test_what_aws_waf_does_not_take_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=f"{next(iter(values))} is"):
        BeaconRateLimit(**values)


@pytest.mark.parametrize(("value", "limit"), [(None, None), (500, 500), ("40", 40)])
def test_context_says_it_as_a_number(value: object, limit: int | None) -> None:
    context = {"build_id": "v1", "beacon_rate_limit": value}
    found = SiteContext.read(lambda key: context.get(key)).beacon_rate_limit
    assert (found.requests if found else None) == limit


def test_a_number_that_is_no_limit_is_an_argument_of_the_wrong_kind(synthesise: Synthesise) -> None:
    with pytest.raises(InvalidInput, match=r"beacon_rate_limit is 300; pass something like BeaconRateLimit\("):
        synthesise(beacon_rate_limit=300)


def test_the_path_is_the_one_that_the_edge_takes_for_a_beacon() -> None:
    from bluegreen_cdn.constructs.beacon_firewall import BEACON_PATH
    from bluegreen_cdn.handlers import client_metrics

    assert BEACON_PATH == client_metrics.BEACON_PATH
