"""The story of a rehearsal, told by `Rehearsal.run`: releases, and visitors who must not notice."""

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator, Callable

from bluegreen_cdn.domain.rollout import Rollout
from bluegreen_cdn.errors import BlueGreenError, InvalidBuild, RehearsalError
from bluegreen_cdn.local.rehearsal import builds as build_folders
from bluegreen_cdn.local.rehearsal.browser_like import Site
from bluegreen_cdn.local.rehearsal.browsers import Browsers, find_chromium
from bluegreen_cdn.local.rehearsal.builds import PreparedBuild
from bluegreen_cdn.local.rehearsal.crowd import Crowd
from bluegreen_cdn.local.rehearsal.example_builds import check_node, example_build
from bluegreen_cdn.local.rehearsal.invariants import judge
from bluegreen_cdn.local.rehearsal.ledger import Ledger
from bluegreen_cdn.local.rehearsal.options import RehearsalOptions
from bluegreen_cdn.local.rehearsal.releases import Outcome, Release
from bluegreen_cdn.local.rehearsal.report import Phase, Record
from bluegreen_cdn.local.rehearsal.sessions import Sessions, check_page_runner
from bluegreen_cdn.local.rehearsal.stage import PROPAGATION_SECONDS, Stage, Stopwatch
from bluegreen_cdn.local.rehearsal.watch import Watch

ARRIVAL_SECONDS = 6.0
BETWEEN_SECONDS = 4.0
AFTERWARDS_SECONDS = 6.0
SETTLE_SECONDS = 20.0
SESSIONS_AT_A_TIME = 6
EXAMPLE_ROUTES = (("/checkout",), ("/cart", "/checkout"), ("/about", "/checkout"))
"""Ways through the example, all of which end where its bad build throws."""


class Rehearsal:
    """One rehearsal. `run` tells it; the attributes show how far it is.

    Args:
        options: What to do.
        changed: Called when a new phase begins.
    """

    def __init__(self, options: RehearsalOptions, changed: Callable[[str], None] = lambda _: None) -> None:
        self.options = options
        self._changed = changed
        self._clock = Stopwatch()
        self._work = (options.output / "work").resolve()
        self.record = Record(
            site=options.site,
            started=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
            ledger=Ledger([]),
            time_scale=options.time_scale,
            rollout=options.rollout,
            seed=options.seed,
        )
        self._pages: tuple[str, ...] = ("/",)
        self._failure = ""
        self.watch: Watch | None = None
        self.crowd: Crowd | None = None
        self.sessions: Sessions | None = None
        self.browsers: Browsers | None = None

    async def run(self) -> Record:
        """Carry out the rehearsal; whatever ends it once it has begun, there is a record of everything seen until then.

        Raises:
            BlueGreenError: A tool is missing or a build is not acceptable; nothing was started.
        """
        prepared = False
        try:
            self._phase("prepare")
            stage, builds = await self._prepare()
            prepared = True
            await self._tell(stage, *builds)
        except asyncio.CancelledError:
            self.record.error = self._failure or "interrupted"
        except BlueGreenError as error:
            if not prepared:
                raise
            self.record.error = str(error)
        finally:
            self._close_record()
        return self.record

    async def _tell(
        self, stage: Stage, stable: PreparedBuild, candidate: PreparedBuild, bad: PreparedBuild | None = None
    ) -> None:
        try:
            self._phase("local cloud and bootstrap")
            await stage.start_cloud()
            stage.synthesise([build for build in (stable, candidate, bad) if build is not None])
            await stage.bootstrap()

            self._phase("first build")
            await self._first_release(stage, stable)
            site = await stage.start_edge()
            async with self._visitors(site, stage):
                self._phase("visitors arrive")
                await asyncio.sleep(ARRIVAL_SECONDS)

                self._phase("second build is let in")
                await self._good_release(stage, candidate)
                if bad is not None:
                    self._phase("between releases")
                    await asyncio.sleep(BETWEEN_SECONDS)
                    self._phase("bad build is let in")
                    await self._bad_release(stage, bad)

                self._phase("afterwards")
                await asyncio.sleep(AFTERWARDS_SECONDS)
                self._phase("open tabs finish")
                await self._finish_visits()
        finally:
            self._phase("stop")
            await stage.clear()

    # -- before anything starts -------------------------------------------------------------------------------------

    async def _prepare(self) -> tuple[Stage, list[PreparedBuild]]:
        """Check the tools and make the builds ready."""
        check_node()
        check_page_runner()
        stage = Stage(self.options, self._work)
        copies, options = self._work / "builds", self.options
        if options.stable is None or options.candidate is None:
            folders = [
                await asyncio.to_thread(example_build, "storefront", name) for name in ("first", "second", "bad")
            ]
        else:
            folders = [options.stable.resolve(), options.candidate.resolve()]
            folders += [folders[1]] if options.bad else []
        prepared = []
        for name, folder in zip(("first build", "second build", "bad build"), folders, strict=False):
            spoil = options.bad and name == "bad build"
            build, note = build_folders.prepare(folder, name, copies / name.partition(" ")[0], bad=spoil)
            prepared.append(build)
            if note:
                self.record.notes.append(f"{note[0].upper()}{note[1:]}.")
        build_folders.check_different(prepared)
        self._pages = build_folders.common_pages(prepared)
        if not self._pages:
            raise InvalidBuild("the builds have no document in common, so visitors have nothing to open in all of them")
        self.record.ledger = Ledger(build.files for build in prepared)
        return stage, prepared

    # -- the releases -------------------------------------------------------------------------------------------------

    async def _first_release(self, stage: Stage, build: PreparedBuild) -> None:
        release = self._release(build, Outcome.FIRST)
        result = await stage.deploy(build)
        if result.code:
            raise RehearsalError(f"the first deployment failed: {result.last_error()}")
        release.ended = self._clock.now()
        release.outcome = Outcome.FIRST

    async def _good_release(self, stage: Stage, build: PreparedBuild) -> None:
        release = self._release(build, Outcome.PROMOTED)
        release.steps = tuple(weight for _, weight in Rollout.parse(self.options.rollout).steps())
        watch = self._watching(release)
        result = await stage.deploy(build)
        promoted = await watch.until(lambda: watch.everywhere(build.build_id), SETTLE_SECONDS)
        release.ended = self._clock.now()
        if result.code == 0 and promoted:
            release.outcome = Outcome.PROMOTED
        else:
            release.outcome = Outcome.ROLLED_BACK if watch.without(build.build_id) else Outcome.UNFINISHED
            release.error = release.error or result.last_error()
            raise RehearsalError(f"the second build was not promoted: {release.error}")

    async def _bad_release(self, stage: Stage, build: PreparedBuild) -> None:
        release = self._release(build, Outcome.ROLLED_BACK)
        release.steps = tuple(weight for _, weight in Rollout.parse(self.options.rollout).steps())[:1]
        watch = self._watching(release)
        result = await stage.deploy(build)
        gone = await watch.until(lambda: watch.without(build.build_id), SETTLE_SECONDS)
        if result.code == 0:
            release.outcome = Outcome.PROMOTED
            release.error = "the deployment succeeded"
        elif gone:
            release.outcome = Outcome.ROLLED_BACK

    def _release(self, build: PreparedBuild, expected: Outcome) -> Release:
        release = Release(name=build.name, build_id=build.build_id, expected=expected, started=self._clock.now())
        self.record.releases.append(release)
        return release

    def _watching(self, release: Release) -> Watch:
        if self.watch is None:
            raise RehearsalError("nobody watches the edge")
        self.watch.release = release
        return self.watch

    # -- the visitors -------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _visitors(self, site: Site, stage: Stage) -> AsyncIterator[None]:
        """Watch the edge and let visitors come, until the block ends."""
        edge, ledger, clock = stage.edge, self.record.ledger, self._clock
        if edge is None:
            raise RehearsalError("the edge simulator does not run")
        self.watch = Watch(
            edge_status=edge.status, cloud_events=stage.cloud.timeline, now=clock.now, from_wall=clock.from_wall
        )
        self.watch.release = self.record.releases[0]
        self.crowd = Crowd(
            site=site,
            ledger=ledger,
            now=clock.now,
            present=self.options.visitors,
            seed=self.options.seed,
            pages=self._pages,
        )
        self.sessions = Sessions(
            site=site,
            ledger=ledger,
            now=clock.now,
            from_wall=clock.from_wall,
            at_a_time=SESSIONS_AT_A_TIME,
            routes=EXAMPLE_ROUTES if self.options.uses_example else (),
            seed=self.options.seed,
        )
        chromium = find_chromium()
        self.browsers = Browsers(
            site=site, ledger=ledger, now=clock.now, chromium=chromium, count=self.options.browsers
        )
        if chromium is None:
            self.record.notes.append("Chromium is not installed, so there were no real browser sessions.")
        tasks = [
            asyncio.create_task(each.run(), name=type(each).__name__)
            for each in (self.watch, self.crowd, self.sessions, self.browsers)
        ]
        owner = asyncio.current_task()
        for task in tasks:
            task.add_done_callback(lambda done: self._give_up(done, owner))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.crowd.finish()

    def _give_up(self, done: asyncio.Task[None], owner: asyncio.Task[object] | None) -> None:
        """A part that fails ends the rehearsal: going on without it would prove nothing."""
        if done.cancelled() or done.exception() is None or owner is None or owner.cancelling():
            return
        error = done.exception()
        leaves = _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
        words = "; ".join(str(leaf) or type(leaf).__name__ for leaf in leaves)
        self._failure = f"the {done.get_name().lower()} could not go on: {words}"
        owner.cancel()

    async def _finish_visits(self) -> None:
        """Nobody comes any more; tabs that are open ask for everything they have not asked for yet."""
        if self.sessions is not None:
            await self.sessions.finish()
        if self.browsers is not None:
            await self.browsers.finish()
        if self.crowd is not None:
            await self.crowd.finish()

    # -- the record --------------------------------------------------------------------------------------------------

    def _phase(self, name: str) -> None:
        now = self._clock.now()
        if self.record.phases:
            self.record.phases[-1].end = now
        self.record.phases.append(Phase(name=name, start=now))
        self._changed(name)

    def _close_record(self) -> None:
        record, now = self.record, self._clock.now()
        if record.phases:
            record.phases[-1].end = now
        record.seconds = now
        if self.crowd is not None:
            record.visitors["HTTP visitors"] = self.crowd.came
            if self.crowd.errors and record.error is None:
                record.error = f"a visitor could not go on: {self.crowd.errors[0]}"
        if self.sessions is not None:
            record.visitors["script sessions"] = self.sessions.finished
        if self.browsers is not None:
            record.visitors["Chromium sessions"] = self.browsers.came
        record.invariants = judge(record.ledger, record.releases, end=now, propagation_seconds=PROPAGATION_SECONDS)

    def now(self) -> float:
        """Seconds since the rehearsal began."""
        return self._clock.now()


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    out: list[BaseException] = []
    for error in group.exceptions:
        out += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return out
