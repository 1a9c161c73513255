"""The visitors of a rehearsal: they come at random, do different things, and some keep their tabs open for long."""

import asyncio
import random
import socket
from collections.abc import Callable, Sequence

from bluegreen_cdn.local.rehearsal.browser_like import BrowserLike, Site, Tab
from bluegreen_cdn.local.rehearsal.ledger import Ledger

MEAN_STAY_SECONDS = 9.0
LONG_STAY_SECONDS = (20.0, 60.0)
FINISH_SECONDS = 20.0

_USER_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
)

# Browsers; programs and old proxies; and what takes the bytes as they are.
_ACCEPT_ENCODINGS = ("gzip, deflate, br, zstd", "gzip, deflate, br", "gzip, deflate", "identity")
_SHARES_OF_ACCEPT_ENCODINGS = (60, 25, 10, 5)


class Crowd:
    """Visitors who keep coming until told to finish.

    Args:
        site: Where the site is.
        ledger: Where observations go.
        now: Seconds since the rehearsal began.
        present: How many there are at a time, on average.
        seed: Makes addresses, arrivals and behaviour repeatable.
        pages: Paths of documents they open.
    """

    def __init__(
        self,
        *,
        site: Site,
        ledger: Ledger,
        now: Callable[[], float],
        present: int,
        seed: int,
        pages: Sequence[str] = ("/",),
    ) -> None:
        self._site, self._ledger, self._now = site, ledger, now
        self._arrivals_per_second = present / MEAN_STAY_SECONDS
        self._random = random.Random(seed)  # noqa: S311  repeatable visitors, no secrets
        self._pages = pages
        self._bind = can_bind_addresses()
        self._leaving = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._addresses: set[str] = set()
        self.came = 0
        self.errors: list[str] = []

    async def run(self) -> None:
        """Let visitors come until `finish` is called."""
        while not self._leaving.is_set():
            self.came += 1
            task = asyncio.create_task(self._visit(self.came, random.Random(self._random.random())))  # noqa: S311
            self._tasks.add(task)
            task.add_done_callback(self._left)
            await self._pause(self._random.expovariate(self._arrivals_per_second))

    async def finish(self) -> None:
        """Nobody comes any more; open tabs ask for what they have left, then everybody leaves."""
        self._leaving.set()
        if self._tasks:
            _, unfinished = await asyncio.wait(self._tasks, timeout=FINISH_SECONDS)
            for task in unfinished:
                task.cancel()

    @property
    def present(self) -> int:
        """How many visitors there are now."""
        return len(self._tasks)

    async def _visit(self, number: int, chance: random.Random) -> None:
        visitor = BrowserLike(
            name=f"visitor {number}",
            address=self._address(chance),
            user_agent=f"{chance.choice(_USER_AGENTS)} r/{number}",
            site=self._site,
            ledger=self._ledger,
            now=self._now,
            bind=self._bind,
            accept_encoding=chance.choices(_ACCEPT_ENCODINGS, _SHARES_OF_ACCEPT_ENCODINGS)[0],
        )
        try:
            kind = chance.random()
            if kind < 0.55:
                await self._look_around(visitor, chance)
            elif kind < 0.85:
                await self._stay(visitor, chance, tabs=1)
            else:
                await self._stay(visitor, chance, tabs=chance.choice((2, 3)))
        finally:
            await visitor.close()

    async def _look_around(self, visitor: BrowserLike, chance: random.Random) -> None:
        """A short visit: a page, some of its lazy files, perhaps another page."""
        tab = await visitor.open(chance.choice(self._pages))
        await self._pause(chance.uniform(0.5, 3))
        await visitor.load_lazily(tab, chance.randint(1, 3))
        if chance.random() < 0.5:
            await self._pause(chance.uniform(0.5, 3))
            tab = await visitor.open(chance.choice(self._pages))
            await self._pause(chance.uniform(0.5, 2))
            await visitor.load_lazily(tab, 2)

    async def _stay(self, visitor: BrowserLike, chance: random.Random, tabs: int) -> None:
        """Keep tabs open across whatever happens meanwhile; at the end ask for everything that is left."""
        opened: list[Tab] = [await visitor.open(chance.choice(self._pages))]
        leave_at = self._now() + chance.uniform(*LONG_STAY_SECONDS)
        while self._now() < leave_at and not self._leaving.is_set():
            await self._pause(chance.uniform(3, 9))
            await visitor.load_lazily(chance.choice(opened), 1)
            if len(opened) < tabs:
                opened.append(await visitor.open(chance.choice(self._pages)))
        for tab in opened:
            await visitor.load_lazily(tab, len(tab.pending))

    async def _pause(self, seconds: float) -> None:
        """Wait, but not when everybody is asked to leave."""
        try:
            await asyncio.wait_for(self._leaving.wait(), timeout=seconds)
        except TimeoutError:
            return

    def _address(self, chance: random.Random) -> str:
        while True:
            address = f"127.{chance.randint(1, 254)}.{chance.randint(0, 255)}.{chance.randint(2, 254)}"
            if address not in self._addresses:
                self._addresses.add(address)
                return address

    def _left(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.errors.append(f"{type(error).__name__}: {error}")


def can_bind_addresses() -> bool:
    """Say whether any 127/8 address can be used as a sender's; on macOS only 127.0.0.1 can."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.83.21.7", 0))
        except OSError:
            return False
        return True
