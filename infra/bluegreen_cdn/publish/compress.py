"""Compress a file into its variants, a piece at a time: memory stays the same for a file of 5 GB.

The same bytes come out wherever the same versions of brotli and zlib run. Where they do not, variants differ and the
file that they decode to does not, so that a publisher takes what another has put there as it is.
"""

import hashlib
import os
import tempfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Protocol, cast

from bluegreen_cdn.defaults import (
    BROTLI_BEST_QUALITY,
    BROTLI_FAST_QUALITY,
    COMPRESS_BEST_BYTES_PER_SECOND,
    COMPRESS_FAST_BYTES_PER_SECOND,
    COMPRESSION_PIECE_BYTES,
    GZIP_LEVEL,
    SMALL_FILE_BYTES,
)
from bluegreen_cdn.domain.encodings import Variant
from bluegreen_cdn.errors import FileChanged, PublishError

_GZIP_WINDOW = 16 + zlib.MAX_WBITS
"""zlib's own header: no file name, and a time of 0."""


class Compression(StrEnum):
    """How hard to compress; it never changes which variants there are."""

    BEST = "best"
    """As small as it gets: brotli 11 takes a core more than a second for a megabyte."""
    FAST = "fast"
    """Brotli 5, some twenty times as quick."""

    @property
    def brotli_quality(self) -> int:
        """Brotli's quality; gzip's level is the highest either way."""
        return BROTLI_BEST_QUALITY if self is Compression.BEST else BROTLI_FAST_QUALITY

    @property
    def bytes_per_second(self) -> int:
        """About what one core compresses into all encodings."""
        return COMPRESS_BEST_BYTES_PER_SECOND if self is Compression.BEST else COMPRESS_FAST_BYTES_PER_SECOND

    def seconds(self, sizes: Iterable[int], cores: float) -> float:
        """About how long files take: each is compressed by one core.

        Args:
            sizes: Their bytes.
            cores: How many work; less than one where a function has a part of one.
        """
        total = longest = 0
        for size in sizes:
            total, longest = total + size, max(longest, size)
        return max(total / cores, longest / min(cores, 1)) / self.bytes_per_second


@dataclass(frozen=True, kw_only=True)
class CompressedFile:
    """A variant on its way to the bucket.

    Attributes:
        variant: What it is.
        body: Its bytes, from the stream's start; on disk if they are many. Whoever gets it closes it.
    """

    variant: Variant
    body: BinaryIO


class _Compressor(Protocol):
    """What zlib's and brotli's compressors are like."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _Brotli:
    """Brotli's compressor with zlib's names."""

    def __init__(self, quality: int) -> None:
        import brotli

        self._brotli = brotli.Compressor(quality=quality)

    def compress(self, data: bytes, /) -> bytes:
        return cast(bytes, self._brotli.process(data))

    def flush(self) -> bytes:
        return cast(bytes, self._brotli.finish())


class _Output:
    """One variant while it grows."""

    def __init__(self, encoding: str, effort: Compression) -> None:
        self.encoding = encoding
        self._compressor: _Compressor = (
            _Brotli(effort.brotli_quality) if encoding == "br" else zlib.compressobj(GZIP_LEVEL, wbits=_GZIP_WINDOW)
        )
        self._body = tempfile.SpooledTemporaryFile(max_size=SMALL_FILE_BYTES)  # noqa: SIM115  handed on
        self._sha256 = hashlib.sha256()
        self._size = 0

    def feed(self, data: bytes) -> None:
        self._take(self._compressor.compress(data))

    def finished(self) -> CompressedFile:
        self._take(self._compressor.flush())
        self._body.seek(0)
        variant = Variant(encoding=self.encoding, size=self._size, sha256=self._sha256.hexdigest())
        return CompressedFile(variant=variant, body=cast(BinaryIO, self._body))

    def close(self) -> None:
        self._body.close()

    def _take(self, data: bytes) -> None:
        self._body.write(data)
        self._sha256.update(data)
        self._size += len(data)


def compress(
    stream: BinaryIO,
    encodings: Iterable[str],
    effort: Compression,
    *,
    path: str,
    sha256: str,
    check: Callable[[], None] = lambda: None,
) -> list[CompressedFile]:
    """Compress a file into variants, read once for all of them.

    Args:
        stream: The file's bytes.
        encodings: Which variants, of `ENCODINGS`.
        effort: How hard.
        path: The file, for messages.
        sha256: Its digest: what was compressed must be what the manifest names.
        check: Called between pieces; raises to stop. Default: nothing stops it.

    Raises:
        FileChanged: The bytes are not those that were announced.
        PublishError: The variants cannot be kept on disk.
    """
    read = hashlib.sha256()
    outputs = [_Output(encoding, effort) for encoding in encodings]
    try:
        while piece := stream.read(COMPRESSION_PIECE_BYTES):
            check()
            read.update(piece)
            for output in outputs:
                output.feed(piece)
        if read.hexdigest() != sha256:
            raise FileChanged(
                f"file {path!r} is no longer what it was when the publish began; nothing may write to the build while "
                f"it is published: build again, then publish again"
            )
        return [output.finished() for output in outputs]
    except BaseException as error:
        for output in outputs:
            output.close()
        if isinstance(error, OSError):
            raise PublishError(
                f"the variants of file {path!r} cannot be kept in {tempfile.gettempdir()!r} "
                f"({error.strerror or error}): make room there, or let TMPDIR name a folder with room"
            ) from error
        raise


def processors() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
