"""Which buckets a command is about: those of a site, and those that are named one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from bluegreen_cdn.errors import InvalidInput

if TYPE_CHECKING:
    from bluegreen_cdn.aws.site import DeployedSite
    from bluegreen_cdn.domain.targets import TargetSpec
    from bluegreen_cdn.publish.fan_out_plan import TargetPlan

TARGET_HELP = (
    "A bucket, of S3 or of a store that speaks its protocol: [NAME=]s3://BUCKET, with any of ?region=…, &endpoint=URL "
    "and &profile=AWS_PROFILE; may be repeated, the one that is published to first."
)


def named_targets(buckets: Sequence[str], region: str | None, targets: Sequence[str]) -> Sequence[TargetSpec]:
    """The buckets that options name.

    Args:
        buckets: What `--bucket` says, `[REGION=]NAME` each.
        region: What `--region` says, of the only bucket.
        targets: What `--target` says.

    Raises:
        InvalidInput: One is none, or two are the same.
    """
    from bluegreen_cdn.domain.targets import TargetSpec, check_targets

    if region and (len(buckets) != 1 or "=" in buckets[0]):
        raise InvalidInput(
            f"--region {region} goes with one --bucket: write --bucket REGION=NAME for each, or --target"
        )
    return check_targets(
        [
            *(TargetSpec.of_bucket(bucket, region) for bucket in buckets),
            *(TargetSpec.parse(target) for target in targets),
        ]
    )


def site_targets(deployed: DeployedSite) -> list[TargetSpec]:
    """The bucket of every region of a site, the primary one first."""
    from bluegreen_cdn.domain.targets import TargetSpec

    return [TargetSpec(name=region, bucket=bucket, region=region) for region, bucket in deployed.buckets.items()]


def publish_targets(deployed: DeployedSite | None, named: Sequence[TargetSpec], fan_out: bool) -> Sequence[TargetSpec]:
    """The buckets that a publish goes to, the primary one first.

    Raises:
        InvalidInput: There are several and nobody asked for it, or one where several were asked for.
    """
    from bluegreen_cdn.domain.targets import check_targets

    of_site = site_targets(deployed) if deployed else []
    specs = check_targets([*(of_site if fan_out else of_site[:1]), *named])
    if fan_out and len(specs) < 2:
        whose = f"site {deployed.name!r} has" if deployed else "that is"
        raise InvalidInput(f"--fan-out publishes to several buckets, and {whose} one: leave it out, or add --target")
    if not fan_out and len(specs) > 1:
        names = ", ".join(spec.name for spec in specs)
        raise InvalidInput(f"these are {len(specs)} buckets ({names}): pass --fan-out to publish to all of them")
    return specs


def print_target_plans(plans: Sequence[TargetPlan]) -> None:
    """Say what a plan means for each of several buckets."""
    from bluegreen_cdn.cli.publish_progress import size_text

    for plan in plans:
        copies = f", {plan.copy_files} to copy ({size_text(plan.copy_bytes)})" if plan.copy_files else ""
        fills = f", {plan.fill_files} of earlier builds that it lacks ({size_text(plan.fill_bytes)})"
        click.echo(
            f"target  {plan.target} ({plan.place}): {plan.upload_files} files to upload "
            f"({size_text(plan.upload_bytes)}){copies}{fills if plan.fill_files else ''}"
        )


def print_sent(sent: Sequence[dict[str, Any]]) -> None:
    """Say what each of several buckets has got."""
    from bluegreen_cdn.cli.publish_progress import size_text

    for one in sent:
        filled = f", {one['filled']} of them from the first ({size_text(one['filled_bytes'])})" if one["filled"] else ""
        click.echo(
            f"  {one['target']} ({one['place']}): {one['files']} objects written ({size_text(one['bytes'])}){filled}"
        )
