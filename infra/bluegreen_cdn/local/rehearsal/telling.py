"""The record of a story while it is told: its builds, its chapters, what it looked at, and the judgement at its end."""

import datetime
from collections.abc import Callable, Iterable, Sequence

from bluegreen_cdn.errors import InvalidBuild
from bluegreen_cdn.local.rehearsal import builds as build_folders
from bluegreen_cdn.local.rehearsal.audience import Audience, Guests
from bluegreen_cdn.local.rehearsal.builds import PreparedBuild
from bluegreen_cdn.local.rehearsal.invariants import Invariant, judge
from bluegreen_cdn.local.rehearsal.ledger import Ledger
from bluegreen_cdn.local.rehearsal.options import RehearsalOptions
from bluegreen_cdn.local.rehearsal.releases import Outcome, Release
from bluegreen_cdn.local.rehearsal.report import Phase, Record
from bluegreen_cdn.local.rehearsal.stage import Stopwatch
from bluegreen_cdn.local.rehearsal.staged_site import PROPAGATION_SECONDS


class Telling:
    """One story being told.

    Args:
        options: What to do.
        guests: Who comes.
        title: What progress and report call the story. Default: nothing.
        changed: Called when a new phase begins.

    Attributes:
        clock: Seconds since the story began.
        record: What was seen so far.
        audience: The visitors, once they have begun to come.
        stable: The build that the site serves when the story begins.
    """

    def __init__(
        self,
        options: RehearsalOptions,
        guests: Guests,
        *,
        title: str = "",
        changed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.options, self.guests, self.title = options, guests, title
        self._changed = changed
        self.clock = Stopwatch()
        self.record = Record(
            site=options.site,
            started=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
            ledger=Ledger([]),
            time_scale=options.time_scale,
            rollout=options.rollout,
            seed=options.seed,
        )
        self.audience: Audience | None = None
        self.stable: PreparedBuild | None = None
        self.pages: tuple[str, ...] = ("/",)

    def cast(self, builds: Sequence[PreparedBuild], others: Iterable[PreparedBuild] = ()) -> None:
        """Say which builds appear.

        Args:
            builds: Those that visitors may see; they open the documents that all of these have.
            others: Further ones whose bytes are known, so that a wrong file can be told. Default: none.

        Raises:
            InvalidBuild: They are the same, or have no document in common.
        """
        build_folders.check_different(builds)
        self.pages = build_folders.common_pages(builds)
        if not self.pages:
            raise InvalidBuild("the builds have no document in common, so visitors have nothing to open in all of them")
        known = {build.build_id: build.files for build in (*others, *builds)}
        self.record.ledger = Ledger(known.values())

    def find(self, stable: PreparedBuild) -> None:
        """Say which build the site serves already."""
        self.stable = stable
        self.record.releases.append(
            Release(
                name="build from before",
                build_id=stable.build_id,
                expected=Outcome.FIRST,
                ended=0,
                outcome=Outcome.FIRST,
            )
        )

    def begin_anew(self) -> None:
        """Let the story's time begin now: what was done until here only made the site ready."""
        self.clock = Stopwatch()
        self.record.phases.clear()

    def phase(self, name: str) -> None:
        """Begin a new chapter."""
        now = self.clock.now()
        if self.record.phases:
            self.record.phases[-1].end = now
        self.record.phases.append(Phase(name=name, start=now))
        self._changed(name)

    def check(self, name: str, held: bool, message: str) -> bool:
        """Note a statement of this story's own, and whether it held."""
        self.record.checks.append(Invariant(name=name, held=held, message=message))
        return held

    def figure(self, name: str, value: float) -> None:
        """Note a number worth a place in the table; seconds, if the name says nothing else."""
        self.record.figures[name] = value

    def close(self) -> None:
        """Finish the record."""
        record, now = self.record, self.clock.now()
        if record.phases:
            record.phases[-1].end = now
        record.seconds = now
        if self.audience is not None:
            record.visitors = self.audience.counts()
            record.notes += self.audience.notes()
            errors = self.audience.crowd.errors
            if errors and record.error is None:
                record.error = f"a visitor could not go on: {errors[0]}"
        told = judge(
            record.ledger,
            record.releases,
            end=now,
            propagation_seconds=PROPAGATION_SECONDS,
            visited=bool(self.guests),
        )
        record.invariants = told + record.checks

    def now(self) -> float:
        """Seconds since the story began."""
        return self.clock.now()
