"""One contract for every bucket: the fake in memory, and S3 by boto3 and in bulk, as two servers understand it."""

import hashlib
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bluegreen_cdn.aws.bulk_store import BulkObjectStore
from bluegreen_cdn.aws.object_store import S3ObjectStore
from bluegreen_cdn.domain.headers import ObjectHeaders
from bluegreen_cdn.errors import CloudError, FileChanged, NotFound, PreconditionFailed
from bluegreen_cdn.local.cloud import LocalCloud
from bluegreen_cdn.publish.memory_store import MemoryStore
from bluegreen_cdn.publish.object_store import NewObject, ObjectStore, PutOutcome
from bluegreen_cdn.publish.publisher import publish, retained_manifests
from bluegreen_cdn.publish.source import open_source

HEADERS = ObjectHeaders(content_type="text/html; charset=utf-8", cache_control="no-cache")


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of S3 on this machine."""
    from bluegreen_cdn.aws.session import client

    with LocalCloud(tmp_path_factory.mktemp("cloud")) as cloud, pytest.MonkeyPatch.context() as patch:
        for name, value in cloud.environment().items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        patch.delenv("AWS_PROFILE", raising=False)
        yield client("s3", "us-east-1")


STORES = {
    "s3": (S3ObjectStore, "s3"),
    "bulk": (BulkObjectStore, "s3"),
    "s3-seaweedfs": (S3ObjectStore, "seaweedfs"),
    "bulk-seaweedfs": (BulkObjectStore, "seaweedfs"),
}


@pytest.fixture(params=["memory", *(pytest.param(name, marks=pytest.mark.cloud) for name in STORES)])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    """An empty bucket; whatever was written in bulk was so without boto3's help."""
    if request.param == "memory":
        yield MemoryStore()
        return
    kind, server = STORES[request.param]
    if server == "seaweedfs":
        for name, value in request.getfixturevalue("seaweedfs").environment().items():
            monkeypatch.setenv(name, value)
        s3 = request.getfixturevalue("seaweedfs").client()
    else:
        s3 = request.getfixturevalue("s3")
    made = new_bucket(s3, request.node.name, kind)
    yield made
    if isinstance(made, BulkObjectStore):
        assert made.unsettled == 0


def new_bucket(s3: Any, name: str, kind: type[S3ObjectStore] = S3ObjectStore) -> S3ObjectStore:
    bucket = f"b-{hashlib.sha256(name.encode()).hexdigest()[:20]}"
    s3.create_bucket(Bucket=bucket)
    return kind(bucket, "us-east-1", s3=s3)


def new(key: str, data: bytes, headers: ObjectHeaders = HEADERS, **metadata: str) -> NewObject:
    sha256 = hashlib.sha256(data).hexdigest()
    return NewObject(key=key, size=len(data), sha256=sha256, headers=headers, metadata={"sha256": sha256, **metadata})


def put(store: ObjectStore, key: str, data: bytes, **metadata: str) -> PutOutcome:
    return store.put_if_absent(new(key, data, **metadata), io.BytesIO(data))


def test_what_is_put_is_there(store: ObjectStore) -> None:
    headers = ObjectHeaders(content_type="text/css; charset=utf-8", cache_control="no-cache", content_encoding="br")
    wanted = new("builds/one/a.css", b"a{}", headers, **{"build-id": "one"})
    assert store.put_if_absent(wanted, io.BytesIO(b"a{}")) is PutOutcome.CREATED
    found = store.head("builds/one/a.css")
    assert found is not None
    assert (found.key, found.size, found.sha256, found.headers) == (wanted.key, 3, wanted.sha256, headers)
    assert dict(found.metadata) == {"sha256": wanted.sha256, "build-id": "one"}
    assert store.get("builds/one/a.css") == b"a{}"


def test_a_key_is_written_once(store: ObjectStore) -> None:
    assert put(store, "shared/a.js", b"first", by="first") is PutOutcome.CREATED
    assert put(store, "shared/a.js", b"second", by="second") is PutOutcome.EXISTS
    assert put(store, "shared/a.js", b"first", by="third") is PutOutcome.EXISTS
    assert store.get("shared/a.js") == b"first"
    found = store.head("shared/a.js")
    assert found is not None
    assert found.metadata["by"] == "first"


def test_an_object_is_downloaded_to_a_stream(store: ObjectStore) -> None:
    put(store, "shared/a.js", b"bytes")
    target = io.BytesIO(b"")
    store.download("shared/a.js", target)
    assert target.getvalue() == b"bytes"
    with pytest.raises(NotFound, match="builds/one/missing"):
        store.download("builds/one/missing", target)


def test_of_many_writers_one_wins(store: ObjectStore) -> None:
    outcomes: dict[int, PutOutcome] = {}

    def write(number: int) -> None:
        outcomes[number] = put(store, "shared/a.js", str(number).encode())

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    (winner,) = [number for number, outcome in outcomes.items() if outcome is PutOutcome.CREATED]
    assert store.get("shared/a.js") == str(winner).encode()


def test_other_bytes_than_announced_are_refused(store: ObjectStore) -> None:
    with pytest.raises(FileChanged, match=r"shared/a\.js"):
        store.put_if_absent(new("shared/a.js", b"announced"), io.BytesIO(b"different"))
    assert store.head("shared/a.js") is None


def test_what_is_not_there(store: ObjectStore) -> None:
    assert store.head("builds/one/missing") is None
    with pytest.raises(NotFound, match="builds/one/missing"):
        store.get("builds/one/missing")
    assert list(store.list_keys("manifests/")) == []


def test_only_the_keys_under_the_prefix_are_listed(store: ObjectStore) -> None:
    for key in ("manifests/b.json", "manifests/a.json", "builds/a/index.html", "manifests-other/x"):
        put(store, key, b"{}")
    assert list(store.list_keys("manifests/")) == ["manifests/a.json", "manifests/b.json"]


def test_unusual_names_and_empty_files(store: ObjectStore) -> None:
    keys = ["builds/one/ümläut and space.txt", "builds/one/a+b.txt", "builds/one/100%.txt", "builds/one/[slug]'&=@.js"]
    for key in keys:
        assert put(store, key, b"") is PutOutcome.CREATED
        found = store.head(key)
        assert found is not None
        assert found.size == 0
    assert list(store.list_keys("builds/one/")) == sorted(keys, key=str.encode)


def test_a_copy_has_the_bytes_and_headers_and_metadata_of_its_own(store: ObjectStore) -> None:
    put(store, "builds/one/ü + a.css", b"a{}", **{"build-id": "one"})
    headers = ObjectHeaders(content_type="text/css; charset=utf-8", cache_control="max-age=1", content_encoding="br")
    wanted = new("builds/two/a.css", b"a{}", headers, **{"build-id": "two"})
    assert store.copy_if_absent("builds/one/ü + a.css", wanted) is PutOutcome.CREATED
    found = store.head("builds/two/a.css")
    assert found is not None
    assert (found.size, found.headers, dict(found.metadata)) == (3, headers, dict(wanted.metadata))
    assert store.get("builds/two/a.css") == b"a{}"
    # And is a source itself, however it came to be.
    assert store.copy_if_absent("builds/two/a.css", new("builds/three/a.css", b"a{}")) is PutOutcome.CREATED


def test_a_copy_overwrites_nothing(store: ObjectStore) -> None:
    put(store, "builds/one/a.css", b"a{}")
    put(store, "builds/two/a.css", b"other")
    assert store.copy_if_absent("builds/one/a.css", new("builds/two/a.css", b"a{}")) is PutOutcome.EXISTS
    assert store.copy_if_absent("builds/none/a.css", new("builds/two/a.css", b"a{}")) is PutOutcome.EXISTS
    assert store.get("builds/two/a.css") == b"other"


def test_what_cannot_be_copied_leaves_nothing(store: ObjectStore) -> None:
    with pytest.raises(NotFound, match="builds/one/missing"):
        store.copy_if_absent("builds/one/missing", new("builds/two/a.css", b"a{}"))
    put(store, "builds/one/a.css", b"b{}")
    with pytest.raises(CloudError, match=r"builds/one/a\.css"):
        store.copy_if_absent("builds/one/a.css", new("builds/two/a.css", b"a{}"))
    assert store.head("builds/two/a.css") is None


def test_a_whole_publish_and_its_repetition(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<p>")
    (tmp_path / "assets" / "index-B3x9aZ0q.js").write_bytes(b"x" * 3_000_000)  # more than goes through memory
    with open_source(tmp_path) as source:
        assert publish(source, store, build_id="one").uploaded_files == 2
        assert publish(source, store, build_id="one").already_published
        assert publish(source, store, build_id="two").reused_files == 1
    assert [manifest.build_id for manifest in retained_manifests(store)] == ["one", "two"]


@pytest.mark.cloud
def test_s3_keeps_a_checksum_that_it_verified(s3: Any) -> None:
    store = new_bucket(s3, "checksum")
    put(store, "a", b"data")
    answer = s3.head_object(Bucket=store.bucket, Key="a", ChecksumMode="ENABLED")
    assert answer["ChecksumSHA256"] == "Om6weQ85rIfJTzhWst0sXREOaBFgImGpqSPTuyOtyLc="


@pytest.mark.cloud
def test_a_listing_of_more_than_one_page(s3: Any) -> None:
    store = new_bucket(s3, "pages")
    keys = [f"manifests/{number:04}.json" for number in range(1005)]
    for key in keys:
        s3.put_object(Bucket=store.bucket, Key=key, Body=b"")
    assert list(store.list_keys("manifests/")) == keys


@pytest.mark.cloud
def test_a_bucket_that_does_not_exist(s3: Any) -> None:
    store = S3ObjectStore("no-such-bucket-of-ours", "us-east-1", s3=s3)
    with pytest.raises(CloudError, match="s3://no-such-bucket-of-ours"):
        list(store.list_keys("manifests/"))
    with pytest.raises(CloudError):
        put(store, "a", b"")


@pytest.mark.cloud
def test_a_large_object_is_downloaded_piece_by_piece(s3: Any) -> None:
    store = new_bucket(s3, "download")
    data = bytes(range(256)) * 10_000
    put(store, "a", data)
    target = io.BytesIO()
    store.download("a", target)
    assert target.getvalue() == data


class Conflicting:
    """A client whose first writes meet another one of the same key that is under way."""

    def __init__(self, conflicts: int, code: str = "ConditionalRequestConflict", status: int = 409) -> None:
        self.left = conflicts
        self._error = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
        self.bodies: list[bytes] = []

    def put_object(self, **arguments: Any) -> None:
        self.bodies.append(arguments["Body"].read())
        assert arguments["IfNoneMatch"] == "*"
        assert arguments["ChecksumSHA256"]
        if self.left:
            self.left -= 1
            raise ClientError(self._error, "PutObject")


def test_a_write_under_way_is_waited_out() -> None:
    client = Conflicting(2)
    assert put(S3ObjectStore("b", s3=client), "a", b"data") is PutOutcome.CREATED
    assert client.bodies == [b"data"] * 3, "the whole body each time"


def test_but_not_for_ever() -> None:
    with pytest.raises(PreconditionFailed, match="ConditionalRequestConflict"):
        put(S3ObjectStore("b", s3=Conflicting(100)), "a", b"data")


def test_bytes_that_s3_finds_wrong_are_the_builds_fault() -> None:
    with pytest.raises(FileChanged, match="BadDigest"):
        put(S3ObjectStore("b", s3=Conflicting(1, "BadDigest", 400)), "a", b"data")
