import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen_cdn.cli.main import run
from bluegreen_cdn.local import instance

pytestmark = pytest.mark.cloud


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    state = tmp_path / "state"
    yield state
    instance.stop(state)
    instance.clear_stale(state)


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    return dict(json.loads(capsys.readouterr().out))


def processes(folder: Path) -> list[str]:
    listing = subprocess.run(["ps", "-A", "-o", "command="], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if str(folder) in line]


def gone(folder: Path) -> bool:
    deadline = time.monotonic() + 30
    while processes(folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_start_status_second_start_stop(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--state-dir", str(folder)]
    assert run(["local", "start", *where, "--time-scale", "20", "--json"]) == 0
    started = said(capsys)
    assert started["environment"]["AWS_ENDPOINT_URL"] == started["endpoint"]  # type: ignore[index]
    assert str(started["site_url"]).startswith("http://site.localhost:")
    assert str(started["endpoint"]).startswith("http://127.0.0.1:")
    with urllib.request.urlopen(f"{started['endpoint']}/_bluegreen_local/health", timeout=30) as answer:
        assert json.load(answer)["time_scale"] == 20

    assert run(["local", "status", *where, "--json"]) == 0
    assert said(capsys)["pid"] == started["pid"]

    assert run(["local", "start", *where]) == 1
    refused = capsys.readouterr().err
    assert f"(pid {started['pid']}" in refused
    assert f"bluegreen local stop --state-dir {folder}" in refused

    assert run(["local", "stop", *where]) == 0
    assert "Stopped" in capsys.readouterr().out
    assert gone(folder)
    assert run(["local", "status", *where]) == 1
    assert run(["local", "stop", *where]) == 0
    assert "Nothing was running" in capsys.readouterr().out


def test_a_killed_instance_is_named_and_cleared(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--state-dir", str(folder)]
    assert run(["local", "start", *where, "--json"]) == 0
    pid = int(str(said(capsys)["pid"]))
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while instance.inspect(folder).running is not None and time.monotonic() < deadline:
        time.sleep(0.05)

    assert run(["local", "status", *where]) == 1
    assert f"(pid {pid}) ended without cleaning up" in capsys.readouterr().out
    assert run(["local", "start", *where]) == 0
    assert f"(pid {pid}) ended without cleaning up in {folder}: cleared" in capsys.readouterr().err
    assert run(["local", "stop", *where]) == 0
    assert gone(folder)


def test_an_instance_of_another_version_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = instance.start(folder)
    monkeypatch.setattr(instance, "_version", lambda: "99.0")
    found = instance.inspect(folder)
    assert found.running == running
    assert f"is of version {running.version}, this is 99.0" in found.problem


def test_what_another_program_wrote_is_not_touched(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder.mkdir()
    (folder / "instance.json").write_text('{"format": 7}')
    assert run(["local", "start", "--state-dir", str(folder)]) == 1
    assert "was not written by this version" in capsys.readouterr().err
    (folder / "instance.json").unlink()


def test_a_cloud_that_cannot_start_says_why(folder: Path) -> None:
    folder.mkdir()
    (folder / "cloud").write_text("a file where the folder should be")
    done = subprocess.run(
        [sys.executable, "-m", "bluegreen_cdn.cli.main", "local", "start", "--state-dir", str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "the local cloud did not start" in done.stderr
    assert "Traceback" not in done.stderr
