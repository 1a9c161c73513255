"""`bluegreen history`: the releases of a site."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from bluegreen_cdn.cli.console import print_json
from bluegreen_cdn.defaults import HISTORY_DEPLOYMENTS

if TYPE_CHECKING:
    from bluegreen_cdn.domain.status_releases import ReleaseRecord

_COLUMNS = ("began", "build", "from", "result", "took", "deployment", "reason")


@click.command()
@click.option("--site", required=True, help="The site's name.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=HISTORY_DEPLOYMENTS,
    show_default=True,
    help="How many deployments to look at, rollbacks among them.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def history(site: str, limit: int, as_json: bool) -> None:
    """The releases, newest first: how each went, and why.

    As far as CodeDeploy remembers; the first deploy is none. The reason is the control plane's own where it has noted
    one, else CodeDeploy's. A build that nobody can tell any more is shown as "?".
    """
    from bluegreen_cdn.aws.operator_site import open_site

    releases = open_site(site).history(limit)
    if as_json:
        print_json({"site": site, "releases": [release.to_json() for release in releases]})
    elif not releases:
        click.echo(f"site {site} has had no release since its first deploy")
    else:
        _show([_cells(release) for release in releases])


def _cells(release: ReleaseRecord) -> tuple[str, ...]:
    from bluegreen_cdn.cli.status_text import duration_text, time_text

    return (
        time_text(release.began),
        release.build,
        release.previous,
        release.result,
        "" if release.ended is None else duration_text(release.ended - release.began),
        release.deployment,
        release.reason,
    )


def _show(rows: Sequence[Sequence[str]]) -> None:
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(" ".join(cell.split()) for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in _COLUMNS:
        table.add_column(column, overflow="fold", no_wrap=column not in ("reason", "build", "from"))
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
