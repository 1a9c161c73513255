"""Lambda@Edge: the real package in a fresh interpreter, one worker for each numbered version."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import sys
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bluegreen_cdn.errors import LocalCloudError
from bluegreen_cdn.local.edge.cloud import LambdaRecord

PACKAGE_MAXIMUM_BYTES = 50 * 1024 * 1024
ORIGIN_TIMEOUT_MAXIMUM_SECONDS = 30.0
ANSWER_MAXIMUM_BYTES = 1024 * 1024


class LambdaFailed(Exception):
    """The function threw, took too long, or its process died; the viewer gets 503."""


class LambdaWorker:
    """One version of one function, in a process that is kept.

    Raises:
        LocalCloudError: when Lambda@Edge would not take the function.
    """

    def __init__(self, record: LambdaRecord, folder: Path) -> None:
        if record.environment:
            names = ", ".join(sorted(record.environment))
            raise LocalCloudError(
                f"function {record.arn!r} has environment variables ({names}); Lambda@Edge takes none"
            )
        if len(record.package) > PACKAGE_MAXIMUM_BYTES:
            raise LocalCloudError(
                f"function {record.arn!r} has {len(record.package)} bytes; Lambda@Edge takes {PACKAGE_MAXIMUM_BYTES}"
            )
        self.record = record
        self.starts = 0
        self._timeout = min(record.timeout_seconds, ORIGIN_TIMEOUT_MAXIMUM_SECONDS)
        self._folder = folder / hashlib.sha256(record.package).hexdigest()[:16]
        self._lock = asyncio.Lock()
        self._retired = False
        self._process: asyncio.subprocess.Process | None = None

    async def invoke(self, event: Mapping[str, Any]) -> Any:
        """The handler's answer.

        Raises:
            LambdaFailed: with the function's own message.
        """
        async with self._lock:
            process = self._process
            if process is None or process.returncode is not None:
                process = self._process = await self._start()
            call = json.dumps({"id": str(uuid.uuid4()), "event": event})
            try:
                line = await asyncio.wait_for(_exchange(process, call), self._timeout)
            except TimeoutError:
                await self._stop()
                raise LambdaFailed(f"no answer within {self._timeout:g} seconds") from None
            except (OSError, ValueError):
                line = b""
            if not line:
                await self._stop()
                raise LambdaFailed("the process ended without an answer; its own words are in the simulator's log")
            if self._retired:
                await self._stop()
        answer = json.loads(line)
        if "error" in answer:
            print(answer.get("trace", ""), file=sys.stderr, flush=True)
            raise LambdaFailed(answer["error"])
        return answer["value"]

    async def close(self) -> None:
        """End the process, and any that a request which is still under way may need."""
        self._retired = True
        async with self._lock:
            await self._stop()

    async def _start(self) -> asyncio.subprocess.Process:
        self.starts += 1
        if not self._folder.exists():
            with zipfile.ZipFile(io.BytesIO(self.record.package)) as package:
                package.extractall(self._folder)
        worker = Path(__file__).with_name("lambda_worker.py")
        arguments = (str(self._folder), self.record.handler, self.record.arn, str(self._timeout))
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-I", "-S", "-B", str(worker)),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={},
            limit=8 * ANSWER_MAXIMUM_BYTES,
        )

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()


async def _exchange(process: asyncio.subprocess.Process, call: str) -> bytes:
    assert process.stdin is not None  # noqa: S101
    assert process.stdout is not None  # noqa: S101
    process.stdin.write(call.encode() + b"\n")
    await process.stdin.drain()
    return await process.stdout.readline()
