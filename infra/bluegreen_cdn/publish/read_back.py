"""A bucket that does not verify what it is sent: every object is read back before it is trusted."""

import hashlib
from collections.abc import Callable
from typing import IO, BinaryIO, cast

from bluegreen_cdn.domain.manifest import MANIFEST_PREFIX
from bluegreen_cdn.errors import CloudError
from bluegreen_cdn.publish.object_store import NewObject, PutOutcome, StoredObject
from bluegreen_cdn.publish.store_reads import StoreReads


class ReadBackStore(StoreReads):
    """A bucket whose objects are read before they count as there. Costs a download for every upload.

    Args:
        store: The bucket.
    """

    def put_if_absent(self, new: NewObject, body: BinaryIO) -> PutOutcome:
        """Write an object unless its key exists; what was written wrongly is written once more."""
        outcome = self._store.put_if_absent(new, body)
        if outcome is PutOutcome.CREATED and self._digest(new.key) != new.sha256:
            self.put_again(new, body)
        return outcome

    def put_again(self, new: NewObject, body: BinaryIO) -> None:
        """Write an object whether its key exists or not."""
        body.seek(0)
        self._store.put_again(new, body)
        if self._digest(new.key) != new.sha256:
            raise self._damaged(new.key)

    def copy_if_absent(self, source_key: str, new: NewObject) -> PutOutcome:
        """Nothing is copied: who does not verify what it is sent may not know what it has."""
        raise CloudError(f"{self.name} verifies no checksums, so nothing is copied in it", operation="CopyObject")

    def head(self, key: str) -> StoredObject | None:
        """What lies at a key.

        Raises:
            CloudError: Other bytes than it says lie there.
        """
        there = self._store.head(key)
        if there and there.sha256 and not key.startswith(MANIFEST_PREFIX) and self._digest(key) != there.sha256:
            raise self._damaged(key)
        return there

    def _digest(self, key: str) -> str:
        hashed = hashlib.sha256()
        self._store.download(key, cast("IO[bytes]", _Sink(hashed.update)))
        return hashed.hexdigest()

    def _damaged(self, key: str) -> CloudError:
        return CloudError(
            f"'{key}' of {self.name} has other bytes than its metadata says, and the store verifies no checksums: "
            f"remove the object there, then publish again",
            operation="GetObject",
            code="BadDigest",
        )


class _Sink:
    """Hands what is written to it to a function."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    def write(self, data: bytes) -> int:
        self._take(data)
        return len(data)
