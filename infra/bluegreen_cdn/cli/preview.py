"""`bluegreen preview`: show a build to somebody before anybody is let in."""

import re

import click

from bluegreen_cdn.cli.console import print_json
from bluegreen_cdn.defaults import PREVIEW_TOKEN_LIFETIME_SECONDS

_MINUTES = PREVIEW_TOKEN_LIFETIME_SECONDS // 60
_MOST_MINUTES = 7 * 24 * 60
_BASE_URL = re.compile(r"https?://[^/?#\s]+/?")


@click.command()
@click.argument("build")
@click.option("--site", required=True, help="The site's name.")
@click.option("--path", default="/", show_default=True, help="What to show.")
@click.option(
    "--minutes",
    type=click.IntRange(1, _MOST_MINUTES),
    default=_MINUTES,
    show_default=True,
    help="How long the link works.",
)
@click.option("--base-url", metavar="URL", help="Where the site is.  [default: CloudFront's own domain name]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def preview(build: str, site: str, path: str, minutes: int, base_url: str | None, as_json: bool) -> None:
    """Print a link that shows BUILD to whoever has it, until it expires.

    Give it to nobody who may not see the build: it works without any other credential, and cannot be called back.
    """
    from bluegreen_cdn.aws.operator_site import open_site
    from bluegreen_cdn.domain.builds import check_build_id

    check_build_id(build)
    if not path.startswith("/") or path.startswith("//"):
        raise click.UsageError(f"--path is {path!r}; it must begin with one '/', such as /checkout")
    if base_url is not None and _BASE_URL.fullmatch(base_url) is None:
        raise click.UsageError(
            f"--base-url is {base_url!r}; it must be scheme and host, such as https://www.example.com"
        )
    link = open_site(site).preview_link(build, path=path, lifetime_seconds=minutes * 60, base=base_url)
    if as_json:
        print_json({"build": build, "link": link, "minutes": minutes})
    else:
        click.echo(link)
