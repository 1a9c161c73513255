import resource
import subprocess
import sys
from pathlib import Path

import pytest

from bluegreen_cdn.cli import main as command
from bluegreen_cdn.errors import InvalidBuild, LocalCloudError

HEAVY = ("aws_cdk", "boto3", "botocore", "rich", "aiohttp", "ministack", "jsii")
COMMANDS = (
    "gc",
    "history",
    "local",
    "preview",
    "publish",
    "rehearse",
    "rollback",
    "status",
    "unpin",
    "verify",
    "withdraw",
)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from bluegreen_cdn.cli.main import run; code = run(['--help']);"
        f"print([name for name in {HEAVY!r} if name in sys.modules]); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def seconds_of_children() -> float:
    """What ended child processes have computed: a busy machine lets them wait, and that is not theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_lists_every_command_and_comes_at_once() -> None:
    times = []
    for _ in range(3):
        before = seconds_of_children()
        done = subprocess.run(
            [sys.executable, "-m", "bluegreen_cdn.cli.main", "--help"], capture_output=True, text=True, timeout=30
        )
        times.append(seconds_of_children() - before)
    for name in COMMANDS:
        assert f"  {name} " in done.stdout
    assert min(times) < 0.3


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_imported_and_is_described_as_the_list_says(name: str) -> None:
    context = command.bluegreen.make_context("bluegreen", [name], resilient_parsing=True)
    found = command.bluegreen.get_command(context, name)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    ("error", "code"), [(InvalidBuild("no\n such folder"), 2), (LocalCloudError("it is stuck"), 1)]
)
def test_an_error_of_ours_is_one_line_and_its_exit_code(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(command.bluegreen, "main", fail)
    assert command.run([]) == code
    written = capsys.readouterr()
    assert written.err == f"bluegreen: {' '.join(str(error).split())}\n"
    assert written.out == ""


def test_an_interruption_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command.bluegreen, "main", interrupt)
    assert command.run([]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_an_unknown_command_or_option_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(["deploy"]) == 2
    assert "No such command 'deploy'" in capsys.readouterr().err
    assert command.run(["local", "start", "--colour"]) == 2


def test_an_error_that_is_not_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(command.bluegreen, "main", fail)
    with pytest.raises(ZeroDivisionError):
        command.run([])


def test_a_reader_that_leaves_ends_it_quietly(tmp_path: Path) -> None:
    code = "from bluegreen_cdn.cli.main import run; import sys; [run(['--help']) for _ in range(2000)]; sys.exit(0)"
    done = subprocess.run(
        f'{sys.executable} -c "{code}" | head -1', shell=True, capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert done.stderr == ""
    assert done.stdout.startswith("Usage")
