"""Publishing to several buckets at once: interrupted at every step, raced, repeated, with one of them down."""

import contextlib
import hashlib
import io
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen_cdn.defaults import COPY_MINIMUM_BYTES, TARGET_METADATA
from bluegreen_cdn.domain.headers import ObjectHeaders
from bluegreen_cdn.domain.manifest import Manifest, build_of_manifest_key
from bluegreen_cdn.domain.retention import KeySet
from bluegreen_cdn.errors import BlueGreenError, BuildConflict, CloudError, SharedFileConflict, TargetFailed
from bluegreen_cdn.publish import fan_out_fill
from bluegreen_cdn.publish.collect_condemned import Condemned, Sweep
from bluegreen_cdn.publish.execute import PublishResult, execute
from bluegreen_cdn.publish.fan_out_plan import open_everywhere, plan_targets
from bluegreen_cdn.publish.memory_store import Faults, MemoryRegistry, MemoryStore
from bluegreen_cdn.publish.object_store import NewObject, PutOutcome
from bluegreen_cdn.publish.publisher import plan_for
from bluegreen_cdn.publish.source import open_source
from bluegreen_cdn.publish.targets import Target
from bluegreen_cdn.publish.verify import Verifier

Writer = Callable[[str, Mapping[str, str | bytes]], Path]
SCRIPT = "shared/assets/index-B3x9aZ0q.js"
NAMES = ("us", "eu", "ap")


@pytest.fixture(autouse=True)
def read_manifests_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out_fill, "FILL_LOOKS", 0)


def buckets(faults: Faults | None = None, names: tuple[str, ...] = NAMES) -> dict[str, MemoryStore]:
    shared = faults or Faults()
    return {name: MemoryStore(shared) for name in names}


def targets(stores: Mapping[str, MemoryStore], **options: bool) -> list[Target]:
    return [Target(name=name, place=f"memory://{name}", store=store, **options) for name, store in stores.items()]


def run(
    path: Path,
    stores: Mapping[str, MemoryStore],
    build_id: str = "one",
    registry: MemoryRegistry | None = None,
    workers: int = 2,
) -> PublishResult:
    made = targets(stores)
    with open_source(path) as source:
        plan = plan_for(source, made[0].store, build_id=build_id)
        return execute(plan, source, open_everywhere(plan, made, workers=workers), registry=registry, workers=workers)


def contents(store: MemoryStore) -> dict[str, tuple[bytes, ObjectHeaders, dict[str, str]]]:
    return {
        key: (data, stored.headers, {name: value for name, value in stored.metadata.items() if name != TARGET_METADATA})
        for key, (stored, data) in store.objects.items()
    }


def assert_whole(stores: Mapping[str, MemoryStore]) -> None:
    """Every manifest anywhere has its files there, and every build of the primary is in all buckets."""
    primary = next(iter(stores.values()))
    for name, store in stores.items():
        for key in [key for key in store.objects if build_of_manifest_key(key)]:
            for file in Manifest.from_json_bytes(store.objects[key][1]).files:
                stored, data = store.objects.get(file.key, (None, b""))
                assert stored is not None, f"{key} names {file.key} too early in {name}"
                assert (stored.sha256, len(data)) == (file.sha256, file.size)
        for key in [key for key in primary.objects if build_of_manifest_key(key)]:
            assert key in store.objects, f"{key} is in the primary before {name}"
            assert store.objects[key][1] == primary.objects[key][1]


def test_every_bucket_has_the_same_and_the_primary_has_it_last(storefront: Path) -> None:
    stores, registry = buckets(), MemoryRegistry()
    run(storefront, stores, registry=registry)
    assert contents(stores["us"]) == contents(stores["eu"]) == contents(stores["ap"])
    assert registry.builds == {"one"}
    calls = stores["us"].faults.calls
    assert calls.count("put manifests/one.json") == 3
    assert calls[-1] == "put manifests/one.json"
    assert calls.count(f"put {SCRIPT}") == 3
    found = Verifier("one", stores).look()
    assert found.complete, found.findings


def test_a_second_build_sends_what_changed_and_asks_for_no_file(storefront: Path) -> None:
    stores = buckets()
    run(storefront, stores)
    (storefront / "index.html").write_text("<p>two")
    stores["us"].faults.calls.clear()
    run(storefront, stores, "two")
    assert_whole(stores)
    asked = [call for call in stores["us"].faults.calls if "shared/" in call]
    assert asked == [], "known from the bucket's own manifests"


def test_a_bucket_that_lacks_shared_files_gets_them_from_the_primary(storefront: Path) -> None:
    stores = buckets(names=("us", "eu"))
    run(storefront, stores)
    stores["ap"] = MemoryStore()
    del stores["eu"].objects["manifests/one.json"]  # and one that lacks a manifest is asked for each file
    (storefront / "index.html").write_text("<p>two")
    made = targets(stores)
    with open_source(storefront) as source:
        plan = plan_for(source, made[0].store, build_id="two")
        calls = len(stores["us"].faults.calls)
        looked = plan_targets(plan, made)
        assert [(one.target, one.upload_files, one.fill_files) for one in looked] == [
            ("us", 4, 0),
            ("eu", 4, 0),
            ("ap", 4, 2),
        ]
        assert looked[2].fill_bytes == sum(reuse.size for reuse in plan.reuses)
        assert not [call for call in stores["us"].faults.calls[calls:] if call.startswith("put")]
        store = open_everywhere(plan, made)
        execute(plan, source, store, workers=2)
    assert Verifier("two", stores).look().complete
    sent = store.to_json()
    assert [(one["target"], one["filled"]) for one in sent] == [("us", 0), ("eu", 0), ("ap", 2)]


def test_a_manifest_that_replication_brought_is_not_believed(storefront: Path) -> None:
    stores = buckets(names=("us", "eu"))
    run(storefront, {"us": stores["us"]})
    stores["eu"].objects["manifests/one.json"] = stores["us"].objects["manifests/one.json"]  # its files are to come
    (storefront / "index.html").write_text("<p>two")
    run(storefront, stores, "two")
    assert Verifier("two", stores).look().complete


def test_not_even_the_manifest_of_the_build_itself(storefront: Path) -> None:
    stores = buckets(names=("us", "eu"))
    run(storefront, {"us": stores["us"]})
    stores["eu"].objects["manifests/one.json"] = stores["us"].objects["manifests/one.json"]
    run(storefront, stores)
    assert Verifier("one", stores).look().complete


def test_a_published_build_is_brought_to_a_new_bucket(storefront: Path) -> None:
    stores = buckets()
    run(storefront, {"us": stores["us"]})
    result = run(storefront, stores)
    assert result.already_published
    assert Verifier("one", stores).look().complete
    stores["us"].faults.calls.clear()
    run(storefront, stores)
    assert not [call for call in stores["us"].faults.calls if call.startswith("put") or "shared/" in call]


@pytest.mark.parametrize("after_effect", [False, True], ids=["before its effect", "after its effect"])
def test_interrupted_at_every_step_and_repeated(storefront: Path, after_effect: bool) -> None:
    # A first build is in two buckets; the second build, which is interrupted, is for three of them.
    (storefront / "film.mp4").write_bytes(b"film" * (COPY_MINIMUM_BYTES // 4))

    def prepared() -> tuple[dict[str, MemoryStore], MemoryRegistry, Faults]:
        stores = buckets()
        (storefront / "index.html").write_text("<p>one")
        run(storefront, {name: stores[name] for name in ("us", "eu")})
        (storefront / "index.html").write_text("<p>two")
        faults = Faults()
        faults.watch = lambda: assert_whole_except_first(stores)
        for store in stores.values():
            store.faults = faults
        return stores, MemoryRegistry(faults), faults

    def assert_whole_except_first(stores: dict[str, MemoryStore]) -> None:
        view = {name: MemoryStore() for name in stores}
        for name, store in stores.items():
            view[name].objects = {key: value for key, value in store.objects.items() if key != "manifests/one.json"}
        assert_whole(view)

    stores, registry, faults = prepared()
    run(storefront, stores, "two", registry, workers=1)
    wanted = {name: contents(store) for name, store in stores.items()}
    steps = len(faults.calls)
    assert steps > 30
    for step in range(1, steps + 1):
        stores, registry, faults = prepared()
        faults.fail_at, faults.after_effect = step, after_effect
        with contextlib.suppress(CloudError, TargetFailed):
            run(storefront, stores, "two", registry, workers=1)
            assert faults.calls[step - 1].startswith("copy"), "only a copy has another way"
        run(storefront, stores, "two", registry, workers=1)
        assert {name: contents(store) for name, store in stores.items()} == wanted
        assert "two" in registry.builds


def test_variants_are_in_every_bucket_and_come_from_the_primary_where_they_are_missing(storefront: Path) -> None:
    stores = buckets(names=("us", "eu"))

    def publish_compressed(build_id: str) -> None:
        made = targets(stores)
        with open_source(storefront) as source:
            plan = plan_for(source, made[0].store, build_id=build_id, precompress=True)
            execute(plan, source, open_everywhere(plan, made), workers=2)

    publish_compressed("one")
    assert {f"{SCRIPT}.br", f"{SCRIPT}.gz", "builds/one/index.html.br"} <= stores["eu"].objects.keys()
    assert contents(stores["us"]) == contents(stores["eu"])
    # A variant that only the primary has, and of other bytes than would be made here, is the one that counts.
    other = b"made by another version"
    stored, _ = stores["us"].objects[f"{SCRIPT}.br"]
    digest = hashlib.sha256(other).hexdigest()
    metadata = {**stored.metadata, "sha256": digest}
    stores["us"].objects = {f"{SCRIPT}.br": (replace(stored, size=len(other), metadata=metadata), other)}
    stores["us"].objects[SCRIPT] = stores["eu"].objects[SCRIPT]
    stores["eu"], stores["ap"] = MemoryStore(), MemoryStore()
    publish_compressed("two")
    for store in stores.values():
        assert store.objects[f"{SCRIPT}.br"][1] == other
    assert Verifier("two", stores).look().complete


class Down(MemoryStore):
    """A bucket that cannot be written to."""

    broken = True

    def put_if_absent(self, new: NewObject, body: object) -> PutOutcome:
        if self.broken:
            raise CloudError("s3 PutObject failed: connection refused", service="s3")
        return super().put_if_absent(new, body)  # type: ignore[arg-type]


@pytest.mark.parametrize("down", NAMES)
def test_one_bucket_down_is_named_and_nothing_is_published(storefront: Path, down: str) -> None:
    stores, broken = buckets(), Down()
    stores[down] = broken
    with pytest.raises(TargetFailed, match=rf"target '{down}' \(memory://{down}\) failed: .*connection refused"):
        run(storefront, stores)
    assert not any(build_of_manifest_key(key) for store in stores.values() for key in store.objects)
    broken.broken = False
    run(storefront, stores)
    assert_whole(stores)
    assert Verifier("one", stores).look().complete


def race(paths: list[Path], stores: list[Mapping[str, MemoryStore]]) -> list[PublishResult | BlueGreenError]:
    outcomes: list[PublishResult | BlueGreenError] = []
    barrier = threading.Barrier(len(paths))

    def one(path: Path, its: Mapping[str, MemoryStore]) -> None:
        barrier.wait(timeout=10)
        try:
            outcomes.append(run(path, its))
        except BlueGreenError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=one, args=each) for each in zip(paths, stores, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return outcomes


@pytest.mark.parametrize("attempt", range(5))
def test_two_publishers_of_one_build_both_succeed(storefront: Path, attempt: int) -> None:
    stores = buckets()
    outcomes = race([storefront, storefront], [stores, stores])
    assert [type(outcome) for outcome in outcomes] == [PublishResult, PublishResult], outcomes
    assert_whole(stores)
    assert Verifier("one", stores).look().complete


@pytest.mark.parametrize("attempt", range(5))
def test_of_two_contents_under_one_id_one_wins_everywhere(folder: Writer, attempt: int) -> None:
    stores = buckets()
    paths = [folder(name, {"index.html": name, f"{name}.txt": name}) for name in ("left", "right")]
    outcomes = race(paths, [stores, stores])
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["BuildConflict", "PublishResult"], outcomes
    assert_whole(stores)
    assert contents(stores["us"]) == contents(stores["eu"]), "the loser wrote nothing anywhere"


def test_the_loser_claims_nothing_where_the_winner_has_not_come_yet(folder: Writer) -> None:
    stores = buckets(names=("us", "eu"))
    paths = [folder(name, {"index.html": name}) for name in ("left", "right")]
    stores["us"].put_if_absent(*claim_of(paths[0]))
    with pytest.raises(BuildConflict, match="build id 'one' is taken"):
        run(paths[1], stores)
    assert stores["eu"].objects == {}
    run(paths[0], stores)


def test_targets_in_another_order_are_told_and_nothing_is_half_published(folder: Writer) -> None:
    stores = buckets(names=("us", "eu"))
    paths = [folder(name, {"index.html": name}) for name in ("left", "right")]
    stores["eu"].put_if_absent(*claim_of(paths[1]))
    with pytest.raises(BuildConflict, match=r"taken in 'manifests/one.claim' of target 'eu'.*same order"):
        run(paths[0], stores)
    assert not [key for key in stores["eu"].objects if key.startswith("builds/")]


def claim_of(path: Path) -> tuple[NewObject, io.BytesIO]:
    scratch = MemoryStore()
    run(path, {"scratch": scratch})
    stored, data = scratch.objects["manifests/one.claim"]
    new = NewObject(
        key=stored.key, size=stored.size, sha256=str(stored.sha256), headers=stored.headers, metadata=stored.metadata
    )
    return new, io.BytesIO(data)


def test_another_sites_shared_file_is_not_overwritten(storefront: Path) -> None:
    stores = buckets(names=("us", "eu"))
    foreign = b"foreign"
    run(storefront, {"us": stores["us"]}, "zero")
    stored, _ = stores["us"].objects[SCRIPT]
    stores["eu"].objects[SCRIPT] = (replace(stored, size=len(foreign), metadata={"sha256": "f" * 64}), foreign)
    with pytest.raises(SharedFileConflict, match=rf"'{SCRIPT}' of target 'eu' \(memory://eu\) has sha256 ffff"):
        run(storefront, stores)
    assert stores["eu"].objects[SCRIPT][1] == foreign
    assert not any(build_of_manifest_key(key) for key in stores["eu"].objects)
    fresh = buckets(names=("us", "eu"))
    fresh["eu"].objects[SCRIPT] = stores["eu"].objects[SCRIPT]
    with pytest.raises(SharedFileConflict, match="target 'eu'"):
        run(storefront, fresh)


def test_what_is_condemned_is_put_again_everywhere(storefront: Path) -> None:
    stores = buckets(names=("us", "eu"))
    run(storefront, stores)
    keys = KeySet()
    keys.add(SCRIPT)
    made = targets(stores)
    stores["us"].faults.calls.clear()
    with open_source(storefront) as source:
        plan = plan_for(source, made[0].store, build_id="two")
        from bluegreen_cdn.publish.collect_heed import heed

        plan = heed(plan, Condemned(((Sweep(id="s", builds=()), keys),)))
        execute(plan, source, open_everywhere(plan, made), workers=1)
    assert stores["us"].faults.calls.count(f"put again {SCRIPT}") == 2
    assert_whole(stores)


def test_a_large_file_is_copied_in_every_bucket_that_can_and_sent_to_all_if_one_cannot(folder: Writer) -> None:
    path = folder("dist", {"index.html": "<p>", "film.mp4": b"film" * (COPY_MINIMUM_BYTES // 4)})
    stores = buckets(names=("us", "eu"))
    run(path, stores)
    assert run(path, stores, "two").copied_files == 1
    assert_whole(stores)
    stores["ap"] = MemoryStore()
    result = run(path, stores, "three")
    assert (result.copied_files, result.uploaded_files) == (0, 2)
    assert Verifier("three", stores).look().complete


class Careless(MemoryStore):
    """A store that ignores conditions, or checksums."""

    overwrites = False
    unverified = False
    damages: str = ""

    def put_if_absent(self, new: NewObject, body: object) -> PutOutcome:
        data = body.read()  # type: ignore[attr-defined]
        if not self.overwrites and new.key in self.objects:
            return PutOutcome.EXISTS
        self._take(new, data)
        return PutOutcome.CREATED

    def put_again(self, new: NewObject, body: object) -> None:
        self._take(new, body.read())  # type: ignore[attr-defined]

    def _take(self, new: NewObject, data: bytes) -> None:
        if not self.unverified:
            super().put_again(new, io.BytesIO(data))
            return
        if self.damages == new.key:
            self.damages, data = "", b"?" * len(data)
        self._write(new, data)


def publish_probed(path: Path, stores: Mapping[str, MemoryStore]) -> None:
    made = targets(stores, probed=True)
    with open_source(path) as source:
        plan = plan_for(source, made[0].store, build_id="one")
        execute(plan, source, open_everywhere(plan, made), workers=1)


def test_a_store_of_another_make_is_asked_what_it_keeps(storefront: Path) -> None:
    stores = buckets(names=("us", "r2"))
    publish_probed(storefront, stores)
    assert_whole(stores)
    assert contents(stores["us"]) == contents(stores["r2"]), "and nothing is changed by it"


def test_one_that_overwrites_is_refused_before_any_file(storefront: Path) -> None:
    careless = Careless()
    careless.overwrites = True
    with pytest.raises(TargetFailed, match=r"target 'r2' .* ignores If-None-Match"):
        publish_probed(storefront, {"us": MemoryStore(), "r2": careless})
    assert list(careless.objects) == ["manifests/one.claim"]


def test_one_that_verifies_no_checksum_is_read_back(storefront: Path) -> None:
    careless = Careless()
    careless.unverified, careless.damages = True, SCRIPT
    stores = {"us": MemoryStore(), "r2": careless}
    publish_probed(storefront, stores)
    assert careless.damages == "", "it was damaged"
    assert careless.objects[SCRIPT][1] == stores["us"].objects[SCRIPT][1], "and put right"
    assert f"get {SCRIPT}" in careless.faults.calls
    # What an interrupted publish left damaged is not trusted by the next one either.
    stored, data = careless.objects[SCRIPT]
    careless.objects[SCRIPT] = (stored, b"?" * len(data))
    del careless.objects["manifests/one.json"]
    with pytest.raises(TargetFailed, match="other bytes than its metadata says"):
        publish_probed(storefront, stores)
    assert "manifests/one.json" not in careless.objects
