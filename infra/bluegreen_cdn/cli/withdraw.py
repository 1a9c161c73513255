"""`bluegreen withdraw`: stop serving a build's documents."""

import click

from bluegreen_cdn.cli.rollback_steps import json_option, operate, quick_option, site_option, yes_option


@click.command()
@click.argument("build")
@site_option
@quick_option
@yes_option
@json_option
def withdraw(build: str, site: str, quick: bool, yes: bool, as_json: bool) -> None:
    """Stop serving the documents of BUILD, whatever it is now.

    A candidate is taken out and its release stopped; a stable build gives way to the one before it. The files of pages
    that are open stay where they are.
    """
    from bluegreen_cdn.domain.builds import check_build_id
    from bluegreen_cdn.domain.operations import plan_withdraw

    check_build_id(build)
    operate(site, lambda scene: plan_withdraw(scene, build), yes=yes, as_json=as_json, quick=quick)
