"""`bluegreen status`: what a site serves to whom, and how that goes."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from bluegreen_cdn.cli.console import print_json, warn
from bluegreen_cdn.defaults import SYNC_LOOP_SECONDS, VERDICT_PERIOD_SECONDS

if TYPE_CHECKING:
    from bluegreen_cdn.aws.operator import OperatedSite
    from bluegreen_cdn.domain.status import SiteStatus


@click.command()
@click.option("--site", required=True, help="The site's name.")
@click.option("--watch", is_flag=True, help="Look again every few seconds, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; with --watch one a line, each look.")
@click.option(
    "--window",
    "window_minutes",
    type=click.IntRange(1, 1440),
    default=VERDICT_PERIOD_SECONDS // 60,
    show_default=True,
    help="Minutes that the error rates look back.",
)
def status(site: str, watch: bool, as_json: bool, window_minutes: int) -> None:
    """What SITE serves: builds, weights, pin and latches, the release in progress, alarms, error rates, drift.

    The error rates stand with their 95 % intervals: while these overlap, the difference may be chance.
    """
    from bluegreen_cdn.aws.operator_site import open_site

    deployed = open_site(site)
    if watch:
        _watch(deployed, window_minutes * 60, as_json)
        return
    found = deployed.status(window_minutes * 60)
    if as_json:
        print_json(found.to_json())
    else:
        _show(found)


def _show(found: SiteStatus) -> None:
    from bluegreen_cdn.cli.status_text import status_lines

    if sys.stdout.isatty():
        from rich.console import Console

        Console().print(_table(found))
        return
    for label, text in (("site", found.site), *status_lines(found)):
        click.echo(f"{label}: {text}")


def _watch(deployed: OperatedSite, window_seconds: int, as_json: bool) -> None:
    """Look again and again; a look that fails is said and survived, for a release is watched best when things fail."""
    if as_json or not sys.stdout.isatty():
        for found in _looks(deployed, window_seconds):
            if as_json:
                import json

                click.echo(json.dumps(found.to_json()))
            else:
                _show(found)
                click.echo("")
        return
    from rich.live import Live

    with Live(auto_refresh=False) as live:
        for found in _looks(deployed, window_seconds):
            live.update(_table(found), refresh=True)


def _looks(deployed: OperatedSite, window_seconds: int) -> Any:
    from bluegreen_cdn.errors import CloudError

    while True:
        try:
            yield deployed.status(window_seconds)
        except CloudError as error:
            warn(f"{error}; looking again")
        time.sleep(SYNC_LOOP_SECONDS)


def _table(found: SiteStatus) -> Any:
    from rich.table import Table
    from rich.text import Text

    from bluegreen_cdn.cli.status_text import status_lines, time_text

    table = Table(title=f"{found.site}, {time_text(found.seen.now)}", title_justify="left", show_header=False, box=None)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    loud = {"pin", "latch", "drift", "alarm missing", "control plane", "regions out"}
    for label, text in status_lines(found):
        is_loud = label in loud or (label == "alarms" and text != "quiet")
        table.add_row(label, Text(text, style="yellow" if is_loud else ""))
    return table
