"""Whole rehearsals of the example, as a newcomer runs them."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bluegreen_cdn.local.rehearsal.invariants import ALARM_TO_ZERO_SECONDS
from bluegreen_cdn.local.rehearsal.staged_site import PROPAGATION_SECONDS

pytestmark = [pytest.mark.slow, pytest.mark.cloud, pytest.mark.xdist_group("rehearsal")]

COMMAND = [sys.executable, "-m", "bluegreen_cdn.cli.main", "rehearse"]
LIMIT_SECONDS = 300


def processes(folder: Path) -> list[str]:
    listing = subprocess.run(["ps", "-A", "-o", "command="], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if str(folder) in line]


def test_three_releases_and_not_one_broken_page(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--json", "--output", str(tmp_path)], capture_output=True, text=True, timeout=LIMIT_SECONDS
    )
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    report = json.loads(done.stdout)
    assert report == json.loads((tmp_path / "report.json").read_text())
    assert report["ok"] is True
    assert [release["outcome"] for release in report["releases"]] == ["first", "promoted", "rolled_back"]
    for name in ("broken_page_loads", "asset_failures", "mixed_pages"):
        assert report[name] == 0
    assert report["page_loads"] > 200
    assert report["asset_requests"] > 2000
    _, good, bad = report["releases"]
    assert {mark["weight"] for mark in good["weights"]} == {20, 100}
    assert bad["alarm"] == "bluegreen-storefront-verdict"
    assert 0 <= bad["seconds_from_alarm_to_weight_zero"] <= ALARM_TO_ZERO_SECONDS + PROPAGATION_SECONDS
    assert report["script_errors"] > 0
    assert "broken pages" in (tmp_path / "report.html").read_text()
    assert processes(tmp_path) == []


@pytest.mark.scale
def test_a_scenario_has_an_index_a_report_and_an_exit_code(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--scenario", "stop-midway", "--json", "--output", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    data = json.loads(done.stdout)
    assert data == json.loads((tmp_path / "scenarios.json").read_text())
    (played,) = data["scenarios"]
    assert (played["name"], played["ok"], played["broken"]) == ("stop-midway", True, [])
    assert [release["outcome"] for release in played["releases"]] == ["rolled_back"]
    assert played["page_loads"] > 50
    report = json.loads((tmp_path / "stop-midway" / "report.json").read_text())
    assert {mark["weight"] for mark in report["releases"][1]["weights"]} == {20, 0}
    held = {invariant["name"].partition(":")[0] for invariant in report["invariants"] if invariant["held"]}
    assert {"no_broken_page", "no_mixed_page", "gone_after_rollback", "old_build_everywhere"} <= held
    assert 'href="stop-midway/report.html"' in (tmp_path / "index.html").read_text()
    assert processes(tmp_path) == []


def test_an_interruption_stops_everything_and_leaves_a_report(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--output", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    watchdog = threading.Timer(LIMIT_SECONDS, process.kill)
    watchdog.start()
    assert process.stderr is not None
    for line in process.stderr:
        if "visitors arrive" in line:
            break
    os.kill(process.pid, signal.SIGINT)
    _, complaints = process.communicate()
    watchdog.cancel()
    assert process.returncode == 130, complaints
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["ok"], report["error"]) == (False, "interrupted")
    assert report["releases"][0]["outcome"] == "first"
    assert "Traceback" not in complaints
    assert processes(tmp_path) == []
