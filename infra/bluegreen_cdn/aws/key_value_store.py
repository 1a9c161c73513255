"""The CloudFront KeyValueStore's data plane, with every write conditional and looked at afterwards."""

from collections.abc import Collection, Mapping
from typing import Any

from bluegreen_cdn import defaults
from bluegreen_cdn.aws.clock import Clock
from bluegreen_cdn.aws.ports import KeyValueStore, Snapshot
from bluegreen_cdn.aws.session import client, translate_errors
from bluegreen_cdn.domain.builds import check_build_id
from bluegreen_cdn.errors import CloudError, InvalidInput, NotFound, PreconditionFailed

_SERVICE = "cloudfront-keyvaluestore"
BUILD_VALUE = '{"format":1}'


class CloudFrontKeyValueStore:
    """One KeyValueStore; the real `bluegreen_cdn.aws.ports.KeyValueStore`.

    Args:
        arn: Its ARN.
        keyvaluestore: A client to use instead of a new one. Default: a new one.
        clock: Waits between the looks after a write. Default: real time.
    """

    def __init__(self, arn: str, *, keyvaluestore: Any | None = None, clock: Clock | None = None) -> None:
        self.arn = arn
        # The data plane has one global endpoint; the region only satisfies the SDK.
        self._client = keyvaluestore or client(_SERVICE, "us-east-1")
        self._clock = clock or Clock()

    def read(self, *keys: str) -> Snapshot:
        """Read values; the version first, so that a write between the two calls is noticed by `update`."""
        etag = self._etag()
        return Snapshot(values={key: self._get(key) for key in keys}, etag=etag)

    def keys(self, prefix: str) -> tuple[str, ...]:
        """The keys that begin with a prefix; the service lists all of them, without saying in which order."""
        found: list[str] = []
        with translate_errors(_SERVICE, "ListKeys", self.arn):
            pages = self._client.get_paginator("list_keys").paginate(KvsARN=self.arn)
            for page in pages:
                found += [item["Key"] for item in page["Items"] if item["Key"].startswith(prefix)]
        return tuple(sorted(found))

    def update(self, puts: Mapping[str, str], *, etag: str, deletes: Collection[str] = ()) -> str:
        """Change several values at once, and see that they are there."""
        check_sizes(puts)
        with _conflicts_as_precondition(), translate_errors(_SERVICE, "UpdateKeys", ", ".join([*puts, *deletes])):
            answer = self._client.update_keys(
                KvsARN=self.arn,
                IfMatch=etag,
                Puts=[{"Key": key, "Value": value} for key, value in puts.items()],
                Deletes=[{"Key": key} for key in deletes],
            )
        written: str = answer["ETag"]
        self._verify(puts, deletes, written)
        return written

    def _verify(self, puts: Mapping[str, str], deletes: Collection[str], written: str) -> None:
        wanted: dict[str, str | None] = {**puts, **dict.fromkeys(deletes)}
        differing: list[str] = []
        for attempt in range(defaults.WRITE_VERIFY_ATTEMPTS):
            if attempt:
                self._clock.sleep(defaults.WRITE_VERIFY_PAUSE_SECONDS)
            differing = [key for key, value in wanted.items() if self._get(key) != value]
            if not differing or self._etag() != written:  # changed since by another writer: that is its affair
                return
        raise CloudError(
            f"the KeyValueStore took a write of {', '.join(differing)} and does not show it; look at its status",
            service=_SERVICE,
            operation="UpdateKeys",
            code="NotKept",
        )

    def _etag(self) -> str:
        with translate_errors(_SERVICE, "DescribeKeyValueStore", self.arn):
            etag: str = self._client.describe_key_value_store(KvsARN=self.arn)["ETag"]
        return etag

    def _get(self, key: str) -> str | None:
        try:
            with translate_errors(_SERVICE, "GetKey", key):
                value: str = self._client.get_key(KvsARN=self.arn, Key=key)["Value"]
        except NotFound:
            return None
        return value


class KeyValueBuildRegistry:
    """The publisher's `BuildRegistry`: a key per build that the edge may serve.

    Args:
        store: Where the keys are.
    """

    def __init__(self, store: KeyValueStore) -> None:
        self._store = store

    def retain(self, build_id: str) -> None:
        """Make a build one that the edge may serve; nothing happens if it is one already."""
        key = build_key(build_id)
        for attempt in range(1, defaults.CONFLICT_ATTEMPTS + 1):
            seen = self._store.read(key)
            if seen.values[key] is not None:
                return
            try:
                self._store.update({key: BUILD_VALUE}, etag=seen.etag)
            except PreconditionFailed:
                if attempt == defaults.CONFLICT_ATTEMPTS:
                    raise
            else:
                return


def key_value_registry(arn: str) -> KeyValueBuildRegistry:
    """The registry in a KeyValueStore of CloudFront.

    Args:
        arn: The store's ARN.
    """
    return KeyValueBuildRegistry(CloudFrontKeyValueStore(arn))


def build_key(build_id: str) -> str:
    """The key whose presence lets the edge serve a build."""
    return f"{defaults.BUILD_KEY_PREFIX}{check_build_id(build_id)}"


def check_sizes(puts: Mapping[str, str]) -> None:
    """Refuse what the store would.

    Raises:
        InvalidInput: A key or a value is too long.
    """
    for key, value in puts.items():
        for what, text, most in (
            ("key", key, defaults.KVS_KEY_MAXIMUM_BYTES),
            ("value", value, defaults.KVS_VALUE_MAXIMUM_BYTES),
        ):
            size = len(text.encode())
            if not 0 < size <= most:
                raise InvalidInput(f"the {what} of {key[:60]!r} has {size} bytes; the KeyValueStore takes 1 to {most}")


class _conflicts_as_precondition:  # noqa: N801  reads as the function that it is
    """The service says `ValidationException: Pre-Condition failed` as well as `ConflictException`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, CloudError) and not isinstance(error, PreconditionFailed):
            said = str(error).lower()
            if "pre-condition" in said or "precondition" in said:
                raise PreconditionFailed(
                    str(error), service=error.service, operation=error.operation, code=error.code
                ) from error
