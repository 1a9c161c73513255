"""The story of a rehearsal, told by `Rehearsal.run`: releases, and visitors who must not notice."""

import asyncio
import datetime
from collections.abc import Callable

from bluegreen_cdn.domain.rollout import Rollout
from bluegreen_cdn.errors import BlueGreenError, InvalidBuild, RehearsalError
from bluegreen_cdn.local.rehearsal import builds as build_folders
from bluegreen_cdn.local.rehearsal.audience import Audience
from bluegreen_cdn.local.rehearsal.builds import PreparedBuild
from bluegreen_cdn.local.rehearsal.example_builds import check_node, example_build
from bluegreen_cdn.local.rehearsal.invariants import judge
from bluegreen_cdn.local.rehearsal.ledger import Ledger
from bluegreen_cdn.local.rehearsal.options import RehearsalOptions
from bluegreen_cdn.local.rehearsal.releases import Outcome, Release
from bluegreen_cdn.local.rehearsal.report import Phase, Record
from bluegreen_cdn.local.rehearsal.sessions import check_page_runner
from bluegreen_cdn.local.rehearsal.stage import PROPAGATION_SECONDS, Stage, Stopwatch
from bluegreen_cdn.local.rehearsal.watch import Watch

ARRIVAL_SECONDS = 6.0
BETWEEN_SECONDS = 4.0
AFTERWARDS_SECONDS = 6.0
SETTLE_SECONDS = 20.0


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
        self.audience: Audience | None = None

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
            self.record.error = (self.audience.failure if self.audience else "") or "interrupted"
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
            audience = Audience(self.options, stage, site, self.record.ledger, self._clock, self._pages)
            self.audience = audience
            async with audience.present():
                audience.watch.release = self.record.releases[0]
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
                await audience.finish()
                self.record.releases[-1].ended = self._clock.now()
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
            self._explain_silence(release)
        elif gone:
            release.outcome = Outcome.ROLLED_BACK

    def _explain_silence(self, release: Release) -> None:
        """Say why the alarm may have had too little to go on: this machine makes the page loads that it needs."""
        pages = self.record.ledger.pages
        seen = sum(page.build_id == release.build_id and page.via == "page runner" for page in pages)
        self.record.notes.append(
            f"Scripts ran on {seen} pages of the {release.name}. If the machine is busy, a smaller --time-scale "
            "or fewer --visitors give the alarm more to go on."
        )

    def _release(self, build: PreparedBuild, expected: Outcome) -> Release:
        release = Release(name=build.name, build_id=build.build_id, expected=expected, started=self._clock.now())
        self.record.releases.append(release)
        return release

    def _watching(self, release: Release) -> Watch:
        if self.audience is None:
            raise RehearsalError("nobody watches the edge")
        self.audience.watch.release = release
        return self.audience.watch

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
        if self.audience is not None:
            record.visitors = self.audience.counts()
            record.notes += self.audience.notes()
            errors = self.audience.crowd.errors
            if errors and record.error is None:
                record.error = f"a visitor could not go on: {errors[0]}"
        record.invariants = judge(record.ledger, record.releases, end=now, propagation_seconds=PROPAGATION_SECONDS)

    def now(self) -> float:
        """Seconds since the rehearsal began."""
        return self._clock.now()
