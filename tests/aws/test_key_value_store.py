"""One suite for the KeyValueStore in memory and for the real client against the local cloud's data plane."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bluegreen_cdn.aws.fakes import FakeClock, FakeKeyValueStore
from bluegreen_cdn.aws.key_value_store import BUILD_VALUE, CloudFrontKeyValueStore, KeyValueBuildRegistry
from bluegreen_cdn.aws.ports import KeyValueStore
from bluegreen_cdn.errors import CloudError, InvalidInput, NotFound, PreconditionFailed


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Makes real stores in a local cloud of its own."""
    from bluegreen_cdn.aws.session import client
    from bluegreen_cdn.local.cloud import LocalCloud

    numbers = iter(range(1000))
    with LocalCloud(Path(tmp_path_factory.mktemp("cloud"))) as cloud, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in cloud.environment().items():
            patch.setenv(name, value)

        def make() -> CloudFrontKeyValueStore:
            made = client("cloudfront", "us-east-1").create_key_value_store(Name=f"store-{next(numbers)}")
            return CloudFrontKeyValueStore(made["KeyValueStore"]["ARN"], clock=FakeClock())

        yield make


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.cloud)])
def store(request: pytest.FixtureRequest) -> KeyValueStore:
    """An empty store."""
    if request.param == "fake":
        return FakeKeyValueStore()
    made: KeyValueStore = request.getfixturevalue("real")()
    return made


def test_an_absent_value_is_none(store: KeyValueStore) -> None:
    assert store.read("routing", "control").values == {"routing": None, "control": None}


def test_what_was_written_is_read(store: KeyValueStore) -> None:
    store.update({"routing": '{"a":"ü"}', "build/a.b-c_1": "x"}, etag=store.read().etag)
    assert store.read("routing", "build/a.b-c_1", "other").values == {
        "routing": '{"a":"ü"}',
        "build/a.b-c_1": "x",
        "other": None,
    }


def test_keys_are_listed_by_prefix(store: KeyValueStore) -> None:
    assert store.keys("build/") == ()
    # More than one page of the service.
    builds = {f"build/b{number:03}": "x" for number in range(60)}
    for start in range(0, 60, 30):
        store.update(dict(list(builds.items())[start : start + 30]), etag=store.read().etag)
    store.update({"routing": "{}"}, etag=store.read().etag)
    assert store.keys("build/") == tuple(builds)
    assert store.keys("routing") == ("routing",)


def test_puts_and_deletes_are_one_change(store: KeyValueStore) -> None:
    first = store.update({"a": "1", "b": "2"}, etag=store.read().etag)
    store.update({"a": "3"}, deletes=["b"], etag=first)
    assert store.read("a", "b").values == {"a": "3", "b": None}


def test_every_change_has_a_new_version_and_update_returns_it(store: KeyValueStore) -> None:
    before = store.read().etag
    after = store.update({"a": "1"}, etag=before)
    assert after != before
    assert store.read().etag == after


def test_a_write_from_an_old_look_fails_and_changes_nothing(store: KeyValueStore) -> None:
    old = store.read("a")
    store.update({"a": "theirs"}, etag=old.etag)
    with pytest.raises(PreconditionFailed):
        store.update({"a": "ours", "b": "ours"}, etag=old.etag)
    assert store.read("a", "b").values == {"a": "theirs", "b": None}


def test_what_is_too_long_is_refused_before_anything_is_sent(store: KeyValueStore) -> None:
    etag = store.read().etag
    for puts in ({"a": "x" * 1025}, {"a": "ü" * 513}, {"k" * 513: "x"}, {"ok": "1", "a": ""}):
        with pytest.raises(InvalidInput, match="bytes"):
            store.update(puts, etag=etag)
    store.update({"a": "x" * 1024}, etag=etag)
    assert store.read("ok").values == {"ok": None}


def test_a_build_is_retained_once(store: KeyValueStore) -> None:
    registry = KeyValueBuildRegistry(store)
    registry.retain("b2")
    etag = store.read().etag
    registry.retain("b2")
    assert store.read("build/b2").values == {"build/b2": BUILD_VALUE}
    assert store.read().etag == etag


def test_retaining_goes_on_beside_another_writer() -> None:
    store = FakeKeyValueStore()
    others = iter(range(3))
    store.before_update = lambda: store.write({"other": "x"}) if next(others, None) is not None else None
    KeyValueBuildRegistry(store).retain("b2")
    assert store.values["build/b2"] == BUILD_VALUE


def test_retaining_gives_up_in_the_end() -> None:
    store = FakeKeyValueStore()
    store.before_update = lambda: store.write({"other": "x"})
    with pytest.raises(PreconditionFailed):
        KeyValueBuildRegistry(store).retain("b2")


@pytest.mark.cloud
def test_a_store_that_is_gone_is_named(real: Any) -> None:
    store = real()
    gone = CloudFrontKeyValueStore(store.arn[:-6] + "ffffff")
    with pytest.raises(NotFound, match="KeyValueStore"):
        gone.read("a")


class Stub:
    """A data plane that misbehaves."""

    def __init__(self, *, loses_writes_for: int = 0, refuses_with: str = "", other_writer: bool = False) -> None:
        self.value = "old"
        self.pending = ""
        self.version = 1
        self.gets = 0
        self.loses_writes_for = loses_writes_for
        self.refuses_with = refuses_with
        self.other_writer = other_writer

    def describe_key_value_store(self, *, KvsARN: str) -> dict[str, str]:  # noqa: N803
        return {"ETag": str(self.version)}

    def get_key(self, *, KvsARN: str, Key: str) -> dict[str, str]:  # noqa: N803
        self.gets += 1
        if self.gets > self.loses_writes_for:
            self.value = self.pending
        return {"Value": self.value}

    def update_keys(self, **call: Any) -> dict[str, str]:
        if self.refuses_with:
            error = {"Code": "ValidationException", "Message": self.refuses_with}
            raise ClientError({"Error": error}, "UpdateKeys")  # type: ignore[typeddict-item]
        self.version += 1
        self.pending = call["Puts"][0]["Value"]
        answer = {"ETag": str(self.version)}
        self.version += self.other_writer
        return answer


def test_a_write_that_shows_late_is_waited_for() -> None:
    clock = FakeClock(0)
    stub = Stub(loses_writes_for=2)
    CloudFrontKeyValueStore("arn", keyvaluestore=stub, clock=clock).update({"a": "new"}, etag="1")
    assert stub.value == "new"
    assert clock.now() > 0


def test_a_write_that_never_shows_is_an_error() -> None:
    store = CloudFrontKeyValueStore("arn", keyvaluestore=Stub(loses_writes_for=99), clock=FakeClock())
    with pytest.raises(CloudError, match="does not show it"):
        store.update({"a": "new"}, etag="1")


def test_a_write_that_another_has_replaced_is_no_error() -> None:
    stub = Stub(loses_writes_for=99, other_writer=True)
    CloudFrontKeyValueStore("arn", keyvaluestore=stub, clock=FakeClock()).update({"a": "new"}, etag="1")


def test_the_services_other_word_for_a_conflict_is_understood() -> None:
    stub = Stub(refuses_with="Pre-Condition failed")
    with pytest.raises(PreconditionFailed):
        CloudFrontKeyValueStore("arn", keyvaluestore=stub).update({"a": "new"}, etag="1")
    with pytest.raises(CloudError, match="too many keys") as caught:
        CloudFrontKeyValueStore("arn", keyvaluestore=Stub(refuses_with="too many keys")).update({"a": "b"}, etag="1")
    assert not isinstance(caught.value, PreconditionFailed)
