"""The command `bluegreen` as an operator calls it: a process of its own, with the local cloud for AWS."""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluegreen_cdn.errors import RehearsalError

COMMAND_TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class CommandResult:
    """How a call ended."""

    arguments: tuple[str, ...]
    code: int
    output: str
    complaints: str

    def checked(self) -> "CommandResult":
        """Return it if the command succeeded.

        Raises:
            RehearsalError: It did not.
        """
        if self.code:
            said = (self.complaints or self.output).strip()[-500:]
            raise RehearsalError(f"bluegreen {' '.join(self.arguments)} ended with exit code {self.code}: {said}")
        return self

    def json(self) -> Any:
        """Return what it printed as JSON."""
        return json.loads(self.output)


class Commands:
    """Calls `bluegreen` with one environment.

    Args:
        environment: What the process gets; from the local cloud.
        logs: Folder for what every call said.
    """

    def __init__(self, environment: Mapping[str, str], logs: Path) -> None:
        self._environment, self._logs = dict(environment), logs
        self._calls = 0

    async def run(self, *arguments: str) -> CommandResult:
        """Run it to its end.

        Raises:
            RehearsalError: It did not end.
        """
        self._calls += 1
        number = self._calls
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bluegreen_cdn.cli.main", *arguments),
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            output, complaints = await asyncio.wait_for(process.communicate(), COMMAND_TIMEOUT_SECONDS)
        except TimeoutError as error:
            raise RehearsalError(
                f"bluegreen {' '.join(arguments)} did not end within {COMMAND_TIMEOUT_SECONDS:g} s"
            ) from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        result = CommandResult(
            arguments=arguments,
            code=process.returncode or 0,
            output=output.decode(errors="replace"),
            complaints=complaints.decode(errors="replace"),
        )
        self._logs.mkdir(parents=True, exist_ok=True)
        (self._logs / f"command-{number:02}-{arguments[0]}.log").write_text(
            f"$ bluegreen {' '.join(arguments)}\n{result.output}{result.complaints}exit code {result.code}\n"
        )
        return result
