"""Publishing: interrupted at every step, raced, repeated, and refused."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.headers import ObjectHeaders
from bluegreen_cdn.domain.manifest import Manifest, build_of_manifest_key
from bluegreen_cdn.errors import (
    BlueGreenError,
    BuildConflict,
    CloudError,
    FileChanged,
    ForeignState,
    SharedFileConflict,
    UnsupportedFormat,
)
from bluegreen_cdn.publish.execute import PublishResult, execute
from bluegreen_cdn.publish.memory_store import Faults, MemoryRegistry, MemoryStore
from bluegreen_cdn.publish.object_store import NewObject, PutOutcome, StoredObject
from bluegreen_cdn.publish.plan import PublishPlan, Upload
from bluegreen_cdn.publish.publisher import find_manifest, plan_for, publish, retained_manifests
from bluegreen_cdn.publish.source import open_source

Writer = Callable[[str, Mapping[str, str | bytes]], Path]


def run(path: Path, store: MemoryStore, **options: object) -> PublishResult:
    with open_source(path) as source:
        return publish(source, store, **options)  # type: ignore[arg-type]


def put(store: MemoryStore, key: str, data: bytes, **metadata: str) -> None:
    stored = StoredObject(
        key=key, size=len(data), headers=ObjectHeaders(content_type="x", cache_control="y"), metadata=metadata
    )
    store.objects[key] = (stored, data)


def assert_every_manifest_is_whole(store: MemoryStore) -> None:
    for key in [key for key in store.objects if build_of_manifest_key(key)]:
        for file in Manifest.from_json_bytes(store.objects[key][1]).files:
            stored, data = store.objects[file.key]
            assert (stored.sha256, len(data)) == (file.sha256, file.size), f"{key} names {file.key} too early"


def test_what_a_publish_leaves_behind(storefront: Path) -> None:
    store, registry = MemoryStore(), MemoryRegistry()
    result = run(storefront, store, build_id="one", registry=registry)
    assert sorted(store.objects) == [
        "builds/one/assets/logo.svg",
        "builds/one/favicon.ico",
        "builds/one/index.html",
        "builds/one/locales/de.json",
        "manifests/one.claim",
        "manifests/one.json",
        "shared/assets/cart-Dk3fP0_x.js",
        "shared/assets/index-B3x9aZ0q.js",
    ]
    assert registry.builds == {"one"}
    assert (result.uploaded_files, result.found_files, result.reused_files) == (6, 0, 0)
    document, _ = store.objects["builds/one/index.html"]
    assert document.headers == ObjectHeaders(content_type="text/html; charset=utf-8", cache_control="no-cache")
    assert document.metadata["build-id"] == "one"
    script, data = store.objects["shared/assets/index-B3x9aZ0q.js"]
    assert script.headers.cache_control == "public, max-age=31536000, immutable"
    assert "build-id" not in script.metadata
    assert data == (storefront / "assets/index-B3x9aZ0q.js").read_bytes()
    assert_every_manifest_is_whole(store)
    assert store.faults.calls[-1] == "put manifests/one.json"
    lists = [call for call in store.faults.calls if call.startswith("list")]
    assert lists == ["list condemned/", "list manifests/", "list condemned/"], "never the objects"


def test_a_second_build_writes_only_what_changed(storefront: Path) -> None:
    store = MemoryStore()
    run(storefront, store, build_id="one")
    (storefront / "index.html").write_text("<p>two")
    store.faults.calls.clear()
    result = run(storefront, store, build_id="two")
    assert (result.uploaded_files, result.reused_files) == (4, 2)
    assert not [call for call in store.faults.calls if "shared/" in call]


def test_a_repeated_publish_writes_nothing_but_tells_the_registry_again(storefront: Path) -> None:
    store, registry = MemoryStore(), MemoryRegistry()
    first = run(storefront, store)
    store.faults.calls.clear()
    again = run(storefront, store, registry=registry)
    assert again.already_published
    assert again.build_id == first.build_id
    assert not [call for call in store.faults.calls if call.startswith("put")]
    assert registry.builds == {first.build_id}


@pytest.mark.parametrize("after_effect", [False, True], ids=["before its effect", "after its effect"])
@pytest.mark.parametrize("workers", [1, 4])
def test_interrupted_at_every_step_and_repeated(storefront: Path, after_effect: bool, workers: int) -> None:
    # The second build is the one that is interrupted: it uploads, and reuses what the first has put there.
    def prepared() -> tuple[MemoryStore, MemoryRegistry]:
        store = MemoryStore()
        (storefront / "index.html").write_text("<p>one")
        run(storefront, store, build_id="one")
        (storefront / "index.html").write_text("<p>two")
        store.faults = Faults(watch=lambda: assert_every_manifest_is_whole(store))
        return store, MemoryRegistry(store.faults)

    store, registry = prepared()
    whole = run(storefront, store, build_id="two", registry=registry, workers=workers)
    steps, wanted = len(store.faults.calls), store.objects
    assert steps >= 1 + 1 + 1 + whole.uploaded_files + 1 + 1  # list, read, claim, files, manifest, registry
    for step in range(1, steps + 1):
        store, registry = prepared()
        store.faults.fail_at, store.faults.after_effect = step, after_effect
        with pytest.raises(CloudError, match="told to"):
            run(storefront, store, build_id="two", registry=registry, workers=workers)
        assert_every_manifest_is_whole(store)
        result = run(storefront, store, build_id="two", registry=registry, workers=workers)
        assert store.objects == wanted
        assert "two" in registry.builds
        assert result.already_published or result.uploaded_files + result.found_files == whole.uploaded_files


def test_interrupted_again_and_again_it_still_completes(storefront: Path) -> None:
    store = MemoryStore()
    faults = Faults(watch=lambda: assert_every_manifest_is_whole(store))
    for attempt in range(1, 50):
        faults.calls.clear()
        faults.fail_at = attempt
        store.faults = faults
        try:
            run(storefront, store, build_id="one", workers=1)
        except CloudError:
            continue
        break
    assert "manifests/one.json" in store.objects
    assert attempt > 5


class Gate(MemoryStore):
    """Holds every publisher at a key until all have come there, so that they really race."""

    def __init__(self, key: str, publishers: int) -> None:
        super().__init__()
        self._key = key
        self._barrier = threading.Barrier(publishers)

    def put_if_absent(self, new: NewObject, body: object) -> PutOutcome:
        if new.key == self._key:
            self._barrier.wait(timeout=10)
        return super().put_if_absent(new, body)  # type: ignore[arg-type]


def race(
    store: MemoryStore,
    paths: list[Path],
    build_ids: list[str],
    rules: Sequence[ClassificationRules | None] = (None, None),
) -> list[PublishResult | BlueGreenError]:
    outcomes: list[PublishResult | BlueGreenError] = []

    def one(path: Path, build_id: str, its_rules: ClassificationRules | None) -> None:
        try:
            outcomes.append(run(path, store, build_id=build_id, rules=its_rules, workers=2))
        except BlueGreenError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=one, args=each) for each in zip(paths, build_ids, rules, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(outcomes) == len(paths)
    return outcomes


@pytest.mark.parametrize("at", ["manifests/one.claim", "builds/one/index.html", "manifests/one.json"])
def test_two_publishers_of_the_same_build_both_succeed(storefront: Path, at: str) -> None:
    store = Gate(at, 2)
    outcomes = race(store, [storefront, storefront], ["one", "one"])
    assert all(isinstance(outcome, PublishResult) for outcome in outcomes), outcomes
    assert sum(outcome.uploaded_files for outcome in outcomes if isinstance(outcome, PublishResult)) == 6
    assert_every_manifest_is_whole(store)


def test_two_publishers_of_different_builds_under_one_id(folder: Writer) -> None:
    # Each has a file that the other lacks and one that differs: without a claim each could stop the other for good.
    paths = [folder(name, {"index.html": name, f"{name}.txt": name, "a.txt": "same"}) for name in ("left", "right")]
    store = Gate("manifests/one.claim", 2)
    outcomes = race(store, paths, ["one", "one"])
    results = [outcome for outcome in outcomes if isinstance(outcome, PublishResult)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, BuildConflict)]
    assert (len(results), len(refused)) == (1, 1), outcomes
    assert "build id 'one' is taken" in str(refused[0])
    assert_every_manifest_is_whole(store)
    texts = [key for key in store.objects if key.endswith(("left.txt", "right.txt"))]
    assert len(texts) == 1, "the loser wrote nothing"


def test_two_publishers_of_one_content_under_different_rules(storefront: Path) -> None:
    """Their claims agree; the manifest, which cannot name both, decides."""
    store = Gate("manifests/one.json", 2)
    presets = [ClassificationRules.preset("vite"), ClassificationRules.preset("next")]
    outcomes = race(store, [storefront, storefront], ["one", "one"], rules=presets)
    assert {type(outcome) for outcome in outcomes} == {PublishResult, BuildConflict}
    (conflict,) = [outcome for outcome in outcomes if isinstance(outcome, BuildConflict)]
    assert "published with other classification rules" in str(conflict)
    assert_every_manifest_is_whole(store)


def test_two_builds_that_disagree_about_a_hashed_file(folder: Writer) -> None:
    name = "assets/index-B3x9aZ0q.js"
    paths = [folder(side, {"index.html": side, name: side}) for side in ("left", "right")]
    store = Gate(f"shared/{name}", 2)
    outcomes = race(store, paths, ["left", "right"])
    assert {type(outcome) for outcome in outcomes} == {PublishResult, SharedFileConflict}
    (conflict,) = [outcome for outcome in outcomes if isinstance(outcome, SharedFileConflict)]
    assert f"unhashed=['{name}']" in str(conflict)
    assert_every_manifest_is_whole(store)
    assert len([key for key in store.objects if build_of_manifest_key(key)]) == 1


def test_an_interrupted_build_id_is_not_given_to_other_content(storefront: Path) -> None:
    store = MemoryStore(Faults(fail_at=4))
    with pytest.raises(CloudError):
        run(storefront, store, build_id="one")
    before = dict(store.objects)
    (storefront / "index.html").write_text("<p>other")
    with pytest.raises(BuildConflict, match="build id 'one' is taken"):
        run(storefront, store, build_id="one")
    assert store.objects == before


def test_a_shared_file_of_an_unfinished_build_with_other_bytes(storefront: Path) -> None:
    store = MemoryStore()
    put(store, "shared/assets/cart-Dk3fP0_x.js", b"other", sha256="f" * 64)
    with pytest.raises(
        SharedFileConflict, match=r"'assets/cart-Dk3fP0_x\.js'.*memory://bucket has it with sha256 ffff"
    ):
        run(storefront, store, build_id="one")
    assert find_manifest(store, "one") is None
    # The mend that it names works under the same id.
    rules = replace(ClassificationRules.default(), unhashed=("assets/cart-Dk3fP0_x.js",))
    assert not run(storefront, store, build_id="one", rules=rules).already_published


def test_a_build_file_with_other_bytes(storefront: Path) -> None:
    store = MemoryStore()
    put(store, "builds/one/index.html", b"other", sha256="f" * 64)
    with pytest.raises(BuildConflict, match=r"'builds/one/index\.html' of memory://bucket has sha256 ffff"):
        run(storefront, store, build_id="one")


def test_an_object_of_somebody_else(storefront: Path) -> None:
    store = MemoryStore()
    put(store, "builds/one/index.html", b"other")
    with pytest.raises(ForeignState, match="without a sha256 in its metadata"):
        run(storefront, store, build_id="one")


def test_manifests_that_cannot_be_read_stop_everything(storefront: Path) -> None:
    store = MemoryStore()
    put(store, "manifests/later.json", b'{"format": 2, "build_id": "later"}')
    with pytest.raises(UnsupportedFormat, match="'later'"):
        run(storefront, store)
    store = MemoryStore()
    put(store, "manifests/notes.txt", b"")
    with pytest.raises(ForeignState, match=r"manifests/notes\.txt"):
        run(storefront, store)
    assert list(store.objects) == ["manifests/notes.txt"]
    store = MemoryStore()
    run(storefront, store, build_id="one")
    store.objects["manifests/two.json"] = store.objects["manifests/one.json"]
    with pytest.raises(ForeignState, match="that of 'one'"):
        list(retained_manifests(store))


def test_a_file_that_changes_meanwhile_publishes_nothing(storefront: Path) -> None:
    store = MemoryStore()
    with open_source(storefront) as source:
        plan = plan_for(source, store, build_id="one")
        (storefront / "favicon.ico").write_bytes(b"\1\0")  # as long as before
        with pytest.raises(FileChanged, match=r"favicon\.ico"):
            execute(plan, source, store)
    assert find_manifest(store, "one") is None


def test_an_error_starts_no_more_uploads(folder: Writer) -> None:
    # Calls that take a moment, as real ones do: whoever fails gets to say so before the other one is far ahead.
    store = MemoryStore(Faults(fail_at=5, watch=lambda: time.sleep(0.01)))
    path = folder("dist", {"index.html": "x", **{f"{number}.txt": "x" for number in range(200)}})
    with pytest.raises(CloudError):
        run(path, store, build_id="one", workers=2)
    assert len(store.faults.calls) < 100


class Watcher:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.plan: PublishPlan | None = None
        self.files: dict[str, PutOutcome] = {}

    def planned(self, plan: PublishPlan) -> None:
        self.plan = plan

    def stored(self, upload: Upload, outcome: PutOutcome) -> None:
        self.files[upload.source.path] = outcome


def test_progress_is_told_of_every_file(storefront: Path) -> None:
    store, watcher = MemoryStore(Faults(fail_at=5)), Watcher()
    with pytest.raises(CloudError):
        run(storefront, store, build_id="one", workers=1)
    run(storefront, store, build_id="one", progress=watcher)
    assert watcher.plan is not None
    assert watcher.files.keys() == {upload.source.path for upload in watcher.plan.uploads}
    assert set(watcher.files.values()) == {PutOutcome.CREATED, PutOutcome.EXISTS}


def test_files_larger_than_memory_is_meant_for_are_streamed(folder: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    from bluegreen_cdn.publish import execute as module

    monkeypatch.setattr(module, "SMALL_FILE_BYTES", 10)
    store = MemoryStore()
    assert run(folder("dist", {"index.html": "x" * 11, "small.txt": "x" * 10}), store).uploaded_files == 2
