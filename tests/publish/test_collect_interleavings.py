"""Retention beside publishers, releases and other runs of itself, one store call at a time: no kept file is ever lost.

Each actor runs in a thread of its own and stops before every call to a store, so that hypothesis decides whose call
comes next. After every call the model holds against all buckets what nobody may ever miss.
"""

import hashlib
import io
import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bluegreen_cdn import defaults
from bluegreen_cdn.domain.encodings import Variant
from bluegreen_cdn.domain.manifest import Manifest, manifest_key
from bluegreen_cdn.domain.retention import InUse, RetentionPolicy
from bluegreen_cdn.errors import BlueGreenError
from bluegreen_cdn.publish import collect, collect_heed, collect_sweeps, compress_store, publisher
from bluegreen_cdn.publish.collect import Collector
from bluegreen_cdn.publish.collect_memory import MemoryUsedBuilds, MemoryVersionedStore
from bluegreen_cdn.publish.compress import Compression
from bluegreen_cdn.publish.publisher import publish
from bluegreen_cdn.publish.source import SourceFile
from bluegreen_cdn.publish.verify import Verifier

HOUR = 3600.0
REGIONS = ("us-east-1", "eu-west-1")
BUILDS = tuple("abcd")
# Each build shares files with its neighbours; every chunk is on its own, so that runs can be cut off between any two.
SHARED = {
    build: (f"assets/page-{build}2{build}2{build}2{build}2.js", f"assets/page-{other}2{other}2{other}2{other}2.js")
    for build, other in zip(BUILDS, BUILDS[1:] + BUILDS[:1], strict=True)
}
SHARED["e"] = SHARED["b"]
"""A new build with the shared files of an old one."""


LONG = " ".join(f"{number * number:x}{number}" for number in range(200))
"""So that brotli 11 and brotli 5 make different bytes of every text."""

POLICY = RetentionPolicy(keep_last=1, skew_days=7)
OFTEN = st.sampled_from("bcebcebcead")


class Cut(BaseException):
    """An actor's process is killed."""


class Source:
    """The files of one build."""

    def __init__(self, build: str) -> None:
        first, second = SHARED[build]
        self.name = build
        self._texts = {
            path: f"{text}{LONG}" for path, text in (("index.html", build), (first, first), (second, second))
        }

    folder = None

    def listing(self) -> tuple[SourceFile, ...]:
        return tuple(
            SourceFile(path=path, size=len(text), sha256=hashlib.sha256(text.encode()).hexdigest())
            for path, text in sorted(self._texts.items())
        )

    def open(self, file: SourceFile) -> io.BytesIO:
        return io.BytesIO(self._texts[file.path].encode())

    def place(self, file: SourceFile) -> int:
        return 0

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *error: object) -> None:
        pass


@pytest.fixture(autouse=True)
def one_call_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """An actor whose calls overlap would not stop before each."""
    monkeypatch.setattr(publisher, "MANIFESTS_READ_AHEAD", 1)


class Actor:
    """A piece of work that stops before each of its calls to a store."""

    def __init__(self, work: Callable[["Actor"], Any], began: float) -> None:
        self.began, self.result, self.error = began, None, None
        self.kill = False
        self._go, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self.done = False
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()
        assert self._stopped.acquire(timeout=20)

    def _run(self, work: Callable[["Actor"], Any]) -> None:
        try:
            self.pause()
            self.result = work(self)
        except (BlueGreenError, Cut) as error:
            self.error = error
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.done = True
            self._stopped.release()

    def pause(self) -> None:
        """Wait for the turn; called in the actor's threads."""
        if self.kill:
            raise Cut
        self._stopped.release()
        assert self._go.acquire(timeout=60)
        if self.kill:
            raise Cut

    def step(self) -> None:
        """Let it make one call."""
        if not self.done:
            self._go.release()
            assert self._stopped.acquire(timeout=20)

    def cut(self) -> None:
        """Kill it where it is."""
        self.kill = True
        while not self.done:
            self.step()


class Gated:
    """A store, or whatever else, as one actor sees it: its every call waits for the actor's turn."""

    def __init__(self, inner: Any, actor: Actor) -> None:
        self._inner, self._actor = inner, actor

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if name in {"name", "now", "check_versioned"} or not callable(value):
            return value

        def call(*arguments: Any, **named: Any) -> Any:
            self._actor.pause()
            result = value(*arguments, **named)
            return list(result) if name in {"list_keys", "versions", "lines"} else result

        return call


class World(RuleBasedStateMachine):
    """Two buckets with replication, a site, and whoever works on them."""

    efforts: tuple[Compression | None, ...] = (None,)
    """How the publishers compress, in turn."""

    def __init__(self) -> None:
        super().__init__()
        self._efforts = itertools.cycle(self.efforts)
        self.time = 100 * 24 * HOUR
        self.stores = {region: MemoryVersionedStore(clock=lambda: self.time, name=region) for region in REGIONS}
        self.primary, self.replica = self.stores.values()
        self.used = MemoryUsedBuilds()
        self.actors: list[tuple[str, str, Actor]] = []
        self.stable = "a"
        self.promised: dict[str, float] = {}

    @initialize(swept=st.sampled_from([False, True, True]), hours=st.sampled_from([0.0, 23.9, 25.0]))
    def history(self, swept: bool, hours: float) -> None:
        """Four builds, a day apart; the first is live. Perhaps the first sweep has condemned two of them."""
        for build in BUILDS:
            publish(
                Source(build), self.primary, build_id=build, registry=self.used,
                workers=1, allow_missing=["**"], compression=next(self._efforts),
            )  # fmt: skip
            self.time += 24 * HOUR
        self.replicate()
        self.time += 30 * 24 * HOUR
        self._go_live("a")
        if swept:
            Collector(self.stores, self.used, POLICY).collect()
            self.time += hours * HOUR
        assert any(key.startswith("shared/") for key in self.primary.objects)

    def _go_live(self, build: str) -> None:
        self.stable = build
        self.used.used = InUse(live=frozenset({build}))

    # -- who works ------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.actors) < 4)
    @rule(build=OFTEN)
    def begin_publish(self, build: str) -> None:
        effort = next(self._efforts)

        def work(actor: Actor) -> Any:
            return publish(
                Source(build), Gated(self.primary, actor), build_id=build, registry=Gated(self.used, actor),
                workers=1, allow_missing=["**"], compression=effort,
            )  # fmt: skip

        self.actors.append(("publish", build, Actor(work, self.time)))

    @precondition(lambda self: sum(kind == "collect" for kind, _, _ in self.actors) < 2)
    @rule()
    def begin_collect(self) -> None:
        def work(actor: Actor) -> Any:
            stores = {region: Gated(store, actor) for region, store in self.stores.items()}
            return Collector(stores, Gated(self.used, actor), POLICY).collect()

        self.actors.append(("collect", "", Actor(work, self.time)))

    @precondition(lambda self: sum(kind == "release" for kind, _, _ in self.actors) < 1)
    @rule(build=OFTEN)
    def begin_release(self, build: str) -> None:
        """The pre-traffic hook; what it lets in goes live when it ends."""

        def work(actor: Actor) -> Any:
            stores = {region: Gated(store, actor) for region, store in self.stores.items()}
            return Verifier(build, stores, workers=1).look()

        self.actors.append(("release", build, Actor(work, self.time)))

    @precondition(lambda self: self.actors)
    @rule(choice=st.integers(0, 100), calls=st.sampled_from([1, 2, 5, 10, 20, 1000, 1000]))
    def step(self, choice: int, calls: int) -> None:
        kind, build, actor = self.actors[choice % len(self.actors)]
        for _ in range(calls):
            if actor.done:
                break
            actor.step()
        if actor.done:
            self._ended(kind, build, actor)

    @precondition(lambda self: self.actors)
    @rule(choice=st.integers(0, 100))
    def kill(self, choice: int) -> None:
        kind, build, actor = self.actors[choice % len(self.actors)]
        actor.cut()
        self._ended(kind, build, actor)

    def _ended(self, kind: str, build: str, actor: Actor) -> None:
        self.actors.remove((kind, build, actor))
        if actor.error is not None and not isinstance(actor.error, (BlueGreenError, Cut)):
            raise actor.error
        if kind == "publish" and actor.error is None and not actor.result.already_published:
            self.promised[build] = self.time
        if kind == "release" and actor.error is None and actor.result.complete:
            self._go_live(build)

    # -- the world goes on ----------------------------------------------------------------------------------------

    @rule()
    def replicate(self) -> None:
        """Replication catches up: whatever the primary has that the replica never had."""
        for history in list(self.primary.history.values()):
            for stored, data in history:
                if (stored.key, stored.version) not in self.replica.deleted:
                    self.replica.replicate(stored, data)

    @rule(hours=st.sampled_from([1.0, 5.0, 25.0, 25.0, 24 * 9.0]))
    def wait(self, hours: float) -> None:
        """Time passes; nothing that runs takes longer than it may."""
        most = min((actor.began + defaults.PUBLISH_MAXIMUM_HOURS * HOUR for _, _, actor in self.actors), default=None)
        end = self.time + hours * HOUR
        self.time = end if most is None else max(self.time, min(end, most))

    # -- what must always hold ------------------------------------------------------------------------------------

    @invariant()
    def what_is_live_is_whole_everywhere(self) -> None:
        for region, store in self.stores.items():
            assert not _missing(store, self.stable, self.primary), f"{region} lacks files of the live build"

    @invariant()
    def every_kept_manifest_is_whole(self) -> None:
        """What has a manifest and is not condemned has all of its files in the primary."""
        condemned = {
            (build.build, build.version) for sweep in collect.waiting_sweeps(self.primary) for build in sweep.builds
        }
        for key, history in self.primary.history.items():
            if not key.startswith("manifests/") or not key.endswith(".json"):
                continue
            build = key[len("manifests/") : -len(".json")]
            if (build, history[-1][0].version) not in condemned:
                missing = _missing(self.primary, build, self.primary)
                assert not missing, f"build {build} is published without {missing}"

    @invariant()
    def what_was_just_published_is_there(self) -> None:
        for build, published in self.promised.items():
            if self.time - published < POLICY.skew_days * 24 * HOUR:
                assert not _missing(self.primary, build, self.primary), f"build {build} was published, and has gone"

    def teardown(self) -> None:
        for _, _, actor in self.actors:
            actor.cut()


def _missing(store: MemoryVersionedStore, build: str, primary: MemoryVersionedStore) -> list[str]:
    found = primary.objects.get(manifest_key(build))
    if found is None:
        return [manifest_key(build)]
    missing = []
    for file in Manifest.from_json_bytes(found[1]).files:
        for key, one in ((file.key, file), *zip(file.variant_keys(), file.encodings, strict=True)):
            if key not in store.objects or store.objects[key][0].sha256 != one.sha256:
                missing.append(key)
    return missing


class PackedWorld(World):
    """The same with precompressed variants, of which every other publisher makes different bytes."""

    efforts = (Compression.BEST, Compression.FAST)


FEW = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.hypothesis
@pytest.mark.parametrize("kind", [World, PackedWorld])
def test_no_kept_file_is_ever_deleted(kind: type[World]) -> None:
    run_state_machine_as_test(kind, settings=FEW)


def _by_key(self: MemoryVersionedStore, versions: Any) -> None:
    for key, _ in versions:
        for stored, _ in list(self.history.get(key, ())):
            self._delete(key, stored.version)


def delete_by_key(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MemoryVersionedStore, "delete_versions", _by_key)


def skip_the_wait(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(collect, "_HOUR_SECONDS", 0)


def forget_shared_files_of_kept_builds(patch: pytest.MonkeyPatch) -> None:
    real = collect.named_keys
    patch.setattr(
        collect,
        "named_keys",
        lambda store, builds, with_manifest=False: (
            item for item in real(store, builds, with_manifest=with_manifest) if not item[0].startswith("shared/")
        ) if len(builds) != 1 else real(store, builds, with_manifest=with_manifest),
    )  # fmt: skip


def let_publishers_reuse_what_is_condemned(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(collect_heed.Condemned, "load", classmethod(lambda cls, store, known=(): cls()))


def let_the_hook_take_what_is_condemned(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(collect_heed.Condemned, "dooms", lambda self, there: False)


def put_other_bytes_again(patch: pytest.MonkeyPatch) -> None:
    """What is condemned is compressed anew, though other manifests name its digest."""

    def put_again(self: Any, file: Any, variant: Variant, there: Any) -> None:
        data = self._store.get(there.key) + b"!"
        other = replace(variant, size=len(data), sha256=hashlib.sha256(data).hexdigest())
        self._store.put_again(self._object(file, other), io.BytesIO(data))

    patch.setattr(compress_store.Variants, "_put_again", put_again)


def leave_condemned_variants(patch: pytest.MonkeyPatch) -> None:
    """Publishers put the files again and not their variants."""
    patch.setattr(compress_store.Variants, "_put_again", lambda *arguments: None)


def look_at_nothing_again(patch: pytest.MonkeyPatch) -> None:
    """The second sweep believes what the first one found."""
    real = collect_sweeps.delete_condemned
    patch.setattr(
        collect,
        "delete_condemned",
        lambda stores, sweep, is_named, out_of_time: real(stores, sweep, lambda key: False, out_of_time=out_of_time),
    )


def moments(world: World) -> None:
    """What must always hold, held against the buckets now."""
    world.what_is_live_is_whole_everywhere()
    world.every_kept_manifest_is_whole()
    world.what_was_just_published_is_there()


def new_world(kind: type[World], *, swept: bool, hours: float) -> World:
    world = kind()
    world.history(swept=swept, hours=hours)
    return world


def last(world: World) -> Actor:
    return world.actors[-1][2]


def run(world: World, actor: Actor, calls: int = 10_000) -> None:
    """Let an actor make some calls, and look after each of them."""
    for _ in range(calls):
        if actor.done:
            break
        actor.step()
        moments(world)
    if actor.done:
        for entry in [entry for entry in world.actors if entry[2] is actor]:
            world._ended(*entry)
        moments(world)


def release(world: World, build: str) -> None:
    world.begin_release(build)
    run(world, last(world))


def within_the_second_sweep(world: World, calls: int) -> None:
    """A build is published again and released while the second sweep is anywhere; replication comes afterwards."""
    world.begin_collect()
    sweep = last(world)
    run(world, sweep, calls)
    world.begin_publish("b")
    run(world, last(world))
    release(world, "b")
    run(world, sweep)
    world.replicate()
    release(world, "b")


def around_the_second_sweep(world: World, calls: int) -> None:
    """A publish that has begun goes on when the second sweep has ended."""
    world.begin_publish("c")
    publisher = last(world)
    run(world, publisher, calls)
    world.begin_collect()
    run(world, last(world))
    run(world, publisher)
    world.replicate()
    release(world, "c")


def around_both_sweeps(world: World, calls: int) -> None:
    """A publish that began before the first sweep ends as late as it may."""
    world.begin_publish("e")
    publisher = last(world)
    run(world, publisher, calls)
    for _ in range(3):
        world.begin_collect()
        run(world, last(world))
        world.wait(2.0)
    run(world, publisher)
    world.replicate()
    release(world, "e")
    world.wait(25.0)
    world.begin_collect()
    run(world, last(world))


def between_the_sweeps(world: World, calls: int) -> None:
    """A condemned build is released by whoever only asks whether it is there."""
    release(world, "b")
    world.wait(25.0)
    world.begin_collect()
    run(world, last(world), calls)
    if world.actors:
        world.kill(0)
    world.begin_collect()
    run(world, last(world))


SCENARIOS = {
    within_the_second_sweep: (True, 25.0, range(75)),
    around_the_second_sweep: (True, 25.0, range(25)),
    around_both_sweeps: (False, 0.0, range(25)),
    between_the_sweeps: (True, 1.0, range(0, 75, 5)),
}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_at_every_single_moment(scenario: Callable[[World, int], None]) -> None:
    swept, hours, calls = SCENARIOS[scenario]
    for number in calls:
        play(scenario, new_world(World, swept=swept, hours=hours), number)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_at_many_a_moment_with_variants(scenario: Callable[[World, int], None]) -> None:
    swept, hours, calls = SCENARIOS[scenario]
    for number in range(0, 2 * calls.stop, 6):
        play(scenario, new_world(PackedWorld, swept=swept, hours=hours), number)


def play(scenario: Callable[[World, int], None], world: World, calls: int) -> None:
    try:
        scenario(world, calls)
    finally:
        world.teardown()


FAULTS = {
    delete_by_key: around_the_second_sweep,
    skip_the_wait: around_both_sweeps,
    forget_shared_files_of_kept_builds: between_the_sweeps,
    let_publishers_reuse_what_is_condemned: within_the_second_sweep,
    let_the_hook_take_what_is_condemned: within_the_second_sweep,
    look_at_nothing_again: around_both_sweeps,
}


@pytest.mark.parametrize(
    "fault", [put_other_bytes_again, leave_condemned_variants, let_publishers_reuse_what_is_condemned]
)
def test_the_model_sees_a_fault_with_variants(
    fault: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fault(monkeypatch)
    with pytest.raises(AssertionError):
        test_at_many_a_moment_with_variants(within_the_second_sweep)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_model_sees_a_fault(fault: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    fault(monkeypatch)
    with pytest.raises(AssertionError):
        test_at_every_single_moment(FAULTS[fault])
