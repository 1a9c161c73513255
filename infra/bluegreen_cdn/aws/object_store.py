"""A bucket in S3, or in a store that speaks its protocol."""

import contextlib
from collections.abc import Iterator
from typing import IO, Any, BinaryIO

from bluegreen_cdn.aws.copy_object import copy_if_absent, read_headers, sha256_header, written_headers
from bluegreen_cdn.aws.object_reader import ObjectReader
from bluegreen_cdn.aws.session import client, translate_errors
from bluegreen_cdn.defaults import CONFLICT_ATTEMPTS, UPLOAD_WORKERS
from bluegreen_cdn.errors import CloudError, FileChanged, NotFound, PreconditionFailed
from bluegreen_cdn.publish.object_store import NewObject, PutOutcome, StoredObject

_BODY_DIFFERS = {
    "BadDigest",
    "XAmzContentSHA256Mismatch",
    "XAmzContentChecksumMismatch",
    "InvalidDigest",
    "IncompleteBody",
}
_UNEXPLAINED = {"400", "403"}


class S3ObjectStore:
    """A bucket in S3; the real `bluegreen_cdn.publish.object_store.ObjectStore`.

    Args:
        bucket: Its name.
        region: Its region. Default: what the environment and the profile say.
        connections: Threads that use it at once. Default: `UPLOAD_WORKERS`.
        s3: A client to use instead of a new one. Default: a new one.
    """

    def __init__(
        self, bucket: str, region: str | None = None, *, connections: int = UPLOAD_WORKERS, s3: Any | None = None
    ) -> None:
        self.bucket = bucket
        self._s3 = s3 or client("s3", region, connections=connections)

    @property
    def name(self) -> str:
        """The bucket, for messages."""
        return f"s3://{self.bucket}"

    def put_if_absent(self, new: NewObject, body: BinaryIO) -> PutOutcome:
        """Write an object unless its key exists; S3 checks the SHA-256."""
        for attempt in range(1, CONFLICT_ATTEMPTS + 1):
            try:
                self._put(new, body, IfNoneMatch="*")
            except PreconditionFailed as error:
                # 409: another write of the key is under way and may yet fail; 412: the key exists.
                if error.code != "ConditionalRequestConflict":
                    return PutOutcome.EXISTS
                if attempt == CONFLICT_ATTEMPTS:
                    raise
                body.seek(0)
            else:
                return PutOutcome.CREATED
        raise AssertionError("unreachable")

    def put_again(self, new: NewObject, body: BinaryIO) -> None:
        """Write an object whether its key exists or not; S3 checks the SHA-256."""
        for attempt in range(1, CONFLICT_ATTEMPTS + 1):
            try:
                self._put(new, body)
            except PreconditionFailed:  # another write of the key is under way
                if attempt == CONFLICT_ATTEMPTS:
                    raise
                body.seek(0)
            else:
                return

    def copy_if_absent(self, source_key: str, new: NewObject) -> PutOutcome:
        """Write an object with the bytes of another one of the bucket, unless its key exists; none come by here."""
        return copy_if_absent(self._s3, self.bucket, source_key, new)

    def _put(self, new: NewObject, body: BinaryIO, **condition: str) -> None:
        try:
            with translate_errors("s3", "PutObject", f"{self.name}/{new.key}"):
                self._s3.put_object(
                    Bucket=self.bucket,
                    Key=new.key,
                    Body=body,
                    ContentLength=new.size,
                    Metadata=dict(new.metadata),
                    ChecksumSHA256=sha256_header(new.sha256),
                    **written_headers(new.headers),
                    **condition,
                )
        except CloudError as error:
            if error.code in _BODY_DIFFERS:
                raise FileChanged(
                    f"the bytes for '{new.key}' are not those that were announced ({error.code}); nothing may "
                    f"write to the build while it is published: build again, then publish again"
                ) from error
            raise

    def head(self, key: str) -> StoredObject | None:
        """What lies at a key."""
        try:
            with translate_errors("s3", "HeadObject", f"{self.name}/{key}"):
                answer = self._s3.head_object(Bucket=self.bucket, Key=key)
        except NotFound as error:
            if error.code == "NoSuchBucket":
                raise
            return None
        except CloudError as error:
            if error.code in _UNEXPLAINED:
                self._explain(key)
            raise
        return StoredObject(
            key=key,
            size=answer["ContentLength"],
            headers=read_headers(answer),
            metadata=dict(answer.get("Metadata", {})),
            version=answer.get("VersionId", ""),
            modified=answer["LastModified"].timestamp() if "LastModified" in answer else 0.0,
        )

    def _explain(self, key: str) -> None:
        """Raise why an object's head is refused: such an answer has no body to say it, that to a GET has."""
        with contextlib.suppress(NotFound), translate_errors("s3", "HeadObject", f"{self.name}/{key}"):
            self._s3.get_object(Bucket=self.bucket, Key=key, Range="bytes=0-0")["Body"].close()

    def get(self, key: str) -> bytes:
        """The bytes of an object."""
        return b"".join(self.reader(key).pieces())

    def download(self, key: str, target: IO[bytes]) -> None:
        """Write an object's bytes to a stream, a piece at a time."""
        for piece in self.reader(key).pieces():
            target.write(piece)

    def lines(self, key: str) -> Iterator[bytes]:
        """The lines of an object."""
        return self.reader(key).lines()

    def reader(self, key: str) -> ObjectReader:
        """Reads an object in other ways."""
        return ObjectReader(self._s3, self.bucket, key)

    def list_keys(self, prefix: str) -> Iterator[str]:
        """The keys under a prefix, sorted."""
        with translate_errors("s3", "ListObjectsV2", f"{self.name}/{prefix}"):
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                for item in page.get("Contents", ()):
                    yield item["Key"]
