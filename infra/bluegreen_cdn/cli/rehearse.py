"""`bluegreen rehearse`: whole releases on this machine, and a report."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bluegreen_cdn.cli.console import print_json

if TYPE_CHECKING:
    from bluegreen_cdn.local.rehearsal.options import RehearsalOptions
    from bluegreen_cdn.local.rehearsal.story import Rehearsal

_FOLDER = click.Path(path_type=Path)


@click.command()
@click.option("--stable", type=_FOLDER, metavar="DIR", help="Build to begin with. Default: the example's first build.")
@click.option("--candidate", type=_FOLDER, metavar="DIR", help="Build to let in. Default: the example's second build.")
@click.option("--bad", is_flag=True, help="Then release a failing copy of the candidate, to show the rollback.")
@click.option("--time-scale", type=float, metavar="X", help="How many times faster minutes pass. Default: 20.")
@click.option(
    "--rollout", metavar="TEXT", help="Such as canary:10%:5m or linear:20%:1m. Default: canary:20%:5m:bake=2m."
)
@click.option("--visitors", type=int, metavar="N", help="HTTP visitors at a time. Default: 50.")
@click.option("--browsers", type=click.IntRange(0, 16), metavar="N", help="Chromium tabs at a time. Default: 1.")
@click.option("--output", type=_FOLDER, metavar="DIR", help="Folder for the report. Default: build/rehearsal.")
@click.option("--seed", type=int, metavar="N", help="Makes the visitors' choices repeatable. Default: 1.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON; progress goes to stderr.")
@click.pass_context
def rehearse(ctx: click.Context, /, as_json: bool, **given: object) -> None:
    """Carry out whole releases on this machine: deploy, let visitors in, roll a bad build back.

    Needs neither an AWS account nor Docker. Exit code 0 means that every page every visitor loaded was whole.
    """
    from bluegreen_cdn.local.rehearsal.options import RehearsalOptions
    from bluegreen_cdn.local.rehearsal.report import as_json as report_json
    from bluegreen_cdn.local.rehearsal.report import summary_lines, write

    options = RehearsalOptions(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    rehearsal, interrupted = _run(options)
    report, page = write(rehearsal.record, options.output)
    data = report_json(rehearsal.record)
    if as_json:
        print_json(data)
    else:
        for line in summary_lines(data):
            click.echo(line)
        click.echo(f"{'passed' if data['ok'] else 'FAILED'}: {page} (data: {report})")
    if interrupted:
        raise KeyboardInterrupt
    ctx.exit(0 if data["ok"] else 1)


def _run(options: "RehearsalOptions") -> "tuple[Rehearsal, bool]":
    """Run it with progress; Ctrl-C and SIGTERM end it in good order."""
    from bluegreen_cdn.local.rehearsal import progress
    from bluegreen_cdn.local.rehearsal.story import Rehearsal

    rehearsal = Rehearsal(options)
    interrupted = False

    async def play() -> None:
        nonlocal interrupted
        loop = asyncio.get_running_loop()
        story = asyncio.ensure_future(rehearsal.run())

        def interrupt() -> None:
            nonlocal interrupted
            if not interrupted:
                interrupted = True
                click.echo("stopping …", err=True)
                story.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt)
        show = (
            progress.table(rehearsal)
            if sys.stderr.isatty()
            else progress.lines(rehearsal, lambda line: click.echo(line, err=True))
        )
        async with show:
            await story

    asyncio.run(play())
    return rehearsal, interrupted
