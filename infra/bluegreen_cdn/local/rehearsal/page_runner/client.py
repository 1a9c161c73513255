"""Speaks with the page runner: JSON lines to a Node process and back."""

import asyncio
import itertools
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

from bluegreen_cdn.errors import RehearsalError
from bluegreen_cdn.local.rehearsal.example_builds import check_node

PageReport: TypeAlias = dict[str, Any]
"""A report as `runner.mjs` describes it."""

_RUNNER = Path(__file__).with_name("runner.mjs")
_LINE_LIMIT_BYTES = 32 * 1024 * 1024
_ENDING_SECONDS = 5


class PageRunner:
    """A Node process that opens pages, runs their scripts, and reports what they asked for and what went wrong.

    Example:
        async with PageRunner() as runner:
            report = await runner.visit("http://storefront.localhost:8080/", actions=[{"click": "a[href='/cart']"}])
    """

    def __init__(self, *, workers: int = 1, concurrency: int = 16) -> None:
        """Prepares a runner; `async with` starts it.

        Args:
            workers: Processes that run pages. Default: 1, some ten pages a second.
            concurrency: Pages at a time in each of them.
        """
        self._arguments = ["--workers", str(workers), "--concurrency", str(concurrency)]
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[PageReport]] = {}
        self._failure: RehearsalError | None = None

    async def __aenter__(self) -> Self:
        """Starts the process.

        Raises:
            RehearsalError: Node is missing or too old.
        """
        check_node()
        self._process = await asyncio.create_subprocess_exec(
            shutil.which("node") or "node",
            str(_RUNNER),
            *self._arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE_LIMIT_BYTES,
        )
        self._said: list[str] = []
        self._readers = [asyncio.create_task(self._read_reports()), asyncio.create_task(self._read_complaints())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the process and every page in it."""
        if self._process.returncode is None:
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), _ENDING_SECONDS)
        except TimeoutError:
            self._process.kill()
        await asyncio.gather(*self._readers)

    async def visit(
        self,
        url: str,
        *,
        tab: str | None = None,
        viewer_ip: str | None = None,
        location: str | None = None,
        user_agent: str | None = None,
        cookies: Mapping[str, str] | None = None,
        actions: Sequence[Mapping[str, object]] = (),
        read: Sequence[str] = (),
        keep_open: bool = False,
    ) -> PageReport:
        """Opens a page, does the actions, and leaves it unless it shall stay open.

        Args:
            url: The document, on this machine.
            tab: A name for the tab, to go on in it. Default: one of its own.
            viewer_ip: The address the edge simulator takes the visitor to come from.
            location: The edge location that answers. Default: the simulator's choice.
            user_agent: The browser it says it is. Default: the runner's.
            cookies: Cookies by name, as sent back in an earlier report.
            actions: What the visitor does, as `runner.mjs` describes it.
            read: Selectors of elements whose text is wanted in the report's `texts`.
            keep_open: Leave the tab open for `go_on`.

        Raises:
            RehearsalError: The page runner has ended.
        """
        return await self._ask(
            tab or f"visit-{next(self._numbers)}",
            url=url,
            viewerIp=viewer_ip,
            location=location,
            userAgent=user_agent,
            cookies=dict(cookies) if cookies is not None else None,
            actions=list(actions),
            read=list(read),
            keepOpen=keep_open,
        )

    async def go_on(
        self,
        tab: str,
        *,
        cookies: Mapping[str, str] | None = None,
        actions: Sequence[Mapping[str, object]] = (),
        read: Sequence[str] = (),
        keep_open: bool = False,
    ) -> PageReport:
        """Goes on in a tab that was kept open; the report tells only what is new.

        Raises:
            RehearsalError: The page runner has ended.
        """
        return await self._ask(
            tab,
            cookies=dict(cookies) if cookies is not None else None,
            actions=list(actions),
            read=list(read),
            keepOpen=keep_open,
        )

    async def _ask(self, tab: str, **message: object) -> PageReport:
        if self._failure:
            raise self._failure
        if tab in self._waiting:
            raise RehearsalError(f"tab {tab} is still busy; wait for its report before going on in it")
        report: asyncio.Future[PageReport] = asyncio.get_running_loop().create_future()
        self._waiting[tab] = report
        line = json.dumps({"id": tab, **{name: value for name, value in message.items() if value is not None}})
        assert self._process.stdin is not None  # noqa: S101  it was asked for
        try:
            self._process.stdin.write(line.encode() + b"\n")
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            pass  # its end is read from the other pipe, with the reason
        return await report

    async def _read_reports(self) -> None:
        assert self._process.stdout is not None  # noqa: S101
        async for line in self._process.stdout:
            report: PageReport = json.loads(line)
            waiting = self._waiting.pop(str(report["id"]), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(report)
        await self._process.wait()
        await self._readers[1]
        said = "; ".join(self._said[-5:]) or f"exit code {self._process.returncode}"
        self._failure = RehearsalError(f"the page runner ended: {said}")
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(self._failure)
        self._waiting.clear()

    async def _read_complaints(self) -> None:
        assert self._process.stderr is not None  # noqa: S101
        async for line in self._process.stderr:
            self._said = [*self._said[-49:], line.decode(errors="replace").rstrip()]
