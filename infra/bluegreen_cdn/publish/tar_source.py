"""A build in a tar file, plain or gzipped."""

import gzip
import io
import os
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import IO, BinaryIO, Self, cast

from bluegreen_cdn.errors import FileChanged, InvalidBuild
from bluegreen_cdn.publish.exact_stream import exact_stream
from bluegreen_cdn.publish.source import (
    READ_BYTES,
    SourceFile,
    check_names,
    check_path,
    check_size,
    check_unpacked_size,
    digest,
)

_DAMAGED = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError)
GZIP_MAGIC = b"\x1f\x8b"


class TarSource:
    """A build in a tar file; memory stays small whatever is in it.

    A gzipped one is unpacked once to an unnamed file on disk, because its files are read in another order than they
    lie in, and by several threads.

    Args:
        archive: The tar or tar.gz file.
    """

    def __init__(self, archive: Path) -> None:
        self._name = f"build archive '{archive}'"
        self._places: dict[str, int] = {}
        try:
            self._file: IO[bytes] = open(archive, "rb")  # noqa: SIM115  closed on exit
            packed = self._file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            self._packed_bytes = os.fstat(self._file.fileno()).st_size
            self._file.seek(0)
        except OSError as error:
            raise InvalidBuild(f"{self._name} cannot be read ({error.strerror}): mend its permissions") from error
        if packed:
            self._file = self._unpacked(self._file)

    @property
    def name(self) -> str:
        """The archive, for messages."""
        return self._name

    def listing(self) -> tuple[SourceFile, ...]:
        """Every file, sorted by path, each read once for its digest."""
        files: list[SourceFile] = []
        places: dict[str, int] = {}
        try:
            self._file.seek(0)
            with tarfile.open(fileobj=self._file, mode="r:") as archive:
                while (member := archive.next()) is not None:
                    # tarfile would keep every member; a hundred thousand of them are most of our memory.
                    archive.members = []  # type: ignore[attr-defined]
                    path = self._check(member)
                    if path is None:
                        continue
                    if path in places:
                        raise InvalidBuild(f"{self._name}: file {path!r} is in it twice: pack it again")
                    places[path] = member.offset_data
                    size, sha256 = digest(_piece(self._file.fileno(), member.offset_data, member.size))
                    if size != member.size:
                        raise EOFError(f"it ends within {path!r}")
                    files.append(SourceFile(path=path, size=size, sha256=sha256))
        except _DAMAGED as error:
            raise InvalidBuild(f"{self._name} is not a tar file that can be read ({error}): pack it again") from error
        if not files:
            raise InvalidBuild(f"{self._name} is empty: build the app first, then pack its output folder")
        self._places = places
        return check_names(sorted(files, key=lambda file: file.path), self._name)

    def place(self, file: SourceFile) -> int:
        """Any order is as good as another."""
        return 0

    def open(self, file: SourceFile) -> BinaryIO:
        """The bytes of a file."""
        try:
            piece = _piece(self._file.fileno(), self._places[file.path], file.size)
        except (OSError, ValueError) as error:
            raise FileChanged(
                f"{self._name}: file {file.path!r} can no longer be read ({error}): publish again"
            ) from error
        return exact_stream(piece, file, self._name)

    def __enter__(self) -> Self:
        """The archive is open already."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the archive, and let go of what was unpacked."""
        self._file.close()

    def _check(self, member: tarfile.TarInfo) -> str | None:
        """The path of a member; None for a folder."""
        name = member.name.removeprefix("./")
        if member.isdir():
            if name not in ("", "."):
                check_path(name, self._name)
            return None
        check_path(name, self._name)
        if not member.isreg() or member.issparse():
            raise InvalidBuild(f"{self._name}: {name!r} is a link or a special file: pack the file itself")
        check_size(name, member.size, self._name)
        return name

    def _unpacked(self, packed: IO[bytes]) -> IO[bytes]:
        # An unnamed file: nothing is left behind, however this process ends.
        target = tempfile.TemporaryFile()  # noqa: SIM115  closed on exit
        size = 0
        try:
            with packed, gzip.GzipFile(fileobj=packed) as stream:
                while piece := stream.read(READ_BYTES):
                    size += len(piece)
                    check_unpacked_size(size, self._packed_bytes, self._name)
                    target.write(piece)
            target.flush()
        except InvalidBuild:
            target.close()
            raise
        except (zlib.error, EOFError, OSError) as error:
            target.close()
            raise InvalidBuild(
                f"{self._name} cannot be unpacked into '{tempfile.gettempdir()}' ({error}): pack it again, or set "
                f"TMPDIR to a folder with room for it"
            ) from error
        return cast("IO[bytes]", target)


class _Piece(io.RawIOBase):
    """A part of an open file; several may be read at once, each at its own position."""

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._start = start
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        wanted = min(len(buffer), max(0, self._size - self._position))
        data = os.pread(self._descriptor, wanted, self._start + self._position)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def _piece(descriptor: int, start: int, size: int) -> BinaryIO:
    return io.BufferedReader(_Piece(descriptor, start, size))
