"""The port to a bucket: all that publishing asks of one.

`memory_store.MemoryStore` is the fake, `aws.object_store.S3ObjectStore` the real one; one contract suite runs on both.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import IO, BinaryIO, Protocol

from bluegreen_cdn.defaults import DIGEST_METADATA
from bluegreen_cdn.domain.headers import ObjectHeaders


class PutOutcome(StrEnum):
    """What became of a conditional write."""

    CREATED = "created"
    EXISTS = "exists"


@dataclass(frozen=True, kw_only=True, slots=True)
class NewObject:
    """An object to be written.

    Attributes:
        key: Where.
        size: Bytes that the body has.
        sha256: Digest (hex) of the body; the store refuses a body that differs.
        headers: What it will be served with.
        metadata: User metadata. Default: none.
    """

    key: str
    size: int
    sha256: str
    headers: ObjectHeaders
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredObject:
    """An object as the store has it, without its bytes.

    Attributes:
        key: Where.
        size: Bytes it has.
        headers: What it is served with.
        metadata: User metadata.
        version: The version's id. Default: not said.
        modified: When it was written, in epoch seconds of the store's clock. Default: not said.
    """

    key: str
    size: int
    headers: ObjectHeaders
    metadata: Mapping[str, str]
    version: str = ""
    modified: float = 0.0

    @property
    def sha256(self) -> str | None:
        """The digest that its publisher recorded; None for an object that is not ours."""
        return self.metadata.get(DIGEST_METADATA)

    def as_new(self) -> NewObject:
        """The same object once more, for whoever has its bytes and knows it for ours."""
        return NewObject(
            key=self.key, size=self.size, sha256=str(self.sha256), headers=self.headers, metadata=self.metadata
        )


class ObjectStore(Protocol):
    """A bucket. Every method may be called from several threads.

    Nothing here deletes, and only `put_again` overwrites, what retention has condemned and with the same bytes:
    publishing cannot do what its port does not offer.
    """

    @property
    def name(self) -> str:
        """The bucket, for messages: `s3://bucket`."""

    def put_if_absent(self, new: NewObject, body: BinaryIO) -> PutOutcome:
        """Write an object unless its key exists; an object appears whole or not at all.

        Args:
            new: The object.
            body: Its bytes, from the stream's very start; seekable, so that they can be sent again.

        Raises:
            FileChanged: The body is not what `new` says; nothing was written.
            CloudError: The store refused.
        """

    def put_again(self, new: NewObject, body: BinaryIO) -> None:
        """Write an object whether its key exists or not; what was there becomes an older version.

        Only for a key that retention has condemned: it deletes the version it saw, and this one stays.

        Args:
            new: The object.
            body: Its bytes, from the stream's very start; seekable, so that they can be sent again.

        Raises:
            FileChanged: The body is not what `new` says; nothing was written.
            CloudError: The store refused.
        """

    def copy_if_absent(self, source_key: str, new: NewObject) -> PutOutcome:
        """Write an object with the bytes of another one of the bucket, unless its key exists; none come by here.

        Only for keys that none but this build writes: a store that copies unconditionally is told apart by a look
        at the key before. Whoever gets an error uploads instead; the source may be collected at any time.

        Args:
            source_key: The object that has the bytes; one without the announced checksum is not copied.
            new: The object, with headers and metadata of its own.

        Raises:
            NotFound: There is no source.
            CorruptCopy: A copy was made and is wrong: put it again.
            CloudError: The source has other bytes, or no checksum of them, or the store refused.
        """

    def head(self, key: str) -> StoredObject | None:
        """What lies at a key; None if nothing does.

        Raises:
            CloudError: The store refused.
        """

    def get(self, key: str) -> bytes:
        """The bytes of a small object.

        Raises:
            NotFound: Nothing lies at the key.
            CloudError: The store refused.
        """

    def download(self, key: str, target: IO[bytes]) -> None:
        """Write an object's bytes to a stream, a piece at a time.

        Raises:
            NotFound: Nothing lies at the key.
            CloudError: The store refused.
        """

    def lines(self, key: str) -> Iterator[bytes]:
        """The lines of an object, without their ends, read as they are asked for.

        Raises:
            NotFound: Nothing lies at the key.
            CloudError: The store refused.
        """

    def list_keys(self, prefix: str) -> Iterator[str]:
        """The keys under a prefix, sorted.

        Raises:
            CloudError: The store refused.
        """
