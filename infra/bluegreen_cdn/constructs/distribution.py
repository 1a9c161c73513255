"""The distribution: which path has which behaviour, and what stands behind it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from aws_cdk import CfnOutput, Duration, Stack, Token
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from bluegreen_cdn import defaults
from bluegreen_cdn.constructs.buckets import DistributionIdentity
from bluegreen_cdn.constructs.client_metrics import ClientMetrics
from bluegreen_cdn.constructs.edge_functions import EdgeFunctions
from bluegreen_cdn.constructs.healed_builds import HealedBuilds
from bluegreen_cdn.constructs.names import check_site_name, parameter_name, resource_name
from bluegreen_cdn.constructs.policies import EdgePolicies
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.regions import EDGE_REGION
from bluegreen_cdn.errors import InvalidInput

FAILOVER_STATUS_CODES = (403, 404, 500, 502, 503, 504)
"""403 among them: without leave to list, S3 says so when a key is missing."""
FAILOVER_CONNECTION_ATTEMPTS = 1
FAILOVER_CONNECTION_TIMEOUT_SECONDS = 2
"""Every request asks the primary first, so a region that is down costs each of them this long."""


class EdgeDistribution(Construct):
    """CloudFront in front of a set of buckets, with the routing at its edge.

    The buckets are named, not passed: they come after the distribution, because their policies name it.

    Attributes:
        distribution: The distribution.
        key_value_store: Where the routing state is.
        functions: What runs inside CloudFront.
        policies: Cache, origin request and response headers policies.
        identity: What the buckets need to know of the distribution.
        url: Where the site is: its first own domain name, else CloudFront's.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        bucket_names: Mapping[str, str],
        rules: ClassificationRules,
        mode: str = defaults.DEFAULT_DOCUMENT_MODE,
        precompress: bool = True,
        client_metrics: ClientMetrics | None = None,
        domain_names: Sequence[str] = (),
        certificate: acm.ICertificate | None = None,
        response_headers_policy: cloudfront.IResponseHeadersPolicy | None = None,
        customize_distribution: Callable[[cloudfront.Distribution], None] | None = None,
    ) -> None:
        """Create the distribution, its functions and its KeyValueStore.

        Args:
            scope: Where it belongs, in a stack in us-east-1.
            construct_id: Its id there.
            name: The site's name.
            bucket_names: The bucket of every region; the first is the primary, the second its failover.
            rules: Which files carry a hash and which are entries.
            mode: How a path becomes a document: `spa`, `directory` or `html`. Default: `spa`.
            precompress: Whether builds are published with precompressed variants, and so the edge asks for them.
                Default: they are.
            client_metrics: Where beacons go. Default: one is made.
            domain_names: The site's own domain names. Default: CloudFront's alone.
            certificate: For them, in us-east-1. Default: none.
            response_headers_policy: For all answers. Default: security headers, and CORS for the files.
            customize_distribution: Last resort, called with the finished distribution.

        Raises:
            InvalidInput: The name cannot be a site's, or domain names and certificate do not go together.
        """
        super().__init__(scope, construct_id)
        check_site_name(name)
        _check_domain_names(name, domain_names, certificate)
        metrics = client_metrics or ClientMetrics(self, "ClientMetrics", name=name)
        self.key_value_store: cloudfront.KeyValueStore = cloudfront.KeyValueStore(
            self,
            "KeyValueStore",
            key_value_store_name=resource_name(name),
            # Seeded by code: an import source cannot be updated, and weights have no place in a template.
            comment=f"{name}: routing state",
        )
        self.functions = EdgeFunctions(
            self,
            "Functions",
            name=name,
            rules=rules,
            mode=mode,
            precompress=precompress,
            key_value_store=self.key_value_store,
        )
        healed = HealedBuilds(
            self,
            "Healing",
            name=name,
            bucket_names=bucket_names,
            key_value_store_arn=self.key_value_store.key_value_store_arn,
            rules=rules,
            mode=mode,
            precompress=precompress,
        )
        self.functions.node.add_dependency(healed.resource)
        self.policies = EdgePolicies(self, "Policies", name=name, precompress=precompress)
        self._headers = response_headers_policy or self.policies.headers
        self._files = self._bucket_origin(bucket_names)
        signals = origins.FunctionUrlOrigin.with_origin_access_control(metrics.url, origin_id="client-metrics")
        hashed = self._hashed_behaviour(precompress)
        self.distribution: cloudfront.Distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment=f"bluegreen-cdn {name}",
            domain_names=list(domain_names) or None,
            certificate=certificate,
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
            default_behavior=self._default_behaviour(),
            additional_behaviors={
                **{f"/{folder}*": hashed for folder in rules.hashed_folders if folder.strip("/")},
                "/builds/*": hashed,
                "/_bluegreen/client.*": self._client_script_behaviour(signals),
                "/_bluegreen/*": self._signals_behaviour(signals),
            },
        )
        self.identity = self._publish_identity(name, list(bucket_names), rules, mode, precompress)
        self.url = f"https://{domain_names[0] if domain_names else self.distribution.distribution_domain_name}"
        CfnOutput(self, "Url", description=f"Where {name} is", value=self.url)
        if customize_distribution is not None:
            customize_distribution(self.distribution)

    def _bucket_origin(self, bucket_names: Mapping[str, str]) -> cloudfront.IOrigin:
        """The primary's bucket, with the next region's behind it if there is one."""
        access = cloudfront.S3OriginAccessControl(self, "BucketAccess", signing=cloudfront.Signing.SIGV4_ALWAYS)
        pair = list(bucket_names.items())[:2]
        quick = len(pair) > 1

        def origin(region: str, bucket: str) -> cloudfront.IOrigin:
            # By literal name: the buckets come later, and a reference across regions would be a cycle.
            imported = s3.Bucket.from_bucket_attributes(self, f"Bucket-{region}", bucket_name=bucket, region=region)
            return origins.S3BucketOrigin.with_bucket_defaults(
                imported,
                origin_id=f"bucket-{region}",
                origin_access_control_id=access.origin_access_control_id,
                connection_attempts=FAILOVER_CONNECTION_ATTEMPTS if quick else None,
                connection_timeout=Duration.seconds(FAILOVER_CONNECTION_TIMEOUT_SECONDS) if quick else None,
            )

        built = [origin(region, bucket) for region, bucket in pair]
        if not quick:
            return built[0]
        return origins.OriginGroup(
            primary_origin=built[0],
            fallback_origin=built[1],
            fallback_status_codes=list(FAILOVER_STATUS_CODES),
        )

    def _default_behaviour(self) -> cloudfront.BehaviorOptions:
        """Documents and files without a hash: the build is chosen, then the key, then the choice is remembered."""
        return cloudfront.BehaviorOptions(
            origin=self._files,
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
            cache_policy=self.policies.by_build,
            response_headers_policy=self._headers,
            compress=True,
            function_associations=[self.functions.request_association(), self.functions.response_association()],
            edge_lambdas=[self.functions.origin_association()],
        )

    def _hashed_behaviour(self, precompress: bool) -> cloudfront.BehaviorOptions:
        """Files whose key says which bytes they are; the viewer-request function alone rewrites them."""
        return cloudfront.BehaviorOptions(
            origin=self._files,
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
            cache_policy=self.policies.by_path,
            response_headers_policy=self._headers,
            compress=not precompress,
            function_associations=[self.functions.hashed_association()],
        )

    def _client_script_behaviour(self, signals: cloudfront.IOrigin) -> cloudfront.BehaviorOptions:
        return cloudfront.BehaviorOptions(
            origin=signals,
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
            cache_policy=self.policies.client_script,
            response_headers_policy=self._headers,
            compress=True,
        )

    def _signals_behaviour(self, signals: cloudfront.IOrigin) -> cloudfront.BehaviorOptions:
        return cloudfront.BehaviorOptions(
            origin=signals,
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
            cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
            origin_request_policy=self.policies.signals,
            response_headers_policy=self._headers,
            function_associations=[self.functions.request_association()],
        )

    def _publish_identity(
        self, name: str, regions: Sequence[str], rules: ClassificationRules, mode: str, precompress: bool
    ) -> DistributionIdentity:
        """What other regions' stacks and the command line look up."""
        values = {
            "distribution-id": self.distribution.distribution_id,
            "distribution-domain": self.distribution.distribution_domain_name,
            "key-value-store-arn": self.key_value_store.key_value_store_arn,
            "regions": ",".join(regions),
            "rules": json.dumps(rules.to_json(), sort_keys=True, separators=(",", ":")),
            "mode": mode,
            "precompress": "true" if precompress else "false",
        }
        for part, value in values.items():
            construct_id = "Parameter" + "".join(word.capitalize() for word in part.split("-"))
            ssm.StringParameter(self, construct_id, parameter_name=parameter_name(name, part), string_value=value)
        return DistributionIdentity(
            distribution_id=self.distribution.distribution_id,
            parameter_name=parameter_name(name, "distribution-id"),
            stack=Stack.of(self),
        )


def _check_domain_names(name: str, domain_names: Sequence[str], certificate: acm.ICertificate | None) -> None:
    if isinstance(domain_names, str):
        raise InvalidInput(f"domain_names is the text {domain_names!r}; pass a list: [{domain_names!r}]")
    if bool(domain_names) != (certificate is not None):
        given = "domain names without a certificate" if domain_names else "a certificate without domain names"
        raise InvalidInput(f"site {name!r} has {given}; CloudFront takes both or neither")
    arn = certificate.certificate_arn if certificate is not None else ""
    if certificate is not None and not Token.is_unresolved(arn) and arn.split(":")[3:4] != [EDGE_REGION]:
        raise InvalidInput(
            f"certificate {arn!r} is not in {EDGE_REGION}, the only region that CloudFront takes one from"
        )
