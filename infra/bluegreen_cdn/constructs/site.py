"""A site: everything that one front end needs to be released and taken back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from types import UnionType

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack, Token
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from bluegreen_cdn import defaults
from bluegreen_cdn.constructs.beacon_firewall import BeaconFirewall, BeaconRateLimit
from bluegreen_cdn.constructs.buckets import ReplicatedBuckets, account_of, sibling_stack
from bluegreen_cdn.constructs.build import Build
from bluegreen_cdn.constructs.client_metrics import ClientMetrics, client_metric
from bluegreen_cdn.constructs.collector import Retention, RetentionCollector
from bluegreen_cdn.constructs.control_plane import ControlPlane
from bluegreen_cdn.constructs.dashboard import ReleaseDashboard
from bluegreen_cdn.constructs.distribution import EdgeDistribution
from bluegreen_cdn.constructs.names import bucket_name, check_site_name, parameter_name
from bluegreen_cdn.constructs.operator_rights import operator_statements
from bluegreen_cdn.constructs.published_build import PublishedBuild, fan_out_statements, publish_statements
from bluegreen_cdn.constructs.release_alarms import ReleaseAlarms
from bluegreen_cdn.constructs.release_alias import ALIAS, ReleaseAlias
from bluegreen_cdn.constructs.release_check import ReleaseCheck
from bluegreen_cdn.constructs.release_hooks import ReleaseHooks
from bluegreen_cdn.constructs.routing_seed import RoutingSeed
from bluegreen_cdn.constructs.traffic_sync import TrafficSync
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.expressions import Role
from bluegreen_cdn.domain.regions import EDGE_REGION, check_regions
from bluegreen_cdn.domain.requests import DocumentMode
from bluegreen_cdn.domain.rollout import Rollout
from bluegreen_cdn.domain.verdict import ASSET_FAILURES, PAGE_LOADS, SCRIPT_ERRORS, Verdict
from bluegreen_cdn.errors import InvalidInput


class BlueGreenSite(Construct):
    """A front end behind CloudFront whose builds are let in step by step and taken back by themselves.

    Belongs in a stack in us-east-1 and adds further stacks beside it: `<name>-edge` with the distribution, and
    `<name>-<region>` for every replica. `cdk deploy --all`, or of this stack alone, is a release.

    Example:
        ::

            BlueGreenSite(
                stack,
                "Site",
                name="shop",
                build=Build.folder("dist"),
                regions=["us-east-1", "eu-west-1"],
                rollout=Rollout.canary(percent=10, interval_minutes=5),
            )

    Attributes:
        name: The site's name.
        build: What is released.
        edge: The distribution with its functions and policies.
        client_metrics: What browsers report.
        replicated_buckets: The buckets with their replication.
        published_build: The build, published.
        release: Function, version, alias, deployment group.
        release_alarms: What takes a candidate back.
        sync: What makes the edge follow.
        hooks: What CodeDeploy asks.
        check: What refuses a build before CodeDeploy begins, and says why.
        collector: What removes old builds; None unless asked for.
        dashboard: What the release looks like; None if not wanted.
        firewall: What limits reports by address; None unless asked for.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        build: Build,
        regions: Sequence[str] = (EDGE_REGION,),
        rollout: Rollout | None = None,
        rules: ClassificationRules | None = None,
        mode: DocumentMode | str = defaults.DEFAULT_DOCUMENT_MODE,
        precompress: bool = True,
        domain_names: Sequence[str] = (),
        certificate: acm.ICertificate | None = None,
        verdict: Verdict | None = None,
        alarms: Sequence[cloudwatch.IAlarm] = (),
        response_headers_policy: cloudfront.IResponseHeadersPolicy | None = None,
        bucket_removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
        retention: Retention | None = None,
        smoke_fetch: bool = True,
        dashboard: bool = True,
        beacon_rate_limit: BeaconRateLimit | None = None,
        customize_distribution: Callable[[cloudfront.Distribution], None] | None = None,
    ) -> None:
        """Create the site.

        Args:
            scope: Where it belongs, in a stack whose region is us-east-1.
            construct_id: Its id there.
            name: The site's name, 2 to 24 characters; buckets, parameters and stacks are named after it.
            build: What to release: `Build.folder(…)` or `Build.published(…)`.
            regions: us-east-1, then where the replicas are. Default: us-east-1 alone.
            rollout: How a candidate is let in. Default: `Rollout.canary()`.
            rules: Which files carry a hash and which are entries. Default: `ClassificationRules.default()`.
            mode: How a path becomes a document: `spa`, `directory` or `html`. Default: `spa`.
            precompress: Builds have brotli and gzip variants of text files, which the edge then asks for.
                Default: they have.
            domain_names: The site's own domain names. Default: CloudFront's alone.
            certificate: For them, in us-east-1. Default: none.
            verdict: How much worse a candidate may look, and on how many page loads. Default: `Verdict()`.
            alarms: The user's own, which stop a release just the same; of this account and us-east-1. Default: none.
            response_headers_policy: For all answers. Default: security headers, and CORS for the files.
            bucket_removal_policy: What becomes of the buckets with their stacks. Default: they are kept.
            retention: Remove old builds on a schedule. Default: nothing is removed, save by `bluegreen gc`.
            smoke_fetch: Whether a candidate is fetched through the distribution before it is let in. Leave it out where
                the distribution answers some addresses only, or changes what it serves. Default: it is.
            dashboard: Whether there is a CloudWatch dashboard, with CloudFront's additional metrics switched on for it.
                Default: there is one.
            beacon_rate_limit: How many reports one address may send, by a web ACL (AWS WAF) of this site. For an ACL
                of your own take its `rule()` and attach the ACL in `customize_distribution`. Default: no limit.
            customize_distribution: Last resort, called with the finished distribution.

        Raises:
            InvalidInput: An argument is not acceptable; the message names it and the mend.
        """
        check_site_name(name)
        check_regions(regions)
        _check_kind("build", build, Build, 'Build.folder("dist")')
        _check_kind("rollout", rollout, Rollout | None, "Rollout.canary(percent=10)")
        _check_kind("rules", rules, ClassificationRules | None, 'ClassificationRules.preset("vite")')
        _check_kind("smoke_fetch", smoke_fetch, bool, "smoke_fetch=False")
        _check_kind("beacon_rate_limit", beacon_rate_limit, BeaconRateLimit | None, "BeaconRateLimit(requests=300)")
        _check_kind("verdict", verdict, Verdict | None, "Verdict(minimum_page_loads=50)")
        _check_kind("precompress", precompress, bool, "precompress=True")
        DocumentMode.parse(mode)
        _check_region(Stack.of(scope))
        super().__init__(scope, construct_id)
        self.name = name
        self.build = build
        rollout = rollout or Rollout.canary()
        rules = rules or ClassificationRules.default()

        edge_stack = sibling_stack(self, f"{name}-edge", EDGE_REGION, f"Edge of {name}")
        self.client_metrics = ClientMetrics(edge_stack, "ClientMetrics", name=name)
        self.edge = EdgeDistribution(
            edge_stack,
            "Edge",
            name=name,
            bucket_names={region: bucket_name(name, account_of(self), region) for region in regions},
            rules=rules,
            mode=mode,
            precompress=precompress,
            client_metrics=self.client_metrics,
            domain_names=domain_names,
            certificate=certificate,
            response_headers_policy=response_headers_policy,
            customize_distribution=customize_distribution,
        )
        self.firewall: BeaconFirewall | None = None
        if beacon_rate_limit is not None:
            self.firewall = BeaconFirewall(edge_stack, "Firewall", name=name, limit=beacon_rate_limit)
            self.distribution.attach_web_acl_id(self.firewall.web_acl.attr_arn)
        self.replicated_buckets = ReplicatedBuckets(
            self,
            "Buckets",
            name=name,
            regions=regions,
            distribution=self.edge.identity,
            removal_policy=bucket_removal_policy,
        )
        self.published_build = PublishedBuild(
            self,
            "Build",
            name=name,
            build=build,
            bucket=self.replicated_buckets.primary,
            key_value_store_arn=self.key_value_store.key_value_store_arn,
            rules=rules,
            mode=mode,
            precompress=precompress,
        )
        seed = RoutingSeed(
            self,
            "Routing",
            name=name,
            build_id=build.build_id,
            key_value_store_arn=self.key_value_store.key_value_store_arn,
            holdout_basis_points=rollout.holdout_basis_points,
            occasion=_occasion(rollout, verdict or Verdict(), rules.to_json(), mode, list(regions), list(domain_names)),
        )
        CfnOutput(self, "Pin", description=f"Whether operators of {name} hold a build", value=seed.pin)
        seed.resource.node.add_dependency(self.published_build.resource)
        self._release(rollout, verdict or Verdict(), alarms, retention, smoke_fetch)
        self.check = ReleaseCheck(self, "Check", control_plane=self._control_plane, build_id=build.build_id)
        # Replicas have stacks of their own, which this one waits for.
        self.check.resource.node.add_dependency(self.published_build.resource, seed.resource)
        self.dashboard: ReleaseDashboard | None = None
        if dashboard:
            self.dashboard = ReleaseDashboard(
                self,
                "Dashboard",
                name=name,
                distribution_id=self.distribution.distribution_id,
                release_alarms=self.release_alarms,
                sync=self.sync,
            )

    def _release(
        self,
        rollout: Rollout,
        verdict: Verdict,
        alarms: Sequence[cloudwatch.IAlarm],
        retention: Retention | None,
        smoke_fetch: bool,
    ) -> None:
        """What lets the build in, watches it, and takes it back."""
        self.release_alarms = ReleaseAlarms(
            self,
            "Alarms",
            name=self.name,
            distribution_id=self.distribution.distribution_id,
            verdict=verdict,
            alarms=alarms,
        )
        self.release = ReleaseAlias(
            self,
            "Release",
            name=self.name,
            build_id=self.build.build_id,
            rollout=rollout,
            alarms=self.release_alarms.alarms,
        )
        self._control_plane = control_plane = ControlPlane(
            name=self.name,
            key_value_store_arn=self.key_value_store.key_value_store_arn,
            distribution_domain=self.distribution.distribution_domain_name,
            release=self.release,
            alarms=self.release_alarms.alarms,
            bucket_names=self.replicated_buckets.names,
            verdict_period_seconds=verdict.period_seconds,
            smoke_fetch=smoke_fetch,
        )
        self.sync = TrafficSync(self, "Sync", control_plane=control_plane)
        self.hooks = ReleaseHooks(self, "Hooks", control_plane=control_plane)
        self.collector: RetentionCollector | None = None
        if retention is not None:
            self.collector = RetentionCollector(self, "Collector", control_plane=control_plane, retention=retention)
        ssm.StringParameter(
            self,
            "ParameterAlias",
            parameter_name=parameter_name(self.name, "alias"),
            string_value=f"{self.release.function.function_name}:{ALIAS}",
        )
        ssm.StringParameter(
            self,
            "ParameterControl",
            parameter_name=parameter_name(self.name, "control"),
            string_value=control_plane.parameter([self.sync.dead, self.sync.drift]),
        )

    @property
    def distribution(self) -> cloudfront.Distribution:
        """The distribution."""
        return self.edge.distribution

    @property
    def url(self) -> str:
        """Where the site is: its first own domain name, else CloudFront's."""
        return self.edge.url

    @property
    def key_value_store(self) -> cloudfront.KeyValueStore:
        """Where the routing state is."""
        return self.edge.key_value_store

    @property
    def buckets(self) -> Mapping[str, s3.IBucket]:
        """The bucket of every region."""
        return self.replicated_buckets.buckets

    @property
    def alias(self) -> lambda_.Alias:
        """The release function's alias `live`, whose weights are the rollout."""
        return self.release.alias

    def grant_publish(self, grantee: iam.IGrantable, *, fan_out: bool = False) -> None:
        """Let somebody, such as a CI role, publish builds with `bluegreen publish --site`.

        Args:
            grantee: Whom.
            fan_out: Whether they may write to every region's bucket by themselves (`--fan-out`). Default: no, only to
                the primary one.
        """
        statements = publish_statements(self.replicated_buckets.primary, self.key_value_store.key_value_store_arn)
        folder = parameter_name(self.name, "")[1:-1]
        parameters = iam.PolicyStatement(
            actions=["ssm:GetParametersByPath"],
            resources=[
                Stack.of(self).format_arn(service="ssm", resource="parameter", resource_name=name)
                for name in (folder, f"{folder}/*")
            ],
        )
        others = fan_out_statements(self.replicated_buckets.arns[1:]) if fan_out else ()
        for statement in (*statements, *others, parameters):
            grantee.grant_principal.add_to_principal_policy(statement)

    def grant_rollback(self, grantee: iam.IGrantable) -> None:
        """Let somebody look at the site, take releases back and make preview links with the command line.

        Args:
            grantee: Whom. They can read the secret that preview links are signed with.
        """
        for statement in operator_statements(self._control_plane):
            grantee.grant_principal.add_to_principal_policy(statement)

    def metric_page_loads(
        self, role: Role | str = Role.CANDIDATE, *, period: Duration | None = None
    ) -> cloudwatch.Metric:
        """Page loads that browsers reported.

        Args:
            role: `stable`, `candidate` or `other`. Default: the candidate's.
            period: Of the sums. Default: one minute.
        """
        return client_metric(self.name, PAGE_LOADS, role, period)

    def metric_script_errors(
        self, role: Role | str = Role.CANDIDATE, *, period: Duration | None = None
    ) -> cloudwatch.Metric:
        """Script errors that browsers reported.

        Args:
            role: `stable`, `candidate` or `other`. Default: the candidate's.
            period: Of the sums. Default: one minute.
        """
        return client_metric(self.name, SCRIPT_ERRORS, role, period)

    def metric_asset_failures(
        self, role: Role | str = Role.CANDIDATE, *, period: Duration | None = None
    ) -> cloudwatch.Metric:
        """Files that pages asked for in vain, as browsers reported.

        Args:
            role: `stable`, `candidate` or `other`. Default: the candidate's.
            period: Of the sums. Default: one minute.
        """
        return client_metric(self.name, ASSET_FAILURES, role, period)


def _occasion(*settings: object) -> str:
    """A name for what a site is like: another one when anything of it changes."""
    return hashlib.sha256(repr(settings).encode()).hexdigest()[:16]


def _check_kind(name: str, value: object, kind: type | UnionType, example: str) -> None:
    """Say at once what Python itself would say somewhere inside."""
    if not isinstance(value, kind):
        raise InvalidInput(f"{name} is {value!r}; pass something like {example}")


def _check_region(stack: Stack) -> None:
    """Refuse a stack that is not, for certain, where the control plane of the edge has to live."""
    if Token.is_unresolved(stack.region) or stack.region != EDGE_REGION:
        found = "no region of its own" if Token.is_unresolved(stack.region) else f"the region {stack.region!r}"
        raise InvalidInput(
            f"stack {stack.stack_name!r} has {found}; a site belongs in {EDGE_REGION}: "
            f"pass env=Environment(region='{EDGE_REGION}') to the stack"
        )
