"""Everybody who looks at a release: HTTP visitors, sessions with scripts, real browsers, and the watch on the edge."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from bluegreen_cdn.local.rehearsal.browsers import Browsers, find_chromium
from bluegreen_cdn.local.rehearsal.crowd import Crowd
from bluegreen_cdn.local.rehearsal.ledger import Ledger
from bluegreen_cdn.local.rehearsal.sessions import Sessions
from bluegreen_cdn.local.rehearsal.stage import Stopwatch
from bluegreen_cdn.local.rehearsal.staged_site import StagedSite
from bluegreen_cdn.local.rehearsal.watch import Watch

SESSIONS_AT_A_TIME = 6
EXAMPLE_ROUTES = (("/checkout",), ("/cart", "/checkout"), ("/about", "/checkout"))
"""Ways through the example, all of which end where its bad build throws."""


@dataclass(frozen=True, kw_only=True)
class Guests:
    """Who comes to look at a release.

    Attributes:
        visitors: HTTP visitors at a time, on average.
        sessions: Sessions with scripts at a time.
        browsers: Real browser sessions at a time, where Chromium is installed.
        routes: Ways through the site by client-side routes, for the sessions.
    """

    visitors: int
    sessions: int = SESSIONS_AT_A_TIME
    browsers: int = 1
    routes: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def nobody(cls) -> "Guests":
        """Nobody comes."""
        return cls(visitors=0, sessions=0, browsers=0)

    def __bool__(self) -> bool:
        """Whether anybody comes."""
        return bool(self.visitors or self.sessions or self.browsers)


class Audience:
    """The visitors of one rehearsal.

    Args:
        guests: How many there are.
        site: What they look at; its edge simulator runs.
        ledger: Where observations go.
        clock: Of the rehearsal.
        pages: Paths of documents that can be opened at any time.
        seed: Makes their choices repeatable.
    """

    def __init__(
        self, guests: Guests, site: StagedSite, ledger: Ledger, clock: Stopwatch, pages: tuple[str, ...], seed: int
    ) -> None:
        now, from_wall, address = clock.now, clock.from_wall, site.address
        self._guests = guests
        self.watch = Watch(
            edge_status=site.edge.status,
            cloud_events=site.stage.cloud.timeline,
            now=now,
            from_wall=from_wall,
            site=site.name,
        )
        self.crowd = Crowd(
            site=address, ledger=ledger, now=now, present=max(1, guests.visitors), seed=seed, pages=pages
        )
        self.sessions = Sessions(
            site=address,
            ledger=ledger,
            now=now,
            from_wall=from_wall,
            at_a_time=guests.sessions,
            routes=guests.routes,
            seed=seed,
        )
        self.browsers = Browsers(site=address, ledger=ledger, now=now, chromium=find_chromium(), count=guests.browsers)
        self.failure = ""

    @contextlib.asynccontextmanager
    async def present(self) -> AsyncIterator[None]:
        """Let them come until the block ends. A part that fails cancels the block: going on would prove nothing."""
        owner = asyncio.current_task()
        tasks = [
            asyncio.create_task(part.run(), name=type(part).__name__.lower()) for part in (self.watch, *self._visiting)
        ]

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
        for part in (self.sessions, self.browsers, self.crowd):
            if part in self._visiting:
                await part.finish()

    @property
    def _visiting(self) -> "list[Crowd | Sessions | Browsers]":
        parts = ((self.crowd, "visitors"), (self.sessions, "sessions"), (self.browsers, "browsers"))
        return [part for part, kind in parts if getattr(self._guests, kind)]

    def counts(self) -> dict[str, int]:
        """Say how many there were of each kind."""
        return {
            "HTTP visitors": self.crowd.came,
            "script sessions": self.sessions.finished,
            "Chromium sessions": self.browsers.came,
        }

    def notes(self) -> list[str]:
        """Say what a reader of the report should know about them."""
        if not self._guests.browsers:
            return []
        if not self.browsers.installed:
            return ["Chromium is not installed, so there were no real browser sessions."]
        return [f"A Chromium session ended early: {problem}" for problem in self.browsers.problems[:1]]
