"""`bluegreen verify`: is a build complete in every region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from bluegreen_cdn.cli.console import print_json, warn
from bluegreen_cdn.cli.targets import TARGET_HELP, named_targets, site_targets
from bluegreen_cdn.defaults import VERIFY_WORKERS

if TYPE_CHECKING:
    from bluegreen_cdn.domain.targets import TargetSpec
    from bluegreen_cdn.publish.object_store import ObjectStore
    from bluegreen_cdn.publish.verify import Verification

INCOMPLETE_EXIT_CODE = 1
_SHOWN = 50


@click.command()
@click.argument("build")
@click.option("--site", help="A build of this site; its buckets are looked up in us-east-1.")
@click.option(
    "--bucket",
    "buckets",
    multiple=True,
    metavar="[REGION=]NAME",
    help="Look into this bucket instead; may be repeated, the one that is published to first.",
)
@click.option("--target", "targets", multiple=True, metavar="[NAME=]s3://BUCKET[?…]", help=TARGET_HELP)
@click.option("--repair", is_flag=True, help="Mend what is wrong by copying from a region that has it.")
@click.option("--workers", type=click.IntRange(1, 128), default=VERIFY_WORKERS, help="Threads that look.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def verify(
    build: str,
    site: str | None,
    buckets: tuple[str, ...],
    targets: tuple[str, ...],
    repair: bool,
    workers: int,
    as_json: bool,
) -> int:
    """Verify a build: every object of its manifest in every region, with size, digest and headers.

    Exit code 0: complete in every region (after the repair, with --repair). 1: something is missing or differs.
    """
    from bluegreen_cdn.aws.targets import open_targets, open_versioned
    from bluegreen_cdn.domain.builds import check_build_id
    from bluegreen_cdn.publish.repair import Repair
    from bluegreen_cdn.publish.verify import Verifier

    check_build_id(build)
    if (site is None) == (not buckets) and (site or not targets):
        raise click.UsageError("pass either --site NAME or --bucket NAME (or --target, also beside --site)")
    specs = _specs(site, named_targets(buckets, None, targets))
    stores: Mapping[str, ObjectStore]
    if repair:
        stores = overwritable = open_versioned(specs, connections=workers)
        mender = Repair(overwritable)
    else:  # the quick ones
        stores, mender = {target.name: target.store for target in open_targets(specs, connections=workers)}, None
    found = Verifier(build, stores, workers=workers, mend=mender.mend if mender else None).look()
    for refused in mender.refused if mender else ():
        warn(refused)
    if as_json:
        print_json(found.to_json())
    else:
        _print(found, list(stores))
    return 0 if found.complete else INCOMPLETE_EXIT_CODE


def _specs(site: str | None, named: Sequence[TargetSpec]) -> Sequence[TargetSpec]:
    from bluegreen_cdn.aws.site import find_site
    from bluegreen_cdn.domain.targets import check_targets

    of_site = site_targets(find_site(site)) if site is not None else []
    return check_targets([*of_site, *named])


def _print(found: Verification, regions: list[str]) -> None:
    for finding in sorted(found.findings, key=lambda one: (one.region, one.key))[:_SHOWN]:
        click.echo(f"{'mended' if finding.mended else 'wrong':<7} {finding.region}: {finding}")
    if len(found.findings) > _SHOWN:
        click.echo("… more with --json")
    mended = sum(found.mended.values())
    state = f"{found.objects} objects in {', '.join(regions)}" + (f", {mended} mended" if mended else "")
    if found.complete:
        click.echo(f"build {found.build_id} is complete: {state}")
    else:
        wrong = ", ".join(f"{number} in {region}" for region, number in sorted(found.wrong.items()))
        click.echo(f"build {found.build_id} is not complete: {wrong} missing or wrong, of {state}")
