"""The bytes of an object in S3, as a stream that goes on where a connection broke, and by ranges as a file."""

import errno
import io
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from bluegreen_cdn.aws.session import translate_errors
from bluegreen_cdn.defaults import AWS_RETRY_ATTEMPTS, DOWNLOAD_PIECE_BYTES, RANGE_BYTES, RANGE_PIECE_BYTES, RANGES_KEPT
from bluegreen_cdn.errors import FileChanged, PreconditionFailed


class ObjectReader:
    """Reads one object.

    The SDK repeats a request that fails, but not one whose answer breaks off; this asks for the rest of it, of the same
    version of the object.

    Args:
        s3: A client of S3.
        bucket: The bucket's name.
        key: The object.
    """

    def __init__(self, s3: Any, bucket: str, key: str) -> None:
        self._s3, self._bucket, self._key = s3, bucket, key
        self._etag: str | None = None

    @property
    def name(self) -> str:
        """The object, for messages."""
        return f"s3://{self._bucket}/{self._key}"

    def pieces(
        self, start: int = 0, end: int | None = None, *, piece_bytes: int = DOWNLOAD_PIECE_BYTES
    ) -> Iterator[bytes]:
        """The bytes from a place on, in pieces.

        Args:
            start: The first byte.
            end: The byte after the last. Default: the object's end.
            piece_bytes: The most that a piece has. Default: `DOWNLOAD_PIECE_BYTES`.

        Raises:
            FileChanged: It is another object than the one whose beginning was read.
            CloudError: The store refused.
        """
        from botocore.exceptions import HTTPClientError, IncompleteReadError

        failures = 0
        with translate_errors("s3", "GetObject", self.name):
            while True:
                try:
                    for piece in self._body(start, end).iter_chunks(piece_bytes):
                        start, failures = start + len(piece), 0
                        yield piece
                except (HTTPClientError, IncompleteReadError):
                    failures += 1
                    if failures == AWS_RETRY_ATTEMPTS:
                        raise
                else:
                    return

    def lines(self) -> Iterator[bytes]:
        """The lines, without their ends."""
        begun = b""
        for piece in self.pieces():
            *whole, begun = (begun + piece).split(b"\n")
            yield from whole
        if begun:
            yield begun

    def _body(self, start: int, end: int | None) -> Any:
        which: dict[str, str] = {"IfMatch": self._etag} if self._etag else {}
        if start or end is not None:
            which["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
        try:
            with translate_errors("s3", "GetObject", self.name):
                answer = self._s3.get_object(Bucket=self._bucket, Key=self._key, **which)
        except PreconditionFailed as error:
            raise FileChanged(f"{self.name} was written to while it was read: try again") from error
        self._etag = answer.get("ETag")
        return answer["Body"]


class RangedFile(io.RawIOBase):
    """An object as a seekable file, of which ranges are read when they are needed and the last few are kept.

    Any number of readers may share it as long as each reads on from where it is: a range is asked for once, then.

    Args:
        reader: The object.
        size: Its bytes.
        range_bytes: How much is asked for at once. Default: `RANGE_BYTES`.
        kept: Ranges that are kept, one at least for every reader. Default: `RANGES_KEPT`.
    """

    def __init__(
        self, reader: ObjectReader, size: int, *, range_bytes: int = RANGE_BYTES, kept: int = RANGES_KEPT
    ) -> None:
        super().__init__()
        self._reader, self._size = reader, size
        self._range_bytes, self._kept = range_bytes, kept
        self._ranges: OrderedDict[int, bytearray] = OrderedDict()
        self._lock = threading.Lock()
        self._position = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError(errno.EINVAL, f"{self._reader.name} has no byte {base + offset}")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read on, up to the end of a range at most."""
        if self._position >= self._size or not len(buffer):
            return 0
        number, within = divmod(self._position, self._range_bytes)
        with self._lock:
            data = memoryview(self._range(number))[within : within + min(len(buffer), self._size - self._position)]
            buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _range(self, number: int) -> bytearray:
        found = self._ranges.pop(number, None)
        if found is None:
            found = self._fetch(number)
        self._ranges[number] = found
        return found

    def _fetch(self, number: int) -> bytearray:
        # The room of the range that goes: giving it back and asking for it anew, in many threads, takes twice as much.
        room = bytearray(self._range_bytes) if len(self._ranges) < self._kept else self._ranges.popitem(last=False)[1]
        start = number * self._range_bytes
        end, filled = min(start + self._range_bytes, self._size), 0
        for piece in self._reader.pieces(start, end, piece_bytes=RANGE_PIECE_BYTES):
            room[filled : filled + len(piece)] = piece
            filled += len(piece)
        if filled != end - start:
            raise FileChanged(f"{self._reader.name} is shorter than it was: try again")
        return room
