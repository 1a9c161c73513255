"""Publishing with variants: interrupted at every step, raced, repeated, reused, and refused."""

import gzip
import hashlib
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import brotli
import pytest

from bluegreen_cdn import defaults
from bluegreen_cdn.domain.encodings import ENCODINGS, is_compressible, variant_key
from bluegreen_cdn.domain.headers import ObjectHeaders
from bluegreen_cdn.domain.manifest import Manifest, build_of_manifest_key, manifest_key
from bluegreen_cdn.errors import BlueGreenError, CloudError, CorruptCopy, FileChanged, ForeignState, InvalidBuild
from bluegreen_cdn.publish import compress_store
from bluegreen_cdn.publish.compress import Compression
from bluegreen_cdn.publish.execute import PublishResult, execute
from bluegreen_cdn.publish.memory_store import Faults, MemoryStore
from bluegreen_cdn.publish.object_store import NewObject, PutOutcome
from bluegreen_cdn.publish.publisher import plan_for, publish
from bluegreen_cdn.publish.source import open_source

Writer = Callable[[str, Mapping[str, str | bytes]], Path]
DECODE = {"br": brotli.decompress, "gzip": gzip.decompress}
LONG = "".join(f"export const number{number} = {number * number};\n" for number in range(2000))
"""Long enough that brotli 11 and brotli 5 make different bytes of it."""
SCRIPT = "shared/assets/index-B3x9aZ0q.js"


@pytest.fixture
def storefront(folder: Writer) -> Path:
    files = {"index.html": "<p>one", "logo.png": b"\x89PNG", "assets/index-B3x9aZ0q.js": LONG, "data.json": LONG + " "}
    return folder("dist", files)


@pytest.fixture
def compressed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are compressed, as they are."""
    paths: list[str] = []
    original = compress_store.compress

    def compress(*arguments: object, path: str, **named: object) -> object:
        paths.append(path)
        return original(*arguments, path=path, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(compress_store, "compress", compress)
    return paths


def run(
    path: Path, store: MemoryStore, effort: Compression | None = Compression.FAST, **options: object
) -> PublishResult:
    with open_source(path) as source:
        return publish(source, store, compression=effort, **options)  # type: ignore[arg-type]


def assert_every_manifest_is_whole(store: MemoryStore) -> None:
    """No reader may ever see a manifest without its variants, or with others than it says."""
    for key in [key for key in store.objects if build_of_manifest_key(key)]:
        for file in Manifest.from_json_bytes(store.objects[key][1]).files:
            _, data = store.objects[file.key]
            assert hashlib.sha256(data).hexdigest() == file.sha256
            assert [variant.encoding for variant in file.encodings] == [*ENCODINGS] * is_compressible(file.path)
            for variant in file.encodings:
                stored, packed = store.objects[variant_key(file.key, variant.encoding)]
                assert (variant.size, variant.sha256) == (len(packed), hashlib.sha256(packed).hexdigest())
                assert (stored.sha256, stored.metadata["file-sha256"]) == (variant.sha256, file.sha256)
                assert DECODE[variant.encoding](packed) == data


def test_what_a_publish_leaves_behind(storefront: Path) -> None:
    store = MemoryStore()
    result = run(storefront, store, Compression.BEST, build_id="one")
    assert sorted(key for key in store.objects if key.endswith((".br", ".gz"))) == [
        *("builds/one/data.json.br", "builds/one/data.json.gz", "builds/one/index.html.br"),
        *("builds/one/index.html.gz", f"{SCRIPT}.br", f"{SCRIPT}.gz"),
    ]
    document, _ = store.objects["builds/one/index.html.br"]
    assert document.headers == ObjectHeaders(
        content_type="text/html; charset=utf-8", cache_control="no-cache", content_encoding="br"
    )
    assert document.metadata["build-id"] == "one"
    script, _ = store.objects[f"{SCRIPT}.gz"]
    assert script.headers.cache_control == "public, max-age=31536000, immutable"
    assert script.headers.content_encoding == "gzip"
    assert "build-id" not in script.metadata
    assert_every_manifest_is_whole(store)
    assert store.faults.calls[-1] == "put manifests/one.json"
    assert not [call for call in store.faults.calls if call.startswith("head")], "nothing is asked for on a cold start"
    assert (result.compressed_files, result.compressed_bytes) == (3, len(LONG) * 2 + 1 + 6)
    assert result.text_bytes == result.compressed_bytes
    sizes = {
        ending: sum(len(data) for key, (_, data) in store.objects.items() if key.endswith(ending))
        for ending in (".br", ".gz")
    }
    assert (result.br_bytes, result.gzip_bytes) == (sizes[".br"], sizes[".gz"])
    assert 0 < result.br_bytes < result.gzip_bytes < result.text_bytes


def test_without_it_nothing_of_it_happens(storefront: Path, compressed: list[str]) -> None:
    store = MemoryStore()
    result = run(storefront, store, None, build_id="one")
    assert not [key for key in store.objects if key.endswith((".br", ".gz"))]
    assert (compressed, result.text_bytes) == ([], 0)


def test_a_second_build_compresses_only_what_changed(storefront: Path, compressed: list[str]) -> None:
    store = MemoryStore()
    run(storefront, store, build_id="one")
    (storefront / "index.html").write_text("<p>two")
    store.faults.calls.clear()
    compressed.clear()
    result = run(storefront, store, build_id="two")
    assert compressed == ["index.html"]
    assert (result.compressed_files, result.compressed_bytes) == (1, 6)
    assert not [call for call in store.faults.calls if "shared/" in call], "what all builds share is not even asked for"
    assert store.get("builds/two/data.json.br") == store.get("builds/one/data.json.br")
    assert_every_manifest_is_whole(store)


@pytest.mark.parametrize("minimum", [1, defaults.COPY_MINIMUM_BYTES], ids=["copied on the server", "fetched and sent"])
@pytest.mark.parametrize("wrong", [False, True])
def test_what_an_earlier_build_has_and_cannot_be_had_is_compressed(
    storefront: Path, compressed: list[str], monkeypatch: pytest.MonkeyPatch, minimum: int, wrong: bool
) -> None:
    monkeypatch.setattr(compress_store, "COPY_MINIMUM_BYTES", minimum)
    store = MemoryStore()
    run(storefront, store, build_id="one")
    (storefront / "index.html").write_text("<p>two")
    stored, data = store.objects.pop("builds/one/data.json.gz")
    if wrong:
        store.objects["builds/one/data.json.gz"] = (stored, data[:-1] + b"?")
    compressed.clear()
    before = dict(store.objects)
    run(storefront, store, build_id="two")
    assert sorted(compressed) == ["data.json", "index.html"]
    copies = [call for call in store.faults.calls if call.startswith("copy builds/one/data.json.br")]
    assert len(copies) == (minimum == 1)
    store.objects = {key: value for key, value in store.objects.items() if key not in before}
    assert gzip.decompress(store.get("builds/two/data.json.gz")).decode() == LONG + " "


def test_a_copy_that_went_wrong_is_put_again(storefront: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Corrupting(MemoryStore):
        def copy_if_absent(self, source_key: str, new: NewObject) -> PutOutcome:
            if not source_key.endswith(".br"):
                return super().copy_if_absent(source_key, new)
            self._write(new, b"wrong")
            raise CorruptCopy("wrong", service="memory")

    monkeypatch.setattr(compress_store, "COPY_MINIMUM_BYTES", 1)
    store = Corrupting()
    run(storefront, store, build_id="one")
    (storefront / "index.html").write_text("<p>two")
    run(storefront, store, build_id="two")
    assert_every_manifest_is_whole(store)


def test_a_shared_file_of_a_build_without_variants_gets_them(storefront: Path, compressed: list[str]) -> None:
    store = MemoryStore()
    run(storefront, store, None, build_id="one")
    (storefront / "index.html").write_text("<p>two")
    store.faults.calls.clear()
    result = run(storefront, store, build_id="two")
    assert (result.reused_files, sorted(compressed)) == (1, ["assets/index-B3x9aZ0q.js", "data.json", "index.html"])
    assert f"put {SCRIPT}" not in store.faults.calls
    two = Manifest.from_json_bytes(store.get(manifest_key("two")))
    assert all(file.encodings for file in two.files if is_compressible(file.path))


@pytest.mark.parametrize("after_effect", [False, True], ids=["before its effect", "after its effect"])
@pytest.mark.parametrize("efforts", [(Compression.BEST, Compression.FAST), (Compression.FAST, Compression.FAST)])
def test_interrupted_at_every_step_and_repeated(
    storefront: Path, after_effect: bool, efforts: tuple[Compression, Compression]
) -> None:
    """The second build is, perhaps while it takes variants of the first; its repetition compresses less."""

    def prepared() -> MemoryStore:
        store = MemoryStore()
        (storefront / "index.html").write_text("<p>one")
        run(storefront, store, build_id="one")
        (storefront / "index.html").write_text(LONG)
        store.faults = Faults(watch=lambda: assert_every_manifest_is_whole(store))
        return store

    store = prepared()
    run(storefront, store, efforts[0], build_id="two", workers=1)
    steps, keys = len(store.faults.calls), store.objects.keys()
    for step in range(1, steps + 1):
        store = prepared()
        store.faults.fail_at, store.faults.after_effect = step, after_effect
        try:
            run(storefront, store, efforts[0], build_id="two", workers=1)
        except CloudError:
            pass
        else:
            failed = store.faults.calls[step - 1]
            assert failed.endswith((".br", ".gz")), "only a variant that cannot be had elsewhere is made here instead"
        assert_every_manifest_is_whole(store)
        run(storefront, store, efforts[1], build_id="two", workers=1)
        assert store.objects.keys() == keys
        assert_every_manifest_is_whole(store)


def test_what_an_interrupted_publish_has_compressed_is_not_compressed_again(
    storefront: Path, compressed: list[str]
) -> None:
    store = MemoryStore()
    run(storefront, store, Compression.BEST, build_id="one", workers=1)
    del store.objects["manifests/one.json"]
    del store.objects[f"{SCRIPT}.gz"]
    packed = store.get(f"{SCRIPT}.br")
    compressed.clear()
    result = run(storefront, store, Compression.FAST, build_id="one")
    assert compressed == ["assets/index-B3x9aZ0q.js"]
    assert result.uploaded_files == 0
    assert store.get(f"{SCRIPT}.br") == packed, "what is there stays, whatever this publish would have made"
    assert_every_manifest_is_whole(store)


class Gate(MemoryStore):
    """Holds both publishers at a key until the other has come there, so that they really race."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self._key, self._barrier = key, threading.Barrier(2)

    def put_if_absent(self, new: NewObject, body: object) -> PutOutcome:
        if new.key == self._key:
            self._barrier.wait(timeout=20)
        return super().put_if_absent(new, body)  # type: ignore[arg-type]


@pytest.mark.parametrize("build_ids", [("one", "one"), ("one", "two")])
@pytest.mark.parametrize("at", [SCRIPT, f"{SCRIPT}.br", f"{SCRIPT}.gz"])
def test_two_publishers_that_compress_differently(storefront: Path, at: str, build_ids: tuple[str, str]) -> None:
    store = Gate(at)
    outcomes: list[object] = []

    def one(build_id: str, effort: Compression) -> None:
        try:
            outcomes.append(run(storefront, store, effort, build_id=build_id, workers=4))
        except BlueGreenError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=one, args=each) for each in zip(build_ids, Compression, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert [type(outcome) for outcome in outcomes] == [PublishResult, PublishResult], outcomes
    assert_every_manifest_is_whole(store)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"sha256": "f" * 64},
        {"sha256": "f" * 64, "file-sha256": "e" * 64},
        {"sha256": "f" * 62, "file-sha256": "its own"},
        {"sha256": "F" * 64, "file-sha256": "its own"},
    ],
    ids=["of somebody else", "a file of another build", "a variant of another file", "cut off", "written otherwise"],
)
@pytest.mark.parametrize("key", [f"{SCRIPT}.br", "builds/one/data.json.gz"])
def test_what_is_no_variant_of_this_file_is_never_served_as_one(
    storefront: Path, key: str, metadata: dict[str, str]
) -> None:
    store = MemoryStore()
    headers = ObjectHeaders(content_type="x", cache_control="y", content_encoding={"br": "br", "gz": "gzip"}[key[-2:]])
    if metadata.get("file-sha256") == "its own":
        path = key[:-3].removeprefix("shared/").removeprefix("builds/one/")
        metadata = metadata | {"file-sha256": hashlib.sha256((storefront / path).read_bytes()).hexdigest()}
    store._write(NewObject(key=key, size=1, sha256="f" * 64, headers=headers, metadata=metadata), b"?")
    with pytest.raises(ForeignState, match=rf"object '{key}' of memory://bucket is not the (br|gzip) variant of file"):
        run(storefront, store, build_id="one")
    assert manifest_key("one") not in store.objects


def test_a_file_that_changes_while_it_waits_to_be_compressed(storefront: Path) -> None:
    class Slow(MemoryStore):
        def put_if_absent(self, new: NewObject, body: object) -> PutOutcome:
            outcome = super().put_if_absent(new, body)  # type: ignore[arg-type]
            if new.key == "builds/one/data.json":
                (storefront / "data.json").write_text(LONG + "x")  # as long as before
            return outcome

    store = Slow()
    with pytest.raises(FileChanged, match=r"'data\.json' is no longer what it was"):
        run(storefront, store, build_id="one")
    assert manifest_key("one") not in store.objects


def test_a_file_in_the_place_of_a_variant_writes_nothing(storefront: Path) -> None:
    store = MemoryStore()
    (storefront / "data.json.gz").write_bytes(gzip.compress(b"{}"))
    with pytest.raises(InvalidBuild, match=r"'data\.json\.gz' has the name"):
        run(storefront, store, build_id="one")
    assert store.objects == {}


def test_no_more_are_compressed_at_once_than_there_are_cores(folder: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, most, lock = 0, 0, threading.Lock()
    original = compress_store.compress

    def compress(*arguments: object, **named: object) -> object:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        made = original(*arguments, **named)  # type: ignore[arg-type]
        with lock:
            at_once -= 1
        return made

    monkeypatch.setattr(compress_store, "compress", compress)
    monkeypatch.setattr(compress_store, "processors", lambda: 2)
    path = folder("dist", {"index.html": "x", **{f"{number}.js": LONG + str(number) for number in range(20)}})
    run(path, MemoryStore(), build_id="one", workers=8)
    assert most == 2


def test_an_error_ends_what_is_being_compressed(folder: Writer, compressed: list[str]) -> None:
    """Or a publish that failed would go on for as long as its largest files take."""
    path = folder("dist", {"index.html": "x", **{f"{number}.js": LONG + str(number) for number in range(60)}})
    store = MemoryStore(Faults(fail_at=8))
    with pytest.raises(CloudError, match="told to fail"):
        run(path, store, build_id="one", workers=16)
    assert len(compressed) < 20


class Watcher:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.compressed_paths: list[str] = []

    def planned(self, plan: object) -> None:
        pass

    def stored(self, upload: object, outcome: object) -> None:
        pass

    def compressed(self, variants: compress_store.Precompress) -> None:
        self.compressed_paths.append(variants.file.path)


def test_progress_is_told_of_every_file(storefront: Path) -> None:
    store, watcher = MemoryStore(), Watcher()
    with open_source(storefront) as source:
        plan = plan_for(source, store, build_id="one", precompress=True)
        execute(plan, source, store, progress=watcher, compression=Compression.FAST)
    assert sorted(watcher.compressed_paths) == ["assets/index-B3x9aZ0q.js", "data.json", "index.html"]
