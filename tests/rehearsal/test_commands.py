"""The command as an operator calls it."""

import asyncio
import os
from pathlib import Path

import pytest

from bluegreen_cdn.errors import RehearsalError
from bluegreen_cdn.local.rehearsal.commands import Commands


def test_a_command_runs_with_its_environment_and_leaves_a_log(tmp_path: Path) -> None:
    commands = Commands(os.environ, tmp_path)
    done = asyncio.run(commands.run("--help")).checked()
    assert "rollback" in done.output
    assert "exit code 0" in (tmp_path / "command-01---help.log").read_text()


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    done = asyncio.run(Commands(os.environ, tmp_path).run("preview", "../x", "--site", "shop"))
    assert done.code == 2
    with pytest.raises(RehearsalError, match=r"bluegreen preview \.\./x .* ended with exit code 2: .*build id"):
        done.checked()
