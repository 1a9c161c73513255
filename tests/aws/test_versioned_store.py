"""One contract for every bucket that keeps versions: the fake in memory, and S3."""

import hashlib
import io
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from bluegreen_cdn.aws.versioned_store import S3VersionedStore
from bluegreen_cdn.domain.headers import ObjectHeaders
from bluegreen_cdn.errors import CloudError, InvalidInput
from bluegreen_cdn.local.cloud import LocalCloud
from bluegreen_cdn.publish.collect_memory import MemoryVersionedStore
from bluegreen_cdn.publish.object_store import NewObject

HEADERS = ObjectHeaders(content_type="text/css; charset=utf-8", cache_control="no-cache")


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


@pytest.fixture(params=["memory", pytest.param("s3", marks=pytest.mark.cloud)])
def stores(request: pytest.FixtureRequest) -> Any:
    """Makes empty buckets that keep versions."""
    if request.param == "memory":
        return lambda: MemoryVersionedStore(clock=lambda: 1_000_000.0)
    s3 = request.getfixturevalue("s3")

    def make() -> S3VersionedStore:
        bucket = f"v-{uuid.uuid4().hex[:20]}"
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        return S3VersionedStore(bucket, "us-east-1", s3=s3)

    return make


def new(key: str, data: bytes, headers: ObjectHeaders = HEADERS) -> NewObject:
    sha256 = hashlib.sha256(data).hexdigest()
    return NewObject(key=key, size=len(data), sha256=sha256, headers=headers, metadata={"sha256": sha256})


def test_what_is_put_again_outlives_the_version_before(stores: Any) -> None:
    store = stores()
    store.check_versioned()
    store.put_if_absent(new("shared/a.css", b"a{}"), io.BytesIO(b"a{}"))
    before = store.head("shared/a.css")
    store.put_again(new("shared/a.css", b"a{}"), io.BytesIO(b"a{}"))
    assert store.head("shared/a.css").version != before.version
    found = list(store.versions("shared/"))
    assert [(one.key, one.size, one.latest) for one in found] == [("shared/a.css", 3, True), ("shared/a.css", 3, False)]
    assert found[1].version == before.version
    store.delete_versions([("shared/a.css", before.version)])
    assert store.get("shared/a.css") == b"a{}"
    store.delete_versions([("shared/a.css", before.version), ("shared/none", before.version)])  # gone: nothing happens
    store.delete_versions([(found[0].key, found[0].version)])
    assert store.head("shared/a.css") is None
    assert list(store.versions("")) == [], "and no delete marker has hidden anything"


def test_the_stores_time_is_that_of_its_objects(stores: Any) -> None:
    store = stores()
    store.put_if_absent(new("a", b""), io.BytesIO(b""))
    assert abs(store.now() - store.head("a").modified) < 5


def test_a_copy_has_the_bytes_and_the_headers_that_are_asked_for(stores: Any) -> None:
    source, target = stores(), stores()
    source.put_if_absent(new("shared/a.css", b"a{}"), io.BytesIO(b"a{}"))
    headers = ObjectHeaders(content_type="text/css", cache_control="max-age=1", content_encoding="br")
    target.copy_from(source, source.head("shared/a.css"), new("shared/a.css", b"a{}", headers))
    found = target.head("shared/a.css")
    assert (found.size, found.sha256, found.headers) == (3, hashlib.sha256(b"a{}").hexdigest(), headers)
    other = ObjectHeaders(content_type="text/plain", cache_control="no-cache", content_encoding="gzip")
    target.copy_from(target, found, new("shared/a.css", b"a{}", other))
    assert target.head("shared/a.css").headers == other, "onto itself as well"
    assert target.head("shared/a.css").version != found.version


def test_lines_are_read_as_they_are_asked_for(stores: Any) -> None:
    store = stores()
    data = b"\n".join(b"%d" % number for number in range(5000))
    store.put_if_absent(new("a", data), io.BytesIO(data))
    assert list(store.lines("a")) == data.split(b"\n")


@pytest.mark.cloud
def test_a_bucket_without_versions_is_refused(s3: Any) -> None:
    s3.create_bucket(Bucket="without-versions")
    with pytest.raises(InvalidInput, match="keeps no versions"):
        S3VersionedStore("without-versions", "us-east-1", s3=s3).check_versioned()


class Refusing:
    """A client that takes a deletion and refuses part of it."""

    def delete_objects(self, **arguments: Any) -> dict[str, Any]:
        return {"Errors": [{"Key": "a", "Code": "AccessDenied", "Message": "no"}]}


def test_a_deletion_that_is_refused_in_part_is_an_error() -> None:
    with pytest.raises(CloudError, match="1 of 2 versions, such as 'a': AccessDenied"):
        S3VersionedStore("b", s3=Refusing()).delete_versions([("a", "1"), ("b", "2")])


def test_a_deletion_without_a_version_is_never_sent() -> None:
    with pytest.raises(InvalidInput, match="names no version"):
        S3VersionedStore("b", s3=Refusing()).delete_versions([("a", "")])
