"""`bluegreen gc`: remove builds that nobody can ask for any more."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from bluegreen_cdn.cli.console import print_json
from bluegreen_cdn.cli.targets import TARGET_HELP, named_targets, site_targets
from bluegreen_cdn.defaults import CONDEMNED_WAIT_HOURS, RETAINED_BUILDS, SKEW_WINDOW_DAYS
from bluegreen_cdn.errors import ForeignState

if TYPE_CHECKING:
    from bluegreen_cdn.domain.retention import RetentionPlan, RetentionPolicy
    from bluegreen_cdn.domain.targets import TargetSpec
    from bluegreen_cdn.publish.collect import Collected, Collector, Outlook

INCOMPLETE_EXIT_CODE = 1


@click.command()
@click.option("--site", required=True, help="The site; its buckets and its release function are looked up.")
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="[NAME=]s3://BUCKET[?…]",
    help="Beside the site's buckets. " + TARGET_HELP,
)
@click.option("--apply", "really", is_flag=True, help="Do it.  [default: print what would be done]")
@click.option(
    "--keep", type=click.IntRange(min=1), default=RETAINED_BUILDS, show_default=True, help="Builds kept in any case."
)
@click.option(
    "--skew-days",
    type=click.FloatRange(0, 3650),
    default=SKEW_WINDOW_DAYS,
    show_default=True,
    help="How long an open page may still ask for its build's files after the next build was published.",
)
@click.option(
    "--wait-hours",
    type=float,
    default=CONDEMNED_WAIT_HOURS,
    show_default=True,
    help="Between condemning and deleting; longer than any publish may take.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def gc(
    site: str,
    targets: tuple[str, ...],
    really: bool,
    keep: int,
    skew_days: float,
    wait_hours: float,
    as_json: bool,
) -> int:
    """Remove old builds, in two runs that are at least --wait-hours apart.

    The first run condemns, the next one deletes what is still not in use. Kept are the live builds, those that a
    rollback can go back to, the last ones, those that open pages may still use, and every file that a kept build
    names.
    """
    from bluegreen_cdn.domain.retention import RetentionPolicy

    collector = _collector(
        site, named_targets((), None, targets), RetentionPolicy(keep_last=keep, skew_days=skew_days), wait_hours
    )
    if really:
        done = collector.collect()
        print_json(done.to_json()) if as_json else _print_done(done)
        return 0 if done.complete else INCOMPLETE_EXIT_CODE
    outlook = collector.outlook()
    print_json(outlook.to_json()) if as_json else _print_outlook(outlook, wait_hours)
    return 0


def _collector(site: str, named: Sequence[TargetSpec], policy: RetentionPolicy, wait_hours: float) -> Collector:
    from bluegreen_cdn.aws.key_value_store import CloudFrontKeyValueStore
    from bluegreen_cdn.aws.site import find_site
    from bluegreen_cdn.aws.targets import open_versioned
    from bluegreen_cdn.aws.used_builds import FunctionVersions, SiteBuilds
    from bluegreen_cdn.domain.regions import EDGE_REGION
    from bluegreen_cdn.domain.targets import check_targets
    from bluegreen_cdn.publish.collect import Collector

    deployed = find_site(site)
    if deployed.function is None or deployed.alias is None:
        raise ForeignState(
            f"site {site!r} does not say which function is its release function, so nobody can say what is live: "
            f"deploy its stack again"
        )
    return Collector(
        open_versioned(check_targets([*site_targets(deployed), *named])),
        SiteBuilds(
            CloudFrontKeyValueStore(deployed.key_value_store_arn),
            FunctionVersions(deployed.function, deployed.alias, EDGE_REGION),
        ),
        policy,
        wait_hours=wait_hours,
    )


def _print_plan(plan: RetentionPlan) -> None:
    for fate in plan.fates:
        why = ", ".join(reason.value for reason in fate.reasons) or "nobody can ask for it"
        gone = "" if fate.rollback_target else "; its function version is gone: no rollback target"
        day = datetime.datetime.fromtimestamp(fate.build.published, datetime.UTC).strftime("%Y-%m-%d")
        click.echo(f"{'keep' if fate.kept else 'remove':<7} {fate.build.build}  {day}  {why}{gone}")
    for build in plan.missing:
        click.echo(f"missing {build}  it is live and has no manifest: publish it again")


def _print_outlook(outlook: Outlook, wait_hours: float) -> None:
    from bluegreen_cdn.cli.publish_progress import size_text

    _print_plan(outlook.plan)
    for sweep in outlook.waiting:
        left = wait_hours - (outlook.now - sweep.began) / 3600
        when = f"in {left:.1f} hours" if left > 0 else "with the next --apply"
        click.echo(f"condemned: {', '.join(build.build for build in sweep.builds)}; deleted {when}")
    click.echo(
        f"would condemn {outlook.objects} files ({size_text(outlook.bytes)}) in every region; nothing was changed: "
        f"pass --apply"
    )


def _print_done(done: Collected) -> None:
    from bluegreen_cdn.cli.publish_progress import size_text

    _print_plan(done.plan)
    if done.removed or done.deleted:
        click.echo(f"removed {', '.join(done.removed) or 'no whole build yet'}: {done.deleted} objects in all regions")
    if done.spared:
        click.echo(f"spared {', '.join(done.spared)}: in use again")
    if done.condemned:
        click.echo(
            f"condemned {', '.join(done.condemned.builds)}: {done.condemned.versions} objects in all regions "
            f"({size_text(done.condemned.bytes)}); a run after the wait deletes them"
        )
    elif done.complete:
        click.echo("nothing to condemn")
    if not done.complete:
        click.echo("not finished; run it again to go on")
