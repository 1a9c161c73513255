"""Visitors with a script engine: the site's own scripts run, and the client script's reports become metrics."""

import asyncio
import itertools
import json
import random
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from bluegreen_cdn.errors import RehearsalError
from bluegreen_cdn.local.rehearsal.browser_like import Site
from bluegreen_cdn.local.rehearsal.ledger import Ledger
from bluegreen_cdn.local.rehearsal.observations import Page
from bluegreen_cdn.local.rehearsal.page_runner import client as page_runner

CHECK_TIMEOUT_SECONDS = 30
_ASSETS = {"script", "module", "style", "image", "font", "icon", "fetch", "xhr", "manifest", "preload"}
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"


class Sessions:
    """Sessions of the page runner, so many at a time, until told to finish.

    Args:
        site: Where the site is.
        ledger: Where observations go.
        now: Seconds since the rehearsal began.
        from_wall: Turns seconds since 1970 into seconds since the rehearsal began.
        at_a_time: How many sessions run at once.
        routes: Ways through the site by client-side routes; each session takes one of them.
        seed: Makes addresses and choices repeatable.
    """

    def __init__(
        self,
        *,
        site: Site,
        ledger: Ledger,
        now: Callable[[], float],
        from_wall: Callable[[float], float],
        at_a_time: int,
        routes: Sequence[Sequence[str]],
        seed: int,
    ) -> None:
        self._site, self._ledger, self._now, self._from_wall = site, ledger, now, from_wall
        self._at_a_time, self._routes = at_a_time, routes
        self._random = random.Random(seed + 1)  # noqa: S311  repeatable visitors, no secrets
        self._numbers = itertools.count(1)
        self._leaving = asyncio.Event()
        self._done = asyncio.Event()
        self.finished = 0
        self.problems: list[str] = []

    async def run(self) -> None:
        """Open sessions until `finish` is called.

        Raises:
            RehearsalError: The page runner ended.
        """
        try:
            async with page_runner.PageRunner(concurrency=self._at_a_time) as runner:
                await asyncio.gather(*(self._visit_again_and_again(runner) for _ in range(self._at_a_time)))
        finally:
            self._done.set()

    async def finish(self) -> None:
        """Start no further session and wait for those that run."""
        self._leaving.set()
        await self._done.wait()

    async def _visit_again_and_again(self, runner: page_runner.PageRunner) -> None:
        chance = self._random
        while not self._leaving.is_set():
            number = next(self._numbers)
            report = await runner.visit(
                f"{self._site.url}/",
                tab=f"script visitor {number}",
                viewer_ip=f"127.{chance.randint(1, 254)}.{chance.randint(0, 255)}.{chance.randint(2, 254)}",
                user_agent=f"{USER_AGENT} s/{number}",
                actions=[{"route": route} for route in chance.choice(self._routes)] if self._routes else [],
            )
            self.finished += 1
            record(self._ledger, report, self._site, self._now(), self._from_wall)
            if report.get("failures"):
                self.problems.append(str(report["failures"][0]))


def check_page_runner() -> None:
    """Check that Node can load what the page runner needs, before a rehearsal depends on it.

    Raises:
        RehearsalError: jsdom is missing, or of a version that the page runner does not know.
    """
    finder = Path(page_runner.__file__).with_name("find_jsdom.mjs").as_uri()
    script = f"import {{ requireFromJsdom }} from {json.dumps(finder)}; requireFromJsdom();"
    try:
        done = subprocess.run(  # noqa: S603  our own script
            [shutil.which("node") or "node", "--input-type=module", "--eval", script],
            capture_output=True,
            text=True,
            timeout=CHECK_TIMEOUT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RehearsalError(f"node could not be asked for jsdom: {error}") from error
    if done.returncode:
        reasons = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
        raise RehearsalError(reasons[0].removeprefix("Error: ") if reasons else done.stderr.strip()[-500:])


def record(
    ledger: Ledger, report: Mapping[str, Any], site: Site, now: float, from_wall: Callable[[float], float]
) -> None:
    """Enter a session's report into the ledger: its documents, what they asked for, and the errors of their scripts.

    Args:
        ledger: Where to.
        report: A line of the page runner.
        site: Requests to other origins are not ours to judge.
        now: For entries that carry no time.
        from_wall: Turns seconds since 1970 into seconds since the rehearsal began.
    """

    def at(entry: Mapping[str, Any]) -> float:
        return from_wall(float(entry["at"])) if entry.get("at") else now

    pages: list[Page] = []
    for number, document in enumerate(report.get("documents") or []):
        pages.append(
            ledger.document(
                visitor=str(report["id"]),
                at=at(document),
                url=urlsplit(str(document["url"])).path,
                status=int(document["status"]),
                digest=document.get("sha256"),
                claimed_build=document.get("build"),
                first_visit=number == 0,
                via="page runner",
            )
        )
    for entry in report.get("requests") or []:
        address = urlsplit(str(entry["url"]))
        number = int(entry.get("document", 0))
        if address.hostname != site.host or entry.get("kind") not in _ASSETS or not 0 <= number < len(pages):
            continue
        if entry.get("aborted") or entry.get("fromCache"):
            continue
        ledger.asset(
            pages[number],
            at=at(entry),
            path=unquote(address.path).removeprefix("/"),
            # "Not modified" is the file that this visitor has had already.
            status=200 if entry["status"] == 304 else int(entry["status"]),
            digest=entry.get("sha256") if entry["status"] != 304 else None,
            error=str(entry.get("failure") or ""),
        )
    if pages:
        for error in report.get("errors") or []:
            if error.get("type") != "resource":
                ledger.script_error(pages[-1], now)
