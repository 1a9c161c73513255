"""Starts and stops the local cloud."""

import contextlib
import errno
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from bluegreen_cdn.errors import LocalCloudError
from bluegreen_cdn.local.cloud.environment import HOST, client_environment

START_TIMEOUT_SECONDS = 30.0
STOP_TIMEOUT_SECONDS = 8.0
PORT_CHOICES = 3
"""How often a free port is chosen: until the child listens on it, another process may take it."""
STATE_FILE = "local-cloud.json"
LOG_FILE = "local-cloud.log"


class LocalCloud:
    """AWS on this machine, in a child process that lives no longer than this one.

    Example:
        with LocalCloud(Path("build/local"), time_scale=20) as cloud:
            subprocess.run(["cdk", "deploy", "--all"], env=cloud.environment())

    Args:
        state_dir: Folder for its files; made when it is missing, one instance at a time.
        time_scale: How many times faster than AWS its minutes go. Default: 1.
        port: The port to listen on, on 127.0.0.1. Default: a free one.
        detached: Leave it running when this process ends; `LocalCloud.stop_running` stops it. Default: no.
    """

    def __init__(
        self, state_dir: Path, *, time_scale: float = 1.0, port: int | None = None, detached: bool = False
    ) -> None:
        if not time_scale > 0:
            raise LocalCloudError(f"time scale {time_scale} is not a number above 0")
        self.state_dir = Path(state_dir).absolute()
        self.time_scale = time_scale
        self._port = port
        self._detached = detached
        self._process: subprocess.Popen[bytes] | None = None
        self._instance = secrets.token_hex(8)

    @property
    def endpoint(self) -> str:
        """The URL that every AWS service answers at."""
        if self._port is None:
            raise LocalCloudError("the local cloud is not started: call start() or use it in a with statement")
        return f"http://{HOST}:{self._port}"

    @property
    def log_file(self) -> Path:
        """Where the child process writes what goes wrong."""
        return self.state_dir / LOG_FILE

    def environment(self) -> dict[str, str]:
        """Give this process's environment, changed so that SDKs and the CDK CLI use the local cloud."""
        return client_environment(os.environ, self.endpoint, self.time_scale)

    def start(self) -> Self:
        """Start the child process and wait until it answers.

        Raises:
            LocalCloudError: Another instance uses the folder, the port is taken, ministack is not the version we
                know, or the process did not come up.
        """
        self.state_dir.mkdir(parents=True, exist_ok=True)
        running = running_instance(self.state_dir)
        if running:
            raise LocalCloudError(
                f"a local cloud (process {running['pid']}, {running['endpoint']}) already uses "
                f"{self.state_dir}: stop it first, or choose another folder"
            )
        demanded = self._port
        for left in reversed(range(1 if demanded else PORT_CHOICES)):
            self._port = demanded or _free_port()
            try:
                self._start_process()
            except LocalCloudError:
                if not left or os.strerror(errno.EADDRINUSE) not in self.log_file.read_text(errors="replace"):
                    raise
            else:
                break
        return self

    def _start_process(self) -> None:
        command = [
            sys.executable,
            "-m",
            "bluegreen_cdn.local.cloud.server",
            "--port",
            str(self._port),
            "--state-dir",
            str(self.state_dir),
            "--time-scale",
            f"{self.time_scale:g}",
            "--instance",
            self._instance,
        ]
        if not self._detached:
            command.append("--watch-stdin")
        with self.log_file.open("wb") as log:
            # An own session, so that one signal to its group reaches the Lambda workers too.
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter and module
                command,
                stdin=subprocess.DEVNULL if self._detached else subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait_until_healthy(self._process)
        state = {
            "pid": self._process.pid,
            "endpoint": self.endpoint,
            "instance": self._instance,
            "time_scale": self.time_scale,
        }
        (self.state_dir / STATE_FILE).write_text(json.dumps(state))

    def stop(self) -> None:
        """Stop the child process and everything it started; does nothing when it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        _close(process.stdin)
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT_SECONDS)
        _kill_group(process.pid)
        process.wait()
        (self.state_dir / STATE_FILE).unlink(missing_ok=True)

    def admin(self, path: str, body: Any = None) -> Any:
        """Call the admin API: GET, or POST when there is a body.

        Args:
            path: What follows `/_bluegreen_local/`, such as `timeline?since=12`.
            body: Sent as JSON. Default: none, a GET.
        """
        return _request(f"{self.endpoint}/_bluegreen_local/{path}", body)

    def timeline(self, since: int = 0, kind: str | None = None) -> list[dict[str, Any]]:
        """Give what has happened after the event with this sequence number, oldest first."""
        query = f"timeline?since={since}" + (f"&kind={kind}" if kind else "")
        events: list[dict[str, Any]] = self.admin(query)["events"]
        return events

    def fault(self, kind: str, **where: Any) -> int:
        """Order a fault, and give its id.

        Args:
            kind: `replication-delay`, `replication-drop`, `slow`, `down`, `function-down`, `kvs-error` or
                `kvs-throttle`.
            where: `bucket` or `region`, and `keys` (a pattern) or `seconds` (of the cloud's time) where it has them;
                `function` or `store` (patterns); `share` of the requests to a store.
        """
        return int(self.admin("faults", {"kind": kind, **where})["id"])

    def mend(self, fault: int | None = None) -> None:
        """End a fault. Default: all of them."""
        self.admin("mend", {} if fault is None else {"id": fault})

    def connect_edge(self, url: str) -> None:
        """Let functions reach distributions, by their own names, at an edge simulator.

        Args:
            url: The simulator's address, by number.
        """
        self.admin("edge", {"url": url})

    @staticmethod
    def stop_running(state_dir: Path) -> bool:
        """Stop a detached instance that uses this folder; False when there is none."""
        running = running_instance(state_dir)
        if not running:
            return False
        pid = int(running["pid"])
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        while time.monotonic() < deadline and running_instance(state_dir):
            time.sleep(0.05)
        _kill_group(pid)
        (Path(state_dir) / STATE_FILE).unlink(missing_ok=True)
        return True

    def _wait_until_healthy(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                self._process = None
                raise LocalCloudError(f"the local cloud did not start: {_last_line(self.log_file)}")
            if _health(self.endpoint, self._instance):
                return
            time.sleep(0.03)
        self.stop()
        raise LocalCloudError(f"the local cloud did not answer within {START_TIMEOUT_SECONDS:g} s; see {self.log_file}")

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()


def running_instance(state_dir: Path) -> dict[str, Any] | None:
    """Give what `local-cloud.json` says about the instance that uses a folder, None when none lives.

    A file that a killed instance left behind counts as none: the process is asked for its own token.
    """
    try:
        state: dict[str, Any] = json.loads((Path(state_dir) / STATE_FILE).read_text())
        alive = _health(state["endpoint"], state["instance"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return state if alive else None


def _health(endpoint: str, instance: str) -> bool:
    try:
        answer = _request(f"{endpoint}/_bluegreen_local/health", None)
    except (OSError, ValueError, LocalCloudError):
        return False
    return bool(answer.get("instance") == instance)


def _request(url: str, body: Any) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})  # noqa: S310  our own URL
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        raise LocalCloudError(f"the local cloud refused {url}: {error.read().decode(errors='replace')}") from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        stream.close()


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].removeprefix("error: ") if lines else f"it said nothing; see {log}"
