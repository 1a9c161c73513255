"""The simulator's process: it starts, says what is wrong, and never outlives its parent."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bluegreen_cdn.errors import LocalCloudError
from bluegreen_cdn.local.edge import EdgeSimulator

NOWHERE = "http://127.0.0.1:9"


def gone(pid: int, seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":  # ended; whoever adopted it has yet to take note
            return True
        time.sleep(0.05)
    return False


def test_without_a_cloud_it_waits_and_says_why(tmp_path):
    with EdgeSimulator(NOWHERE, tmp_path) as edge:
        status = edge.status()
        assert status["state"] == "waiting"
        with pytest.raises(LocalCloudError, match=r"nothing to serve after 0\.2 s: no distribution has been read"):
            edge.wait_until_serving(0.2)
        pid = status["pid"]
    assert gone(pid)
    with pytest.raises(LocalCloudError, match="not running"):
        edge.status()


def test_it_ends_with_its_parent(tmp_path):
    program = f"""
import os, pathlib, sys
from bluegreen_cdn.local.edge import EdgeSimulator
edge = EdgeSimulator({NOWHERE!r}, pathlib.Path({str(tmp_path)!r}))
edge.start()
print(edge.status()["pid"], flush=True)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert gone(int(done.stdout))


def test_a_port_that_is_taken_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(LocalCloudError, match="address already in use"):
            EdgeSimulator(NOWHERE, tmp_path, port=taken.getsockname()[1]).start()


@pytest.mark.parametrize("wrong", [{"locations": ()}, {"locations": ("a", "a")}, {"propagation_seconds": -1.0}])
def test_nonsense_is_refused_before_anything_starts(tmp_path, wrong):
    with pytest.raises(LocalCloudError):
        EdgeSimulator(NOWHERE, tmp_path, **wrong)
