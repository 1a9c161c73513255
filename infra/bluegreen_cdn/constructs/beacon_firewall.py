"""A limit on how many reports one address may send: what makes forging them laborious. Optional, because it costs."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from bluegreen_cdn import defaults
from bluegreen_cdn.constructs.names import check_site_name, resource_name
from bluegreen_cdn.errors import InvalidInput

BEACON_PATH = "/_bluegreen/beacon"
WINDOWS_SECONDS = (60, 120, 300, 600)
"""That AWS WAF counts over."""
LEAST_REQUESTS, MOST_REQUESTS = 10, 2_000_000_000
"""That AWS WAF takes as a limit."""


@dataclass(frozen=True, kw_only=True)
class BeaconRateLimit:
    """How many reports one address may send.

    A page sends one or two, and an office of hundreds may share an address: what is beyond the limit is not counted, so
    too low a limit costs evidence and nothing else.

    Example:
        `BlueGreenSite(…, beacon_rate_limit=BeaconRateLimit(requests=300, window_seconds=300))`

    Attributes:
        requests: Within the window, 10 at least.
        window_seconds: 60, 120, 300 or 600.

    Raises:
        InvalidInput: AWS WAF does not take it.
    """

    requests: int = defaults.BEACON_LIMIT_REQUESTS
    window_seconds: int = defaults.BEACON_LIMIT_WINDOW_SECONDS

    def __post_init__(self) -> None:
        """Refuse what CloudFormation would refuse minutes later."""
        is_whole = isinstance(self.requests, int) and not isinstance(self.requests, bool)
        if not is_whole or not LEAST_REQUESTS <= self.requests <= MOST_REQUESTS:
            raise InvalidInput(
                f"requests is {self.requests!r}; it must be a whole number from {LEAST_REQUESTS} to {MOST_REQUESTS}"
            )
        if self.window_seconds not in WINDOWS_SECONDS or isinstance(self.window_seconds, bool):
            raise InvalidInput(
                f"window_seconds is {self.window_seconds!r}; it must be one of {', '.join(map(str, WINDOWS_SECONDS))}"
            )

    def rule(self, *, priority: int = 0) -> wafv2.CfnWebACL.RuleProperty:
        """The rule, for a web ACL of your own.

        Args:
            priority: Its place among the ACL's rules. Default: the first.
        """
        path = wafv2.CfnWebACL.ByteMatchStatementProperty(
            field_to_match=wafv2.CfnWebACL.FieldToMatchProperty(uri_path={}),
            positional_constraint="EXACTLY",
            search_string=BEACON_PATH,
            # The edge reads the path decoded, so `/_bluegreen/beaco%6e` is a beacon, too.
            text_transformations=[wafv2.CfnWebACL.TextTransformationProperty(priority=0, type="URL_DECODE")],
        )
        return wafv2.CfnWebACL.RuleProperty(
            name="beacons-by-address",
            priority=priority,
            action=wafv2.CfnWebACL.RuleActionProperty(block={}),
            statement=wafv2.CfnWebACL.StatementProperty(
                rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
                    aggregate_key_type="IP",
                    limit=self.requests,
                    evaluation_window_sec=self.window_seconds,
                    scope_down_statement=wafv2.CfnWebACL.StatementProperty(byte_match_statement=path),
                )
            ),
            visibility_config=_visible("beacons-by-address"),
        )


class BeaconFirewall(Construct):
    """A web ACL with the one rule. It lets everything else through.

    AWS takes some $5 a month for it, $1 for its rule, and $0.60 for a million requests of the whole distribution.

    Attributes:
        web_acl: The ACL; `site.distribution` uses it.
    """

    def __init__(self, scope: Construct, construct_id: str, *, name: str, limit: BeaconRateLimit) -> None:
        """Create the ACL.

        Args:
            scope: Where it belongs, in a stack in us-east-1, where those for CloudFront have to be.
            construct_id: Its id there.
            name: The site's name.
            limit: How many reports one address may send.
        """
        super().__init__(scope, construct_id)
        acl_name = resource_name(check_site_name(name), "beacons")
        self.web_acl: wafv2.CfnWebACL = wafv2.CfnWebACL(
            self,
            "WebAcl",
            name=acl_name,
            scope="CLOUDFRONT",
            description=f"{name}: reports of pages, by address",
            default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=_visible(acl_name),
            rules=[limit.rule()],
        )


def _visible(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        metric_name=name, cloud_watch_metrics_enabled=True, sampled_requests_enabled=True
    )
