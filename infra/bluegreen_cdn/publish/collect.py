"""Retention: remove builds that nobody can ask for any more, in two sweeps, and never a file too many.

The first sweep writes down what may go: each key with the version that it saw, in every region. Then it waits for
longer than any publish may take. The second looks again at what is in use and at what all manifests name, and deletes
what is still not named: those versions and no other. Whoever publishes meanwhile sees what is condemned and puts it
again, which makes it another version; whoever began before has written a manifest by then.

Every step may be repeated, and both sweeps may run beside each other, beside publishers and beside releases.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bluegreen_cdn.defaults import CONDEMNED_WAIT_HOURS, PUBLISH_MAXIMUM_HOURS, SWEEP_MAXIMUM_OBJECTS
from bluegreen_cdn.domain.manifest import manifest_key
from bluegreen_cdn.domain.retention import KeySet, PublishedBuild, RetentionPlan, RetentionPolicy, plan_retention
from bluegreen_cdn.errors import InvalidInput, ReleaseError
from bluegreen_cdn.publish.collect_condemned import Sweep, waiting_sweeps
from bluegreen_cdn.publish.collect_keys import named_keys, published_builds
from bluegreen_cdn.publish.collect_ports import UsedBuilds, VersionedStore
from bluegreen_cdn.publish.collect_sweeps import (
    Condemnation,
    condemn,
    delete_condemned,
    remove_sweep,
    remove_unfinished,
)

_HOUR_SECONDS = 3600


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What retention finds, and would do.

    Attributes:
        plan: What becomes of every build.
        now: The store's time.
        waiting: The sweeps that have condemned something.
        objects: Files that a first sweep would condemn now, in one region.
        bytes: Their size.
    """

    plan: RetentionPlan
    now: float
    waiting: tuple[Sweep, ...]
    objects: int
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """The outlook for other programs."""
        return {
            "builds": [fate.to_json() for fate in self.plan.fates],
            "missing": list(self.plan.missing),
            "objects": self.objects,
            "bytes": self.bytes,
            "waiting": [
                {"sweep": sweep.id, "began": sweep.began, "builds": [build.build for build in sweep.builds]}
                for sweep in self.waiting
            ],
        }


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What a run of retention did.

    Attributes:
        plan: What becomes of every build.
        condemned: What the first sweep wrote down, or None if there was nothing, or no time.
        deleted: Versions that the second sweeps deleted, in all regions.
        removed: The builds that are gone.
        spared: Builds that had been condemned and are kept after all.
        complete: Whether everything that was ripe was done; otherwise the next run goes on.
    """

    plan: RetentionPlan
    condemned: Condemnation | None
    deleted: int
    removed: tuple[str, ...]
    spared: tuple[str, ...]
    complete: bool

    def to_json(self) -> dict[str, Any]:
        """The result for other programs."""
        return {
            "builds": [fate.to_json() for fate in self.plan.fates],
            "condemned": self.condemned.to_json() if self.condemned else None,
            "deleted_versions": self.deleted,
            "removed": list(self.removed),
            "spared": list(self.spared),
            "complete": self.complete,
        }


class Collector:
    """Retention of one site.

    Args:
        stores: The bucket of every region, the primary one first.
        used: Who knows which builds are in use.
        policy: What is kept besides. Default: `RetentionPolicy()`.
        wait_hours: Between the two sweeps. Default: `CONDEMNED_WAIT_HOURS`.
        most_objects: Files that one first sweep condemns. Default: `SWEEP_MAXIMUM_OBJECTS`.
        out_of_time: Asked between steps; the run ends when it says so, and the next goes on. Default: never.

    Raises:
        InvalidInput: The wait is not longer than a publish may take.
    """

    def __init__(
        self,
        stores: Mapping[str, VersionedStore],
        used: UsedBuilds,
        policy: RetentionPolicy | None = None,
        *,
        wait_hours: float = CONDEMNED_WAIT_HOURS,
        most_objects: int = SWEEP_MAXIMUM_OBJECTS,
        out_of_time: Callable[[], bool] = lambda: False,
    ) -> None:
        if wait_hours <= PUBLISH_MAXIMUM_HOURS:
            raise InvalidInput(
                f"wait_hours is {wait_hours!r}; it must be more than the {PUBLISH_MAXIMUM_HOURS} hours that a publish "
                f"may take"
            )
        self._stores, self._used, self._policy = stores, used, policy or RetentionPolicy()
        self._primary = next(iter(stores.values()))
        self._wait_seconds = wait_hours * _HOUR_SECONDS
        self._most_objects, self._out_of_time = most_objects, out_of_time

    def outlook(self) -> Outlook:
        """What retention finds, and would do; changes nothing."""
        plan = self._plan()
        waiting = tuple(waiting_sweeps(self._primary))
        doomed = self._newly_doomed(plan, waiting)
        named = self._named_without(plan, [*doomed, *_builds_of(waiting)])
        seen, size = KeySet(), 0
        for key, length in named_keys(self._primary, [build.build for build in doomed]):
            if key not in named and key not in seen:
                seen.add(key)
                size += length
        return Outlook(plan=plan, now=self._primary.now(), waiting=waiting, objects=len(seen), bytes=size)

    def collect(self) -> Collected:
        """Carry out what is ripe, then condemn what has become old.

        Raises:
            InvalidInput: A bucket keeps no versions; nothing was done.
            BlueGreenError: It cannot be said for certain what is in use; nothing more was done.
        """
        for store in self._stores.values():
            store.check_versioned()
        deleted, removed, spared, complete = 0, list[str](), list[str](), True
        for sweep in waiting_sweeps(self._primary):
            if self._primary.now() - sweep.began < self._wait_seconds:
                continue
            number, gone, kept, done = self._carry_out(sweep)
            deleted, complete = deleted + number, complete and done
            removed += gone
            spared += kept
        remove_unfinished(self._stores, self._wait_seconds)
        plan = self._plan()
        self._tell_edge(plan)
        condemned = None
        if complete and not self._out_of_time():
            condemned, complete = self._condemn(plan)
        return Collected(
            plan=plan,
            condemned=condemned,
            deleted=deleted,
            removed=tuple(removed),
            spared=tuple(spared),
            complete=complete,
        )

    def _plan(self) -> RetentionPlan:
        builds = published_builds(self._primary)
        return plan_retention(builds, self._used.in_use(), self._policy, now=self._primary.now())

    def _newly_doomed(self, plan: RetentionPlan, waiting: Iterable[Sweep]) -> list[PublishedBuild]:
        known = {(build.build, build.version) for build in _builds_of(waiting)}
        doomed = (fate.build for fate in reversed(plan.fates) if not fate.kept)
        return [build for build in doomed if (build.build, build.version) not in known]

    def _named_without(self, plan: RetentionPlan, gone: Iterable[PublishedBuild]) -> KeySet:
        """Every key that a manifest names, except those of the builds that go."""
        versions = {(build.build, build.version) for build in gone}
        staying = [
            fate.build.build
            for fate in plan.fates
            if fate.kept or (fate.build.build, fate.build.version) not in versions
        ]
        named = KeySet()
        for key, _ in named_keys(self._primary, staying, with_manifest=True):
            named.add(key)
        return named

    def _condemn(self, plan: RetentionPlan) -> tuple[Condemnation | None, bool]:
        """The first sweep; whether it was completed."""
        waiting = waiting_sweeps(self._primary)
        doomed = self._newly_doomed(plan, waiting)
        if not doomed:
            return None, True
        chosen, names = self._choose(doomed)
        named = self._named_without(plan, [*chosen, *_builds_of(waiting)])
        # Before the wait, so that every edge has heard of it long before a file goes.
        self._used.forget([build.build for build in chosen])
        made = condemn(
            self._stores,
            chosen,
            lambda key: key in names and key not in named,
            out_of_time=self._out_of_time,
        )
        return made, made is not None

    def _choose(self, doomed: Iterable[PublishedBuild]) -> tuple[list[PublishedBuild], KeySet]:
        """As many builds as one sweep takes, the oldest first, and the keys that they name."""
        chosen: list[PublishedBuild] = []
        names, number = KeySet(), 0
        for build in doomed:
            if number >= self._most_objects:
                break
            chosen.append(build)
            for key, _ in named_keys(self._primary, [build.build], with_manifest=True):
                names.add(key)
                number += 1
        return chosen, names

    def _carry_out(self, sweep: Sweep) -> tuple[int, list[str], list[str], bool]:
        """The second sweep: deleted versions, builds gone, builds spared, whether it was completed."""
        plan = self._plan()
        going: list[PublishedBuild] = []
        for build in sweep.builds:
            fate = plan.fate(build.build)
            if fate is None:  # a run that was interrupted has removed its manifest
                self._check_unused(build.build)
                going.append(build)
            elif not fate.kept and fate.build.version == build.version:
                going.append(build)
        names = [build.build for build in going]
        spared = [build.build for build in sweep.builds if build not in going]
        named = self._named_without(plan, going)
        self._used.forget(names)
        deleted, complete = delete_condemned(
            self._stores, sweep, lambda key: key in named, out_of_time=self._out_of_time
        )
        for name in (*names, *spared):
            if self._primary.head(manifest_key(name)) is not None:  # spared, or published again meanwhile
                self._used.retain(name)
        if complete:
            remove_sweep(self._stores, sweep.id)
        return deleted, names if complete else [], spared, complete

    def _check_unused(self, build: str) -> None:
        used = self._used.in_use()
        if build in used.live | used.rollback_targets:
            raise ReleaseError(
                f"build {build} is in use, and retention has begun to remove it: its manifest is gone. Nothing more "
                f"is deleted; publish build {build} again"
            )

    def _tell_edge(self, plan: RetentionPlan) -> None:
        """Let the edge serve every kept build: a run that was interrupted may have told it otherwise."""
        for build in plan.kept:
            self._used.retain(build)


def _builds_of(sweeps: Iterable[Sweep]) -> list[PublishedBuild]:
    return [build for sweep in sweeps for build in sweep.builds]
