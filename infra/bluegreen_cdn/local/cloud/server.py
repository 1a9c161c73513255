"""The local cloud's process: ministack with our extension, on loopback only.

Started by `LocalCloud`. It stops on SIGTERM, and when its standard input ends: so it learns that its parent died.
"""

import argparse
import asyncio
import importlib.metadata
import os
import resource
import shutil
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from bluegreen_cdn.errors import LocalCloudError
from bluegreen_cdn.local.cloud.clock import ScaledClock
from bluegreen_cdn.local.cloud.environment import ACCOUNT, HOST, server_environment
from bluegreen_cdn.local.cloud.seams import check_version

REFUSED = 3
"""Exit status when the installed ministack is not ours; the reason is on standard error."""


def main() -> int:
    """Run the server until it is told to stop."""
    parser = argparse.ArgumentParser(prog="python -m bluegreen_cdn.local.cloud.server")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--time-scale", type=float, default=1.0)
    parser.add_argument("--instance", default="")
    parser.add_argument("--watch-stdin", action="store_true", help="stop when standard input ends")
    options = parser.parse_args()
    try:
        check_version(_installed_version())
        return _serve(options)
    except LocalCloudError as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED


def _installed_version() -> str | None:
    try:
        return importlib.metadata.version("ministack")
    except importlib.metadata.PackageNotFoundError:
        return None


def _serve(options: argparse.Namespace) -> int:
    environment = server_environment(os.environ, options.state_dir, options.port, options.time_scale)
    os.environ.clear()
    os.environ.update(environment)
    for name in ("TMPDIR", "STATE_DIR", "S3_DATA_DIR"):
        Path(environment[name]).mkdir(parents=True, exist_ok=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))

    _check_port(options.port)
    from bluegreen_cdn.local.cloud import extension, ministack_modules
    from bluegreen_cdn.local.cloud.admin import Admin, with_admin
    from bluegreen_cdn.local.cloud.edge_door import EdgeDoor

    ministack = ministack_modules.load()
    ministack.responses.set_request_account_id(ACCOUNT)
    installed = extension.install(ministack, ScaledClock(time_scale=options.time_scale))
    door = EdgeDoor()
    application = with_admin(door.before(ministack.app.app), Admin(installed, options.instance, door))
    try:
        asyncio.run(_until_stopped(application, options))
    finally:
        ministack.lambda_runtime.reset()
        shutil.rmtree(environment["TMPDIR"], ignore_errors=True)
    return 0


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise LocalCloudError(
                f"port {port} on {HOST} cannot be opened ({error.strerror}): choose another, or let one be chosen"
            ) from None


async def _until_stopped(application: Any, options: argparse.Namespace) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    if options.watch_stdin:
        threading.Thread(target=_watch_parent, args=(loop, stopping), daemon=True, name="parent-watch").start()
    config = Config()
    config.bind = [f"{HOST}:{options.port}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    config.loglevel = "WARNING"
    await serve(application, config, shutdown_trigger=stopping.wait)


def _watch_parent(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    while sys.stdin.buffer.read(1):
        pass
    loop.call_soon_threadsafe(stopping.set)
    # A request that never ends must not keep an orphan alive: after a grace period the whole group goes.
    threading.Event().wait(10)
    os.killpg(os.getpgid(0), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
