"""`bluegreen unpin`: the end of a rollback by hand."""

import click

from bluegreen_cdn.cli.rollback_steps import json_option, operate, quick_option, site_option, yes_option


@click.command()
@site_option
@quick_option
@yes_option
@json_option
def unpin(site: str, quick: bool, yes: bool, as_json: bool) -> None:
    """Let the edge follow the alias again.

    Visitors get the build that was rolled back, at once. A new release does the same step by step, and clears the pin
    when it succeeds.
    """
    from bluegreen_cdn.domain.operations import plan_unpin

    operate(site, plan_unpin, yes=yes, as_json=as_json, quick=quick)
