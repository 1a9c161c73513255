"""Starts and stops the edge simulator as a child process."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from bluegreen_cdn.errors import LocalCloudError
from bluegreen_cdn.local.cloud.environment import client_environment

START_TIMEOUT_SECONDS = 30.0
STOP_TIMEOUT_SECONDS = 5.0
POLL_SECONDS = 0.1
DEFAULT_LOCATIONS = ("us-east-1", "eu-west-1", "ap-northeast-1")


class EdgeSimulator:
    """CloudFront on this machine, in front of the cloud at an endpoint.

    It ends with the process that started it. Viewers ask `http://<anything>.localhost:<port>`; the header
    `x-bluegreen-sim-location` chooses an edge location, `x-bluegreen-sim-viewer-ip` the viewer's address.

    Example:
        ```python
        with EdgeSimulator(cloud.endpoint, Path("build/edge")) as edge:
            edge.wait_until_serving()
            urllib.request.urlopen(edge.url)
        ```

    Args:
        endpoint: The cloud's endpoint, such as `http://127.0.0.1:4566`.
        state_dir: Where the access log, the simulator's own log and unpacked functions go.
        distribution_id: Default: the oldest distribution, as soon as there is one.
        locations: Names of the edge locations; each is the region that functions see.
        port: For viewers. Default: a free one.
        propagation_seconds: How long a KeyValueStore change takes to the last location.
        request_headers_visible_in_response: Whether viewer-response functions see the request as the viewer-request
            function left it, or as the viewer sent it (unconfirmed on AWS).

    Raises:
        LocalCloudError: when a location is listed twice or there is none, or the propagation time is below 0.
    """

    def __init__(
        self,
        endpoint: str,
        state_dir: Path,
        *,
        distribution_id: str | None = None,
        locations: Sequence[str] = DEFAULT_LOCATIONS,
        port: int | None = None,
        propagation_seconds: float = 1.0,
        request_headers_visible_in_response: bool = True,
    ) -> None:
        if not locations or len(set(locations)) < len(locations) or any("," in name for name in locations):
            raise LocalCloudError(f"edge locations {list(locations)} are not one or more different names")
        if not propagation_seconds >= 0:
            raise LocalCloudError(f"propagation of {propagation_seconds} seconds is not 0 or more")
        self.endpoint = endpoint
        self.state_dir = state_dir
        self.port = port or 0
        self.admin_port = 0
        self._process: subprocess.Popen[str] | None = None
        self._arguments = [
            *("--state-dir", str(state_dir), "--locations", ",".join(locations)),
            *("--port", str(self.port), "--propagation-seconds", str(propagation_seconds)),
            *(("--distribution-id", distribution_id) if distribution_id else ()),
            *(() if request_headers_visible_in_response else ("--request-headers-hidden-in-response",)),
        ]

    @property
    def url(self) -> str:
        """The site's address for a browser on this machine; `*.localhost` counts as secure there."""
        return f"http://site.localhost:{self.port}"

    @property
    def address(self) -> str:
        """The same by number, for clients that do not resolve `*.localhost`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def admin_url(self) -> str:
        """Where the admin API is."""
        return f"http://127.0.0.1:{self.admin_port}/_bluegreen_sim"

    @property
    def access_log(self) -> Path:
        """The access log: a JSON object a line."""
        return self.state_dir / "access.jsonl"

    @property
    def log(self) -> Path:
        """What the simulator itself had to say."""
        return self.state_dir / "edge.log"

    def start(self) -> None:
        """Start the process and wait until it listens.

        Raises:
            LocalCloudError: when it does not start.
        """
        self.state_dir.mkdir(parents=True, exist_ok=True)
        with self.log.open("w") as log:
            self._process = subprocess.Popen(  # noqa: S603  our own module
                [sys.executable, "-m", "bluegreen_cdn.local.edge.server", *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=client_environment(os.environ, self.endpoint, 1.0),
                start_new_session=True,
            )
        said = self._first_line(self._process)
        self.port, self.admin_port = said["port"], said["admin_port"]

    def _first_line(self, process: subprocess.Popen[str]) -> dict[str, int]:
        assert process.stdout is not None  # noqa: S101
        ready, _, _ = select.select([process.stdout], [], [], START_TIMEOUT_SECONDS)
        line = process.stdout.readline() if ready else ""
        if not line:
            self.stop()
            raise LocalCloudError(f"the edge simulator did not start; see {self.log}:\n{self._last_words()}")
        return dict(json.loads(line))

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:]) if self.log.exists() else ""

    def stop(self) -> None:
        """End the process; harmless when it has ended."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def __enter__(self) -> EdgeSimulator:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def status(self) -> dict[str, Any]:
        """What the admin port says.

        Raises:
            LocalCloudError: when the simulator has ended.
        """
        return self._admin("status")

    def order_fault(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Order a fault: `{"kvs": "unreadable|frozen|none", "location": …}` or `{"origin": …, "fault": …}`."""
        return self._admin("faults", order)

    def mend(self) -> None:
        """End every fault."""
        for origin in self.status()["origin_faults"]:
            self.order_fault({"origin": origin, "fault": "none"})
        self.order_fault({"kvs": "none"})

    def purge(self) -> None:
        """Forget everything that is cached."""
        self._admin("purge", {})

    def flush_log(self) -> None:
        """Bring the access log up to this moment."""
        self._admin("flush", {})

    def wait_until_serving(self, timeout_seconds: float = 30.0) -> dict[str, Any]:
        """Wait until a distribution has been read; returns the status.

        Raises:
            LocalCloudError: when there is none in time, with the simulator's reason.
        """
        until = time.monotonic() + timeout_seconds
        while True:
            status = self.status()
            if status["state"] == "serving":
                return status
            if time.monotonic() > until:
                raise LocalCloudError(
                    f"the edge simulator has nothing to serve after {timeout_seconds:g} s: {status['problem']}"
                )
            time.sleep(POLL_SECONDS)

    def _admin(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        if self._process is None or self._process.poll() is not None:
            raise LocalCloudError(f"the edge simulator is not running; see {self.log}:\n{self._last_words()}")
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.admin_url}/{path}", data=data)  # noqa: S310  loopback
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  loopback
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            with contextlib.closing(error):
                raise LocalCloudError(f"the edge simulator refuses: {error.read().decode(errors='replace')}") from None
        except OSError as error:
            raise LocalCloudError(
                f"the edge simulator does not answer at {self.admin_url}: {error}; see {self.log}"
            ) from None
