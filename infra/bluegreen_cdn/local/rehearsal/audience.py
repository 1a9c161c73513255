"""Everybody who looks at a release: HTTP visitors, sessions with scripts, real browsers, and the watch on the edge."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from bluegreen_cdn.errors import RehearsalError
from bluegreen_cdn.local.rehearsal.browser_like import Site
from bluegreen_cdn.local.rehearsal.browsers import Browsers, find_chromium
from bluegreen_cdn.local.rehearsal.crowd import Crowd
from bluegreen_cdn.local.rehearsal.ledger import Ledger
from bluegreen_cdn.local.rehearsal.options import RehearsalOptions
from bluegreen_cdn.local.rehearsal.sessions import Sessions
from bluegreen_cdn.local.rehearsal.stage import Stage, Stopwatch
from bluegreen_cdn.local.rehearsal.watch import Watch

SESSIONS_AT_A_TIME = 6
EXAMPLE_ROUTES = (("/checkout",), ("/cart", "/checkout"), ("/about", "/checkout"))
"""Ways through the example, all of which end where its bad build throws."""


class Audience:
    """The visitors of one rehearsal.

    Args:
        options: How many there are.
        stage: What they look at; the edge simulator runs.
        site: Where it serves the site.
        ledger: Where observations go.
        clock: Of the rehearsal.
        pages: Paths of documents that can be opened at any time.
    """

    def __init__(
        self,
        options: RehearsalOptions,
        stage: Stage,
        site: Site,
        ledger: Ledger,
        clock: Stopwatch,
        pages: tuple[str, ...],
    ) -> None:
        if stage.edge is None:
            raise RehearsalError("the edge simulator does not run")
        now, from_wall = clock.now, clock.from_wall
        self.watch = Watch(
            edge_status=stage.edge.status, cloud_events=stage.cloud.timeline, now=now, from_wall=from_wall
        )
        self.crowd = Crowd(site=site, ledger=ledger, now=now, present=options.visitors, seed=options.seed, pages=pages)
        self.sessions = Sessions(
            site=site,
            ledger=ledger,
            now=now,
            from_wall=from_wall,
            at_a_time=SESSIONS_AT_A_TIME,
            routes=EXAMPLE_ROUTES if options.uses_example else (),
            seed=options.seed,
        )
        self.browsers = Browsers(site=site, ledger=ledger, now=now, chromium=find_chromium(), count=options.browsers)
        self.failure = ""

    @contextlib.asynccontextmanager
    async def present(self) -> AsyncIterator[None]:
        """Let them come until the block ends. A part that fails cancels the block: going on would prove nothing."""
        owner = asyncio.current_task()
        parts = (self.watch, self.crowd, self.sessions, self.browsers)
        tasks = [asyncio.create_task(part.run(), name=type(part).__name__.lower()) for part in parts]

        def give_up(done: asyncio.Task[None]) -> None:
            if done.cancelled() or done.exception() is None or owner is None or owner.cancelling():
                return
            self.failure = (
                f"the {done.get_name()} could not go on: {done.exception() or type(done.exception()).__name__}"
            )
            owner.cancel()

        for task in tasks:
            task.add_done_callback(give_up)
        try:
            yield
        finally:
            for task in tasks:
                task.remove_done_callback(give_up)
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.crowd.finish()

    async def finish(self) -> None:
        """Nobody comes any more; tabs that are open ask for everything they have not asked for yet."""
        await self.sessions.finish()
        await self.browsers.finish()
        await self.crowd.finish()

    def counts(self) -> dict[str, int]:
        """Say how many there were of each kind."""
        return {
            "HTTP visitors": self.crowd.came,
            "script sessions": self.sessions.finished,
            "Chromium sessions": self.browsers.came,
        }

    def notes(self) -> list[str]:
        """Say what a reader of the report should know about them."""
        if not self.browsers.installed:
            return ["Chromium is not installed, so there were no real browser sessions."]
        return [f"A Chromium session ended early: {problem}" for problem in self.browsers.problems[:1]]
