"""`bluegreen rehearse`: whole releases on this machine, and a report."""

import asyncio
import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bluegreen_cdn.cli.console import print_json
from bluegreen_cdn.local.rehearsal.scenarios import ALL, NAMES

if TYPE_CHECKING:
    from bluegreen_cdn.local.rehearsal.options import RehearsalOptions
    from bluegreen_cdn.local.rehearsal.progress import Observable

_FOLDER = click.Path(path_type=Path)


@click.command()
@click.option(
    "--scenario",
    "scenarios",
    type=click.Choice([ALL, *NAMES]),
    multiple=True,
    metavar="NAME|all",
    help=f"Play this scenario instead; may be repeated. One of {', '.join(NAMES)}.",
)
@click.option("--stable", type=_FOLDER, metavar="DIR", help="Build to begin with. Default: the example's first build.")
@click.option("--candidate", type=_FOLDER, metavar="DIR", help="Build to let in. Default: the example's second build.")
@click.option("--bad", is_flag=True, help="Then release a failing copy of the candidate, to show the rollback.")
@click.option(
    "--time-scale",
    type=float,
    metavar="X",
    help="How many times faster minutes pass. Default: 20, less on a busy machine.",
)
@click.option(
    "--rollout", metavar="TEXT", help="Such as canary:10%:5m or linear:20%:1m. Default: canary:20%:5m:bake=2m."
)
@click.option("--visitors", type=int, metavar="N", help="HTTP visitors at a time. Default: 50.")
@click.option("--browsers", type=click.IntRange(0, 16), metavar="N", help="Chromium tabs at a time. Default: 1.")
@click.option("--output", type=_FOLDER, metavar="DIR", help="Folder for the report. Default: build/rehearsal.")
@click.option("--seed", type=int, metavar="N", help="Makes the visitors' choices repeatable. Default: 1.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON; progress goes to stderr.")
@click.pass_context
def rehearse(ctx: click.Context, /, scenarios: tuple[str, ...], as_json: bool, **given: object) -> None:
    """Carry out whole releases on this machine: deploy, let visitors in, roll a bad build back.

    Needs neither an AWS account nor Docker. Exit code 0 means that every page every visitor loaded was whole, and that
    everything else that a scenario checks was so.
    """
    from bluegreen_cdn.local.rehearsal import pace
    from bluegreen_cdn.local.rehearsal.options import TIME_SCALE, RehearsalOptions

    load = pace.load_per_core()
    if given["time_scale"] is None:
        given["time_scale"] = pace.time_scale(load)
    options = RehearsalOptions(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    if options.time_scale < TIME_SCALE:
        click.echo(f"minutes pass {options.time_scale:g} times faster (load per core: {load:.1f})", err=True)
    ok = _play(options, scenarios, as_json) if scenarios else _tell(options, as_json)
    ctx.exit(0 if ok else 1)


def _tell(options: "RehearsalOptions", as_json: bool) -> bool:
    """The one long story: a good build, then a bad one."""
    from bluegreen_cdn.local.rehearsal.report import as_json as report_json
    from bluegreen_cdn.local.rehearsal.report import summary_lines, write
    from bluegreen_cdn.local.rehearsal.story import Rehearsal

    rehearsal = Rehearsal(options)
    interrupted = _run(rehearsal, rehearsal.run())
    report, page = write(rehearsal.record, options.output)
    data = report_json(rehearsal.record)
    _show(data, summary_lines(data), page, report, as_json)
    if interrupted:
        raise KeyboardInterrupt
    return bool(data["ok"])


def _play(options: "RehearsalOptions", names: tuple[str, ...], as_json: bool) -> bool:
    """Scenarios, each with a report, and an index of them."""
    from bluegreen_cdn.local.rehearsal import programme_report
    from bluegreen_cdn.local.rehearsal.programme import Programme
    from bluegreen_cdn.local.rehearsal.scenarios import load

    programme = Programme(options, load(names))
    interrupted = _run(programme, programme.run())
    report, page = programme_report.write(programme, options.output)
    data = programme_report.as_json(programme)
    _show(data, programme_report.table_lines(data), page, report, as_json)
    if interrupted:
        raise KeyboardInterrupt
    return bool(data["ok"])


def _show(data: dict[str, Any], lines: Sequence[str], page: Path, report: Path, as_json: bool) -> None:
    if as_json:
        print_json(data)
        return
    for line in lines:
        click.echo(line)
    click.echo(f"{'passed' if data['ok'] else 'FAILED'}: {page} (data: {report})")


def _run(rehearsal: "Observable", told: Coroutine[Any, Any, object]) -> bool:
    """Run it with progress; Ctrl-C and SIGTERM end it in good order. True if one of them did."""
    from bluegreen_cdn.local.rehearsal import progress

    interrupted = False

    async def play() -> None:
        nonlocal interrupted
        loop = asyncio.get_running_loop()
        story = asyncio.ensure_future(told)

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
    return interrupted
