"""How far the check of a build is, on stderr: a line that counts on a terminal, one line in a pipe."""

import sys
import time

import click

from bluegreen_cdn.cli.console import warn

_EVERY_SECONDS = 0.2
_SAID_IN_A_PIPE_AFTER_SECONDS = 2.0


class VerifyProgress:
    """Tells an operator what he waits for; silent where it takes no time."""

    def __init__(self) -> None:
        self._began = self._told = time.monotonic()
        self._lines = 0

    def verified(self, build: str, objects: int) -> None:
        """So many objects of a build have been looked at."""
        now = time.monotonic()
        if sys.stderr.isatty():
            if now - self._told > _EVERY_SECONDS:
                self._told = now
                click.echo(f"\rbuild {build}: {objects:,} objects verified \r", err=True, nl=False)
        elif not self._lines and now - self._began > _SAID_IN_A_PIPE_AFTER_SECONDS:
            self._lines += 1
            click.echo(f"build {build}: verifying every file in every region (--quick leaves that out)", err=True)

    def left_out(self, region: str, why: str) -> None:
        """A region does not answer and was left out of a quick check."""
        warn(f"{region} does not answer and was not looked at: {why}")
