"""`bluegreen rollback`: back to the build from before."""

import click

from bluegreen_cdn.cli.rollback_steps import json_option, operate, quick_option, site_option, yes_option


@click.command()
@site_option
@click.option("--to", metavar="BUILD", help="The build to go back to.  [default: the one that was stable before]")
@quick_option
@yes_option
@json_option
def rollback(site: str, to: str | None, quick: bool, yes: bool, as_json: bool) -> None:
    """Go back to an earlier build, in seconds and without a deploy.

    While a release is in progress, its build is taken out at the edge and its deployment stopped with rollback.
    Otherwise the earlier build is pinned: visitors get it until a later release succeeds, or until `bluegreen unpin`.
    """
    from bluegreen_cdn.domain.builds import check_build_id
    from bluegreen_cdn.domain.operations import plan_rollback

    if to is not None:
        check_build_id(to)
    operate(site, lambda scene: plan_rollback(scene, to), yes=yes, as_json=as_json, quick=quick)
