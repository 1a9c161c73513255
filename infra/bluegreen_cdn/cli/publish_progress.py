"""The progress of a publish: a bar on a terminal, a few lines in a pipe. On stderr: stdout holds the result alone."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from bluegreen_cdn.publish.compress_plan import Precompress
from bluegreen_cdn.publish.object_store import PutOutcome
from bluegreen_cdn.publish.plan import PublishPlan, Upload
from bluegreen_cdn.publish.ports import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

_LINES_IN_A_PIPE = 10


def size_text(size: float) -> str:
    """A number of bytes for people."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


@contextmanager
def show_progress(plan: PublishPlan, *, quiet: bool, targets: int = 1) -> Iterator[Progress | None]:
    """Show the uploads of a plan while they are carried out.

    Args:
        plan: The plan.
        quiet: Show nothing.
        targets: Buckets that every file goes to; it counts when it is in all. Default: 1.
    """
    if quiet or not (plan.uploads or plan.copies or plan.variants):
        yield None
    elif not sys.stderr.isatty():
        yield _Lines(targets)
    else:
        # rich takes a fifth of a second to load.
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.progress import Progress as RichProgress

        with RichProgress(
            TextColumn("{task.description} {task.fields[files]}/{task.fields[all_files]} files{task.fields[each]}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        ) as bar:
            yield _Bar(bar, targets)


class _Bar:
    """Progress on a terminal."""

    def __init__(self, bar: RichProgress, targets: int) -> None:
        self._bar = bar
        self._targets = targets
        self._lock = threading.Lock()
        self._files = 0
        self._compressed = 0

    def planned(self, plan: PublishPlan) -> None:
        files, size = len(plan.uploads) + len(plan.copies), plan.upload_bytes + plan.copy_bytes
        each = _each(self._targets)
        self._task = self._bar.add_task("upload", total=size, files=0, all_files=files, each=each)
        if count := len(plan.compressions):
            size = plan.compress_bytes
            self._variants = self._bar.add_task("compress", total=size, files=0, all_files=count, each="")

    def stored(self, upload: Upload, outcome: PutOutcome) -> None:
        with self._lock:
            self._files += 1
            self._bar.update(self._task, advance=upload.size, files=self._files)

    def compressed(self, variants: Precompress) -> None:
        if variants.is_known:
            return
        with self._lock:
            self._compressed += 1
            self._bar.update(self._variants, advance=variants.size, files=self._compressed)


class _Lines:
    """Progress in a pipe: one line for every tenth of the files, and of the bytes to compress, which take longer."""

    def __init__(self, targets: int) -> None:
        self._lock = threading.Lock()
        self._targets = targets
        self._stored = _Tally(0)
        self._compressed = _Tally(0)

    def planned(self, plan: PublishPlan) -> None:
        self._stored = _Tally(len(plan.uploads) + len(plan.copies))
        self._compressed = _Tally(plan.compress_bytes)
        self._all_compressed = len(plan.compressions)
        copies = f", copying {len(plan.copies)} ({size_text(plan.copy_bytes)})" if plan.copies else ""
        files = f"{len(plan.uploads)} files ({size_text(plan.upload_bytes)}){copies}"
        variants = (
            f", compressing {self._all_compressed} ({size_text(plan.compress_bytes)})" if plan.compressions else ""
        )
        click.echo(f"uploading {files}{_each(self._targets)}{variants}", err=True)

    def stored(self, upload: Upload, outcome: PutOutcome) -> None:
        with self._lock:
            if self._stored.add(1, upload.size):
                click.echo(f"{self._stored.done}/{self._stored.end} files, {size_text(self._stored.bytes)}", err=True)

    def compressed(self, variants: Precompress) -> None:
        with self._lock:
            if not variants.is_known and self._compressed.add(variants.size, variants.size):
                click.echo(
                    f"compressed {self._compressed.calls}/{self._all_compressed} files, "
                    f"{size_text(self._compressed.bytes)}",
                    err=True,
                )


class _Tally:
    """Counts towards an end, and says when another tenth of it is done."""

    def __init__(self, end: int) -> None:
        self.end = end
        self.done = self.bytes = self.calls = 0

    def add(self, amount: int, size: int) -> bool:
        before = self.done * _LINES_IN_A_PIPE // max(self.end, 1)
        self.done += amount
        self.bytes += size
        self.calls += 1
        return self.done * _LINES_IN_A_PIPE // max(self.end, 1) > before


def _each(targets: int) -> str:
    return f" to each of {targets} buckets" if targets > 1 else ""
