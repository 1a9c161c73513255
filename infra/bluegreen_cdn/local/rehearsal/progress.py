"""Says how a rehearsal is going: a live table on a terminal, a plain line every few seconds elsewhere."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from bluegreen_cdn.local.rehearsal.audience import Audience
from bluegreen_cdn.local.rehearsal.releases import Outcome
from bluegreen_cdn.local.rehearsal.report import Record

TABLE_SECONDS = 0.25
LINE_SECONDS = 5.0
SHARE_SECONDS = 8.0
"""How far back the share that visitors see is counted."""


class Observable(Protocol):
    """A rehearsal that can be looked at while it runs: one story, or the present one of several."""

    @property
    def record(self) -> Record:
        """What was seen so far in the present story."""

    @property
    def audience(self) -> Audience | None:
        """Its visitors, once they have begun to come."""

    @property
    def title(self) -> str:
        """What it is called; empty when it is the only one."""

    def now(self) -> float:
        """Seconds since it began."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """One look at a rehearsal."""

    seconds: float
    phase: str
    release: str = "–"
    weight: str = "–"
    share: str = "–"
    visitors: int = 0
    page_loads: int = 0
    broken: int = 0
    script_errors: int = 0
    alarm: str = "off"

    def line(self) -> str:
        """Say it in one line."""
        return (
            f"{self.seconds:6.1f} s  {self.phase}: weight {self.weight}, seen {self.share}, "
            f"{self.page_loads} pages, {self.broken} broken, {self.script_errors} script errors, alarm {self.alarm}"
        )


def look(rehearsal: Observable) -> Snapshot:
    """Take a snapshot."""
    record, now = rehearsal.record, rehearsal.now()
    phase = record.phases[-1].name if record.phases else "start"
    release = next((r for r in reversed(record.releases) if r.expected is not Outcome.FIRST), None)
    weight = share = "–"
    name = record.releases[-1].name if record.releases else "–"
    if release is not None:
        last = release.weights[-1] if release.weights else None
        weight = f"{last.weight / 100:g} %" + ("" if last.everywhere else " (on its way)") if last else "0 %"
        seen, total = record.ledger.share(release.build_id, now - SHARE_SECONDS, now)
        share = f"{100 * seen / total:.0f} % of {total}" if total else "–"
    audience = rehearsal.audience
    alarms = audience.watch.alarms_on if audience is not None else set()
    return Snapshot(
        seconds=now,
        phase=f"{rehearsal.title}: {phase}" if rehearsal.title else phase,
        release=name,
        weight=weight,
        share=share,
        visitors=audience.crowd.present if audience is not None else 0,
        page_loads=record.ledger.page_loads,
        broken=len(record.ledger.broken_pages),
        script_errors=len(record.ledger.script_errors),
        alarm=", ".join(sorted(alarms)) or "off",
    )


@contextlib.asynccontextmanager
async def lines(rehearsal: Observable, write: Callable[[str], None]) -> AsyncIterator[None]:
    """Write a line for every phase, and every few seconds while visitors are there."""

    async def tell() -> None:
        shown, written = "", 0.0
        while True:
            now = look(rehearsal)
            if now.phase != shown:
                write(f"{now.seconds:6.1f} s  {now.phase}")
                shown, written = now.phase, now.seconds
            elif rehearsal.audience is not None and now.seconds - written >= LINE_SECONDS:
                write(now.line())
                written = now.seconds
            await asyncio.sleep(TABLE_SECONDS)

    task = asyncio.create_task(tell())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def table(rehearsal: Observable) -> AsyncIterator[None]:
    """Show a live table."""
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

    def draw() -> Table:
        now = look(rehearsal)
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", justify="right")
        grid.add_column()
        grid.add_row("phase", f"[bold]{now.phase}[/bold]  [dim]{now.seconds:.0f} s[/dim]")
        grid.add_row("release", now.release)
        grid.add_row("weight at the edge", now.weight)
        grid.add_row("share seen", f"{now.share} new visitors" if now.share != "–" else now.share)
        grid.add_row("visitors", f"{now.visitors} now, {now.page_loads} pages loaded")
        grid.add_row("broken pages", _coloured(now.broken, "red"))
        grid.add_row("script errors", _coloured(now.script_errors, "yellow"))
        grid.add_row("alarm", now.alarm if now.alarm == "off" else f"[bold red]{now.alarm}[/bold red]")
        return grid

    console = Console(stderr=True)
    with Live(draw(), console=console, refresh_per_second=4, transient=True) as live:

        async def redraw() -> None:
            while True:
                live.update(draw())
                await asyncio.sleep(TABLE_SECONDS)

        task = asyncio.create_task(redraw())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def _coloured(count: int, colour: str) -> str:
    return f"[{colour}]{count}[/{colour}]" if count else "[green]0[/green]"
