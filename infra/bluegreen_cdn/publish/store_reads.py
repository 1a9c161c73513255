"""What is asked of a bucket, passed on to another one: for buckets that write in ways of their own."""

from collections.abc import Iterator
from typing import IO

from bluegreen_cdn.publish.object_store import ObjectStore, StoredObject


class StoreReads:
    """The questions of an `ObjectStore`, answered by another one.

    Args:
        store: Who answers.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @property
    def name(self) -> str:
        """The bucket, for messages."""
        return self._store.name

    def head(self, key: str) -> StoredObject | None:
        """What lies at a key."""
        return self._store.head(key)

    def get(self, key: str) -> bytes:
        """The bytes of a small object."""
        return self._store.get(key)

    def download(self, key: str, target: IO[bytes]) -> None:
        """Write an object's bytes to a stream, a piece at a time."""
        self._store.download(key, target)

    def lines(self, key: str) -> Iterator[bytes]:
        """The lines of an object, read as they are asked for."""
        return self._store.lines(key)

    def list_keys(self, prefix: str) -> Iterator[str]:
        """The keys under a prefix, sorted."""
        return self._store.list_keys(prefix)
