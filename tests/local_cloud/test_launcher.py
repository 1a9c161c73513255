"""Starting and stopping, and what must never be left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bluegreen_cdn.errors import LocalCloudError
from bluegreen_cdn.local.cloud import LocalCloud, launcher
from bluegreen_cdn.local.cloud.environment import client_environment, server_environment
from bluegreen_cdn.local.cloud.launcher import STATE_FILE, running_instance
from bluegreen_cdn.local.cloud.seams import check_version, replace, require

from .conftest import Aws, eventually

FOREVER = """
import os, pathlib, time
def handler(event, context):
    pathlib.Path(os.environ["MARK"]).touch()
    time.sleep(50)
"""
PARENT = """
import os, sys, time
from pathlib import Path
from bluegreen_cdn.local.cloud import LocalCloud
cloud = LocalCloud(Path(sys.argv[1])).start()
print(cloud.admin("health")["pid"], flush=True)
time.sleep(50)
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def members(group: int) -> list[int]:
    """The living processes of a process group."""
    listed = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return [int(pid) for pid, pgid, stat in rows if int(pgid) == group and not stat.startswith("Z")]


def run_forever(cloud: LocalCloud, mark: Path) -> None:
    """Have a worker in the middle of an invocation."""
    aws = Aws(cloud)
    aws.function("forever", FOREVER, MARK=str(mark))
    aws.client("lambda").invoke(FunctionName="forever", InvocationType="Event")
    eventually(mark.exists)


@pytest.mark.cloud
@pytest.mark.xdist_group("local-cloud")
def test_stopping_leaves_no_process_and_no_state(tmp_path: Path) -> None:
    with LocalCloud(tmp_path) as cloud:
        assert cloud.endpoint.startswith("http://127.0.0.1:")
        pid = int(cloud.admin("health")["pid"])
        run_forever(cloud, tmp_path / "mark")
        assert len(members(pid)) > 1
        with pytest.raises(LocalCloudError, match=f"process {pid}.* already uses"):
            LocalCloud(tmp_path).start()
    assert members(pid) == []
    assert running_instance(tmp_path) is None
    assert not (tmp_path / STATE_FILE).exists()


@pytest.mark.cloud
@pytest.mark.xdist_group("local-cloud")
def test_workers_of_a_killed_server_are_stopped_too(tmp_path: Path) -> None:
    with LocalCloud(tmp_path) as cloud:
        pid = int(cloud.admin("health")["pid"])
        run_forever(cloud, tmp_path / "mark")
        assert len(members(pid)) > 1
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: members(pid) == [])


@pytest.mark.cloud
@pytest.mark.xdist_group("local-cloud")
def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    eventually(lambda: not alive(pid) or members(pid) == [])
    # What a killed parent leaves is only the file, and that stops nobody.
    assert running_instance(tmp_path) is None
    with LocalCloud(tmp_path):
        pass


@pytest.mark.cloud
@pytest.mark.xdist_group("local-cloud")
def test_a_detached_one_is_stopped_by_its_folder(tmp_path: Path) -> None:
    LocalCloud(tmp_path, detached=True).start()
    running = running_instance(tmp_path)
    assert running is not None
    assert LocalCloud.stop_running(tmp_path)
    eventually(lambda: members(int(running["pid"])) == [])
    assert not LocalCloud.stop_running(tmp_path)


@pytest.mark.cloud
@pytest.mark.xdist_group("local-cloud")
def test_a_port_that_is_taken_is_said(aws: Aws, tmp_path: Path) -> None:
    port = int(aws.cloud.endpoint.rpartition(":")[2])
    with pytest.raises(LocalCloudError, match=f"port {port}"):
        LocalCloud(tmp_path, port=port).start()


@pytest.mark.cloud
@pytest.mark.xdist_group("local-cloud")
def test_another_port_is_chosen_when_one_is_taken_meanwhile(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = [int(aws.cloud.endpoint.rpartition(":")[2]), launcher._free_port()]
    monkeypatch.setattr(launcher, "_free_port", iter(ports).__next__)
    with LocalCloud(tmp_path) as cloud:
        assert cloud.endpoint == f"http://127.0.0.1:{ports[1]}"
        assert cloud.admin("faults") == []


def test_a_scale_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalCloudError, match="time scale 0 "):
        LocalCloud(tmp_path, time_scale=0)


def test_the_endpoint_is_known_only_after_the_start(tmp_path: Path) -> None:
    with pytest.raises(LocalCloudError, match="not started"):
        _ = LocalCloud(tmp_path).endpoint


@pytest.mark.parametrize("version", [None, "1.5.32", "1.6.0"])
def test_another_ministack_is_refused(version: str | None) -> None:
    with pytest.raises(LocalCloudError, match=r"1\.5\.33"):
        check_version(version)


def test_the_ministack_we_know_is_accepted() -> None:
    check_version("1.5.33")


def test_a_seam_that_is_not_there_is_named() -> None:
    with pytest.raises(LocalCloudError, match="os has no _no_such_name"):
        require(os, "getpid", "_no_such_name")
    with pytest.raises(LocalCloudError, match="_no_such_name"):
        replace(os, "_no_such_name", None)


def test_no_profile_reaches_a_client_and_nothing_of_the_user_reaches_the_server(tmp_path: Path) -> None:
    mine = {
        "AWS_PROFILE": "work",
        "AWS_SESSION_TOKEN": "t",
        "PATH": "/bin",
        "HTTPS_PROXY": "http://proxy",
        "PYTHONPATH": "x",
    }
    client = client_environment(mine, "http://127.0.0.1:1", 20)
    assert "AWS_PROFILE" not in client
    assert "AWS_SESSION_TOKEN" not in client
    assert (client["PATH"], client["AWS_ENDPOINT_URL"], client["BLUEGREEN_TIME_SCALE"]) == (
        "/bin",
        "http://127.0.0.1:1",
        "20",
    )
    server = server_environment(mine, tmp_path, 1, 20)
    assert not {"AWS_PROFILE", "HTTPS_PROXY", "PYTHONPATH"} & server.keys()
    assert server["BIND_HOST"] == "127.0.0.1"
    assert server["TMPDIR"].startswith(str(tmp_path))
