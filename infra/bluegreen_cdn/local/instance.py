"""One local cloud with its edge simulator, running in the background, known by a folder.

The supervisor holds a lock on a file in that folder for as long as it lives. Whether it lives is therefore never
guessed from a process id, which the system may have given to somebody else since.
"""

import argparse
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from bluegreen_cdn.errors import LocalCloudError

INSTANCE_FORMAT = 1
START_SECONDS = 30.0
STOP_SECONDS = 20.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class Instance:
    """What a running instance tells about itself."""

    pid: int
    version: str
    endpoint: str
    site_url: str
    edge_admin: str
    time_scale: float
    environment: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"format": INSTANCE_FORMAT, "running": True, **asdict(self)}


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is in a state folder: an instance that runs, the remains of one that does not, or nothing."""

    running: Instance | None = None
    stale: Instance | None = None
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        if self.running is not None:
            return {**self.running.as_json(), "problem": self.problem or None}
        return {"format": INSTANCE_FORMAT, "running": False, "problem": self.problem or None}


def inspect(state_dir: Path) -> Found:
    """Look at a state folder without changing anything."""
    recorded = _read(state_dir)
    held = _lock_is_held(state_dir)
    if recorded is None:
        return Found(problem="an instance is starting or stopping" if held else "")
    if not held:
        words = f"a local cloud (pid {recorded.pid}) ended without cleaning up in {state_dir}"
        return Found(stale=recorded, problem=words)
    if recorded.version != _version():
        words = (
            f"the running local cloud (pid {recorded.pid}) is of version {recorded.version}, this is {_version()}: "
            "stop it and start it again"
        )
        return Found(running=recorded, problem=words)
    return Found(running=recorded)


def clear_stale(state_dir: Path) -> str:
    """Remove the remains of an instance that died; return a sentence about it, or an empty string."""
    found = inspect(state_dir)
    if found.stale is None:
        return ""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if _is_ours(found.stale.pid):
            os.killpg(found.stale.pid, signal.SIGKILL)
    _file(state_dir).unlink(missing_ok=True)
    return f"{found.problem}: cleared"


def start(state_dir: Path, *, time_scale: float = 1.0) -> Instance:
    """Start an instance in the background and wait until it answers.

    Raises:
        LocalCloudError: One runs already, or it did not come up.
    """
    found = inspect(state_dir)
    if found.running is not None:
        raise LocalCloudError(
            f"a local cloud runs already in {state_dir} (pid {found.running.pid}, version {found.running.version}): "
            f"stop it with `bluegreen local stop --state-dir {state_dir}`, or choose another --state-dir"
        )
    if _lock_is_held(state_dir):
        raise LocalCloudError(f"another local cloud is starting or stopping in {state_dir}: try again in a moment")
    state_dir.mkdir(parents=True, exist_ok=True)
    log = state_dir / "supervisor.log"
    command = [sys.executable, "-m", "bluegreen_cdn.local.instance", "--state-dir", str(state_dir.resolve())]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  our own module
            [*command, "--time-scale", str(time_scale)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        recorded = _read(state_dir)
        if recorded is not None and recorded.pid == process.pid:
            return recorded
        if process.poll() is not None:
            raise LocalCloudError(f"the local cloud did not start: {_last_line(log)} (whole log: {log})")
        time.sleep(_POLL_SECONDS)
    os.killpg(process.pid, signal.SIGKILL)
    raise LocalCloudError(f"the local cloud did not answer within {START_SECONDS:g} s (log: {log})")


def stop(state_dir: Path) -> int | None:
    """Stop the instance of a folder; return its process id, or None when none ran."""
    found = inspect(state_dir)
    if found.running is None:
        return None
    pid = found.running.pid
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _lock_is_held(state_dir) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    if _lock_is_held(state_dir):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    _file(state_dir).unlink(missing_ok=True)
    return pid


def supervise(state_dir: Path, time_scale: float) -> None:
    """Run the local cloud and the edge simulator until told to stop; the body of the background process."""
    from bluegreen_cdn.local.cloud import LocalCloud
    from bluegreen_cdn.local.edge import EdgeSimulator

    def leave(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with (
        _lock(state_dir),
        contextlib.suppress(KeyboardInterrupt),
        LocalCloud(state_dir / "cloud", time_scale=time_scale) as cloud,
        EdgeSimulator(cloud.endpoint, state_dir / "edge") as edge,
    ):
        cloud.connect_edge(edge.address)
        instance = Instance(
            pid=os.getpid(),
            version=_version(),
            endpoint=cloud.endpoint,
            site_url=edge.url,
            edge_admin=edge.admin_url,
            time_scale=time_scale,
            environment={name: value for name, value in cloud.environment().items() if _is_export(name)},
        )
        try:
            _write(state_dir, instance)
            while True:
                signal.pause()
        finally:
            _file(state_dir).unlink(missing_ok=True)


def _is_export(name: str) -> bool:
    return name.startswith(("AWS_", "CDK_", "BLUEGREEN_"))


def _file(state_dir: Path) -> Path:
    return state_dir / "instance.json"


def _version() -> str:
    from importlib import metadata

    return metadata.version("bluegreen-cdn")


def _read(state_dir: Path) -> Instance | None:
    try:
        data = json.loads(_file(state_dir).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise LocalCloudError(f"{_file(state_dir)} is damaged: remove the folder {state_dir}") from error
    if not isinstance(data, dict) or data.get("format") != INSTANCE_FORMAT:
        raise LocalCloudError(
            f"{_file(state_dir)} was not written by this version: stop that instance, then remove the folder"
        )
    return Instance(**{name: data[name] for name in Instance.__dataclass_fields__})


def _write(state_dir: Path, instance: Instance) -> None:
    temporary = _file(state_dir).with_suffix(".part")
    temporary.write_text(json.dumps(instance.as_json(), indent=2), encoding="utf-8")
    temporary.replace(_file(state_dir))


@contextlib.contextmanager
def _lock(state_dir: Path) -> Iterator[TextIO]:
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / "lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LocalCloudError(f"another local cloud runs in {state_dir}") from error
        yield handle


def _lock_is_held(state_dir: Path) -> bool:
    try:
        with (state_dir / "lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except BlockingIOError:
        return True
    return False


def _is_ours(pid: int) -> bool:
    """Say whether a process group leader is (still) one of our supervisors; its children may outlive it."""
    try:
        listing = subprocess.run(
            ["ps", "-o", "pgid=,command=", "-A"],  # noqa: S607  found on every system that has fcntl
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False
    return any(
        line.split(None, 1)[0] == str(pid) and "bluegreen_cdn.local" in line for line in listing.splitlines() if line
    )


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--time-scale", type=float, default=1.0)
    arguments = parser.parse_args()
    supervise(arguments.state_dir, arguments.time_scale)


if __name__ == "__main__":
    _main()
