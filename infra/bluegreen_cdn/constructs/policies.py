"""What CloudFront keeps under which key, what it passes on, and which headers every answer carries."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudfront as cloudfront
from constructs import Construct

from bluegreen_cdn import defaults
from bluegreen_cdn.constructs.names import resource_name

_EDGE_TTL = Duration.seconds(defaults.EDGE_TTL_SECONDS)


class EdgePolicies(Construct):
    """The policies of a site's behaviours.

    Attributes:
        by_build: Path and build id: the edge keeps an answer for a year, because a build never changes.
        by_path: The path alone, for files whose name or folder already says which bytes they are.
        client_script: The client-metrics script, for as long as it says itself.
        signals: What the client-metrics function is told.
        headers: Security headers, and leave for other origins to load the files.
    """

    def __init__(self, scope: Construct, construct_id: str, *, name: str, precompress: bool = True) -> None:
        """Create the policies.

        Args:
            scope: Where they belong.
            construct_id: Their id there.
            name: The site's name.
            precompress: Whether builds have precompressed variants: then a hashed file's path says how it is encoded,
                and the edge needs to keep it under nothing else. Default: they have.
        """
        super().__init__(scope, construct_id)
        self.by_build = cloudfront.CachePolicy(
            self,
            "ByBuild",
            cache_policy_name=resource_name(name, "by-build"),
            comment="path and build id, kept a year",
            min_ttl=_EDGE_TTL,
            default_ttl=_EDGE_TTL,
            max_ttl=_EDGE_TTL,
            header_behavior=cloudfront.CacheHeaderBehavior.allow_list(defaults.BUILD_HEADER),
            enable_accept_encoding_brotli=True,
            enable_accept_encoding_gzip=True,
        )
        self.by_path = cloudfront.CachePolicy(
            self,
            "ByPath",
            cache_policy_name=resource_name(name, "by-path"),
            comment="path alone, kept a year",
            min_ttl=_EDGE_TTL,
            default_ttl=_EDGE_TTL,
            max_ttl=_EDGE_TTL,
            enable_accept_encoding_brotli=not precompress,
            enable_accept_encoding_gzip=not precompress,
        )
        self.client_script = cloudfront.CachePolicy(
            self,
            "ClientScript",
            cache_policy_name=resource_name(name, "client-script"),
            comment="as long as the script says",
            min_ttl=Duration.seconds(0),
            default_ttl=Duration.minutes(5),
            max_ttl=Duration.days(1),
            enable_accept_encoding_brotli=True,
            enable_accept_encoding_gzip=True,
        )
        self.signals = cloudfront.OriginRequestPolicy(
            self,
            "Signals",
            origin_request_policy_name=resource_name(name, "signals"),
            comment="counts, build and role; no cookies",
            header_behavior=cloudfront.OriginRequestHeaderBehavior.allow_list(
                defaults.BUILD_HEADER, defaults.ROLE_HEADER
            ),
            query_string_behavior=cloudfront.OriginRequestQueryStringBehavior.all(),
        )
        self.headers = _headers(self, name)


def _headers(scope: Construct, name: str) -> cloudfront.ResponseHeadersPolicy:
    return cloudfront.ResponseHeadersPolicy(
        scope,
        "Headers",
        response_headers_policy_name=resource_name(name, "headers"),
        comment="security headers; files may be loaded by other origins, without credentials",
        security_headers_behavior=cloudfront.ResponseSecurityHeadersBehavior(
            content_type_options=cloudfront.ResponseHeadersContentTypeOptions(override=True),
            frame_options=cloudfront.ResponseHeadersFrameOptions(
                frame_option=cloudfront.HeadersFrameOption.SAMEORIGIN, override=False
            ),
            referrer_policy=cloudfront.ResponseHeadersReferrerPolicy(
                referrer_policy=cloudfront.HeadersReferrerPolicy.STRICT_ORIGIN_WHEN_CROSS_ORIGIN, override=False
            ),
            strict_transport_security=cloudfront.ResponseHeadersStrictTransportSecurity(
                access_control_max_age=Duration.days(365), override=False
            ),
        ),
        # Module scripts and fonts are always fetched with CORS: without this no page elsewhere could embed an entry.
        cors_behavior=cloudfront.ResponseHeadersCorsBehavior(
            access_control_allow_credentials=False,
            access_control_allow_headers=["*"],
            access_control_allow_methods=["GET", "HEAD"],
            access_control_allow_origins=["*"],
            origin_override=False,
        ),
    )
