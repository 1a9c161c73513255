"""The bucket of every region, and how the primary's objects reach the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Aws, Duration, Environment, RemovalPolicy, Stack, Stage, Token
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from bluegreen_cdn.constructs.names import bucket_name, check_site_name
from bluegreen_cdn.constructs.parameter_reader import ParameterReader
from bluegreen_cdn.domain.regions import check_regions
from bluegreen_cdn.errors import InvalidInput

NONCURRENT_VERSION_DAYS = 30
UNFINISHED_UPLOAD_DAYS = 7
PUBLIC_PREFIXES = ("builds/", "shared/")
"""What the distribution may read. Manifests are not among it."""


@dataclass(frozen=True, kw_only=True)
class DistributionIdentity:
    """Which distribution may read the buckets, and where the other regions learn its id.

    Attributes:
        distribution_id: For the stack of the primary bucket; may be a token of the same region.
        parameter_name: The SSM parameter in us-east-1 that holds the id.
        stack: The stack with that parameter. It is deployed before any replica's, so it cannot be the primary's.
    """

    distribution_id: str
    parameter_name: str
    stack: Stack


class RegionalBucket(Construct):
    """One region's bucket: private, versioned, encrypted, read by exactly one distribution.

    Attributes:
        bucket: The bucket.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        bucket_name: str,
        distribution_id: str,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        """Create the bucket.

        Args:
            scope: Where it belongs; its stack's region is the bucket's.
            construct_id: Its id there.
            bucket_name: Its name.
            distribution_id: The only distribution that may read it.
            removal_policy: What becomes of it with its stack. Default: it is kept.
        """
        super().__init__(scope, construct_id)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            bucket_name=bucket_name,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            versioned=True,
            removal_policy=removal_policy,
            # Retention knows which builds are in use; S3 only sweeps up after it.
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="old-versions-and-unfinished-uploads",
                    noncurrent_version_expiration=Duration.days(NONCURRENT_VERSION_DAYS),
                    abort_incomplete_multipart_upload_after=Duration.days(UNFINISHED_UPLOAD_DAYS),
                )
            ],
        )
        self.bucket.add_to_resource_policy(
            iam.PolicyStatement(
                sid="OnlyThisDistribution",
                principals=[iam.ServicePrincipal("cloudfront.amazonaws.com")],
                actions=["s3:GetObject"],
                resources=[self.bucket.arn_for_objects(f"{prefix}*") for prefix in PUBLIC_PREFIXES],
                conditions={"StringEquals": {"AWS:SourceArn": distribution_arn(distribution_id)}},
            )
        )


class ReplicatedBuckets(Construct):
    """A bucket in every region, filled by replication from the one in us-east-1.

    The primary bucket belongs to this construct's stack; every replica gets a stack `<name>-<region>` beside it.

    Attributes:
        primary: The bucket in us-east-1, the only one that is written to.
        names: The name of every region's bucket.
        buckets: Every region's bucket.
        replica_stacks: The stack of every other region.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        regions: Sequence[str],
        distribution: DistributionIdentity,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        """Create the buckets.

        Args:
            scope: Where the primary belongs, in a stack in us-east-1.
            construct_id: Its id there.
            name: The site's name.
            regions: us-east-1, then the replicas.
            distribution: The distribution that may read them.
            removal_policy: What becomes of the buckets with their stacks. Default: they are kept.

        Raises:
            InvalidInput: The name cannot be a site's, or the distribution's parameter is in the primary's stack.
            InvalidRegions: The regions cannot be a site's.
        """
        super().__init__(scope, construct_id)
        check_site_name(name)
        primary_region, *replica_regions = check_regions(regions)
        stack = Stack.of(self)
        if replica_regions and distribution.stack is stack:
            raise InvalidInput(
                f"the distribution's parameter {distribution.parameter_name!r} is in the stack of the primary bucket; "
                "replicas read it before that stack exists: put it in a stack of its own"
            )
        self.names: Mapping[str, str] = {region: bucket_name(name, account_of(self), region) for region in regions}
        self.buckets: dict[str, s3.IBucket] = {}
        self.replica_stacks: Mapping[str, Stack] = {
            region: self._replica(name, region, distribution, removal_policy) for region in replica_regions
        }
        primary = RegionalBucket(
            self,
            "Primary",
            bucket_name=self.names[primary_region],
            distribution_id=distribution.distribution_id,
            removal_policy=removal_policy,
        )
        self.primary: s3.Bucket = primary.bucket
        self.buckets = {primary_region: self.primary, **self.buckets}
        if replica_regions:
            self._replicate()

    @property
    def arns(self) -> list[str]:
        """The ARN of every bucket, the primary's first."""
        return [f"arn:{Aws.PARTITION}:s3:::{name}" for name in self.names.values()]

    def _replica(
        self, name: str, region: str, distribution: DistributionIdentity, removal_policy: RemovalPolicy
    ) -> Stack:
        stack = sibling_stack(self, f"{name}-{region}", region, f"Replica of {name} in {region}")
        reader = ParameterReader(stack, "DistributionId", parameter_name=distribution.parameter_name)
        replica = RegionalBucket(
            stack,
            "Replica",
            bucket_name=self.names[region],
            distribution_id=reader.value,
            removal_policy=removal_policy,
        )
        self.buckets[region] = replica.bucket
        stack.add_stack_dependency(distribution.stack, "the bucket's policy names the distribution")
        # Replication to a bucket that does not exist is refused, and nothing in the templates says so.
        Stack.of(self).add_stack_dependency(stack, "the primary bucket replicates to this one")
        return stack

    def _replicate(self) -> None:
        primary, *replicas = self.arns
        rights = (
            (["s3:GetReplicationConfiguration", "s3:ListBucket"], [primary]),
            (
                ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"],
                [f"{primary}/*"],
            ),
            (["s3:ReplicateObject", "s3:ReplicateTags"], [f"{arn}/*" for arn in replicas]),
        )
        statements = [iam.PolicyStatement(actions=actions, resources=resources) for actions, resources in rights]
        role = iam.Role(
            self,
            "ReplicationRole",
            assumed_by=iam.ServicePrincipal("s3.amazonaws.com"),
            inline_policies={"Replicate": iam.PolicyDocument(statements=statements)},
        )
        bucket = self.primary.node.default_child
        assert isinstance(bucket, s3.CfnBucket)  # noqa: S101  what the L2 bucket is made of
        bucket.replication_configuration = s3.CfnBucket.ReplicationConfigurationProperty(
            role=role.role_arn, rules=[_rule(priority, arn) for priority, arn in enumerate(replicas, start=1)]
        )


def account_of(construct: Construct) -> str:
    """The construct's account; where it is not known yet, a token that means the same in every stack."""
    account = Stack.of(construct).account
    return Aws.ACCOUNT_ID if Token.is_unresolved(account) else account


def distribution_arn(distribution_id: str) -> str:
    """The ARN of a distribution of this account."""
    return f"arn:{Aws.PARTITION}:cloudfront::{Aws.ACCOUNT_ID}:distribution/{distribution_id}"


def sibling_stack(construct: Construct, stack_id: str, region: str, description: str) -> Stack:
    """A stack beside the construct's own, in the same App or Stage and account.

    Raises:
        InvalidInput: There is such a stack already: two sites of one name.
    """
    beside = Stage.of(construct)
    if beside is None or beside.node.try_find_child(stack_id) is not None:
        raise InvalidInput(
            f"stack {stack_id!r} cannot be added: "
            + ("the site is in no App or Stage" if beside is None else "it exists; give every site a name of its own")
        )
    own = Stack.of(construct)
    return Stack(
        beside,
        stack_id,
        env=Environment(account=None if Token.is_unresolved(own.account) else own.account, region=region),
        description=description,
        termination_protection=own.termination_protection,
    )


def _rule(priority: int, destination_arn: str) -> s3.CfnBucket.ReplicationRuleProperty:
    return s3.CfnBucket.ReplicationRuleProperty(
        id=f"replica-{priority}",
        priority=priority,
        status="Enabled",
        filter=s3.CfnBucket.ReplicationRuleFilterProperty(prefix=""),
        # Retention deletes by version, in every region by itself: markers would only hide what it still has to find.
        delete_marker_replication=s3.CfnBucket.DeleteMarkerReplicationProperty(status="Disabled"),
        destination=s3.CfnBucket.ReplicationDestinationProperty(bucket=destination_arn),
    )
