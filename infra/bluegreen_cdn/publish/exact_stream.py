"""A file of a build while it is read: all of its bytes, or an error that says which file is no longer what it was."""

import io
import zipfile
import zlib
from typing import BinaryIO

from bluegreen_cdn.errors import FileChanged
from bluegreen_cdn.publish.source import SourceFile

_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError)


def exact_stream(stream: BinaryIO, file: SourceFile, source: str) -> BinaryIO:
    """A stream that ends where the file did when it was listed, and not before.

    Without it an upload would wait in vain for the bytes that it has announced, or stop with an error of the archive's.

    Args:
        stream: The file, at its start; closed with what is returned.
        file: What the listing said of it.
        source: What it is a file of, for messages.
    """
    return io.BufferedReader(_Exact(stream, file, source))


class _Exact(io.RawIOBase):
    def __init__(self, stream: BinaryIO, file: SourceFile, source: str) -> None:
        super().__init__()
        self._stream, self._file, self._source = stream, file, source
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._file.size}[whence]
        try:
            self._position = self._stream.seek(base + offset)
        except _UNREADABLE as error:
            raise self._changed(str(error)) from error
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        wanted = min(len(buffer), max(0, self._file.size - self._position))
        if not wanted:
            return 0
        try:
            data = self._stream.read(wanted)
        except _UNREADABLE as error:
            raise self._changed(str(error) or type(error).__name__) from error
        if not data:
            raise self._changed(f"it had {self._file.size} bytes and ends after {self._position}")
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()

    def _changed(self, why: str) -> FileChanged:
        return FileChanged(
            f"{self._source}: file {self._file.path!r} can no longer be read ({why}); nothing may write to the build "
            f"while it is published: build again, then publish again"
        )
