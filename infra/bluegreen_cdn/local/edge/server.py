"""The simulator's process: `python -m bluegreen_cdn.local.edge.server`.

Viewers speak plain HTTP to `*.localhost`, which browsers treat as secure, so that `Secure` and `__Host-` cookies work;
every request therefore counts as HTTPS, and no redirect from HTTP is simulated.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from bluegreen_cdn.local.edge.access_log import AccessLog
from bluegreen_cdn.local.edge.admin import admin_app
from bluegreen_cdn.local.edge.answers import Answers
from bluegreen_cdn.local.edge.cloud import CloudView
from bluegreen_cdn.local.edge.front import Front
from bluegreen_cdn.local.edge.origins import Origins
from bluegreen_cdn.local.edge.pipeline import Pipeline
from bluegreen_cdn.local.edge.refresh import Refresher
from bluegreen_cdn.local.edge.state import DEFAULT_LOCATIONS, Edge, make_locations

HOST = "127.0.0.1"
CLOUD_THREADS = 16
PARENT_POLL_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Options:
    """How one simulator runs; ports of 0 are chosen free."""

    state_dir: Path
    locations: tuple[str, ...] = DEFAULT_LOCATIONS
    distribution_id: str | None = None
    port: int = 0
    admin_port: int = 0
    propagation_seconds: float = 1.0
    request_headers_visible_in_response: bool = True


class EdgeServer:
    """The simulator within a running event loop; `EdgeSimulator` runs it as a process of its own.

    Attributes:
        port: Where viewers are served, once started.
        admin_port: Where the admin API is, once started.
    """

    def __init__(self, cloud: CloudView, options: Options) -> None:
        self.edge = Edge(
            make_locations(options.locations, options.propagation_seconds),
            request_headers_visible_in_response=options.request_headers_visible_in_response,
        )
        self.port = options.port
        self.admin_port = options.admin_port
        self._executor = ThreadPoolExecutor(CLOUD_THREADS, thread_name_prefix="cloud")
        self._log = AccessLog(options.state_dir / "access.jsonl")
        self.refresher = Refresher(
            cloud, self.edge, self._executor, distribution_id=options.distribution_id, state_dir=options.state_dir
        )
        self.pipeline = Pipeline(self.edge, Answers(Origins(cloud, self.edge, self._executor)))
        self._front = Front(self.edge, self.pipeline, self._log)
        self._runners: list[web.BaseRunner] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Serve, and follow the cloud."""
        viewers = web.ServerRunner(web.Server(self._front, access_log=None), shutdown_timeout=1)
        admin = web.AppRunner(admin_app(self.edge, self._log), access_log=None, shutdown_timeout=1)
        self.port = await self._listen(viewers, self.port)
        self.admin_port = await self._listen(admin, self.admin_port)
        self._tasks = [asyncio.create_task(self.refresher.run()), asyncio.create_task(self._flush())]

    async def _listen(self, runner: web.BaseRunner, port: int) -> int:
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, HOST, port)
        await site.start()
        bound: int = runner.addresses[-1][1]
        return bound

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            self._log.flush()

    async def stop(self) -> None:
        """Stop serving and end the Lambda@Edge processes."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for runner in self._runners:
            await runner.cleanup()
        if self.edge.loaded is not None:
            for worker in self.edge.loaded.lambdas.values():
                await worker.close()
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._log.close()


async def serve(cloud: CloudView, options: Options) -> None:
    """Serve until asked to end, or until the parent is gone; the first line printed says where."""
    server = EdgeServer(cloud, options)
    await server.start()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    print(json.dumps({"port": server.port, "admin_port": server.admin_port}), flush=True)
    parent = os.getppid()
    while not ended.is_set() and os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), PARENT_POLL_SECONDS)
    await server.stop()


def main(arguments: list[str] | None = None) -> int:
    """Run the simulator against the cloud that the environment names (`AWS_ENDPOINT_URL`)."""
    parser = argparse.ArgumentParser(prog="python -m bluegreen_cdn.local.edge.server")
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--distribution-id")
    parser.add_argument("--locations", default=",".join(DEFAULT_LOCATIONS))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--admin-port", type=int, default=0)
    parser.add_argument("--propagation-seconds", type=float, default=1.0)
    parser.add_argument("--request-headers-hidden-in-response", action="store_true")
    given = parser.parse_args(arguments)
    options = Options(
        state_dir=given.state_dir,
        locations=tuple(given.locations.split(",")),
        distribution_id=given.distribution_id,
        port=given.port,
        admin_port=given.admin_port,
        propagation_seconds=given.propagation_seconds,
        request_headers_visible_in_response=not given.request_headers_hidden_in_response,
    )
    from bluegreen_cdn.local.edge.aws_cloud import AwsCloud

    try:
        asyncio.run(serve(AwsCloud(), options))
    except OSError as error:
        print(f"the edge simulator cannot start: {error.strerror or error}", file=sys.stderr, flush=True)
        return 1
    # A call to a cloud that does not answer may hang in a thread for a while yet; nothing is left to wait for.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
