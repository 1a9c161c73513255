"""`bluegreen local`: the local cloud and the edge simulator as a service of this machine."""

from pathlib import Path

import click

from bluegreen_cdn.cli.console import print_json, warn

_STATE = click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".bluegreen/local"),
    show_default=True,
    help="Folder that holds everything the local cloud keeps.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def local() -> None:
    """Run the local cloud and the edge simulator on this machine, on loopback only."""


@local.command()
@_STATE
@click.option(
    "--time-scale",
    type=click.FloatRange(min=0.1, max=600),
    default=1.0,
    show_default=True,
    help="How many times faster minutes pass.",
)
@_JSON
def start(state_dir: Path, time_scale: float, as_json: bool) -> None:
    """Start it in the background and print how to reach it."""
    from bluegreen_cdn.local import instance

    stale = instance.clear_stale(state_dir)
    if stale:
        warn(stale)
    running = instance.start(state_dir, time_scale=time_scale)
    if as_json:
        print_json(running.as_json())
        return
    click.echo(f"The local cloud runs (pid {running.pid}): {running.endpoint}")
    click.echo(f"The site, once one is deployed:   {running.site_url}")
    click.echo("\nLet the AWS CLI, the CDK and boto3 use it:\n")
    for name, value in running.environment.items():
        click.echo(f"  export {name}={value}")
    click.echo(f"\nStop it: bluegreen local stop{_where(state_dir)}")


@local.command()
@_STATE
@_JSON
def stop(state_dir: Path, as_json: bool) -> None:
    """Stop it, and everything it started."""
    from bluegreen_cdn.local import instance

    stale = instance.clear_stale(state_dir)
    if stale:
        warn(stale)
    pid = instance.stop(state_dir)
    if as_json:
        print_json({"stopped": pid})
    elif pid is None:
        click.echo("Nothing was running.")
    else:
        click.echo(f"Stopped (pid {pid}).")


@local.command()
@_STATE
@_JSON
@click.pass_context
def status(ctx: click.Context, state_dir: Path, as_json: bool) -> None:
    """Say whether it runs and how to reach it; exit code 1 when it does not."""
    from bluegreen_cdn.local import instance

    found = instance.inspect(state_dir)
    if as_json:
        print_json(found.as_json())
    elif found.running is not None:
        click.echo(f"The local cloud runs (pid {found.running.pid}): {found.running.endpoint}")
        click.echo(f"The site, once one is deployed:   {found.running.site_url}")
        if found.problem:
            warn(found.problem)
    else:
        click.echo(found.problem or "Nothing is running.")
    ctx.exit(0 if found.running is not None else 1)


def _where(state_dir: Path) -> str:
    return "" if state_dir == Path(".bluegreen/local") else f" --state-dir {state_dir}"
