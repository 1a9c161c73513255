"""A build in a zip file."""

import os
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, BinaryIO, Self, cast

from bluegreen_cdn.errors import FileChanged, InvalidBuild
from bluegreen_cdn.publish.exact_stream import exact_stream
from bluegreen_cdn.publish.source import SourceFile, check_names, check_path, check_size, check_unpacked_size, digest

_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)
_ENCRYPTED = 0x1
_MEMBER = struct.Struct("<QQQIHH")


class ZipSource:
    """A build in a zip file; its files are read as they are needed, never unpacked to disk.

    Args:
        archive: The zip file, or a seekable stream of one.
        name: What it is, for messages. Default: its path.
        in_order: Whether its files are better read in the order that they lie in. Default: no.
    """

    def __init__(self, archive: Path | IO[bytes], *, name: str | None = None, in_order: bool = False) -> None:
        self._in_order = in_order
        self._name = name or f"build archive '{archive}'"
        try:
            self._zip = zipfile.ZipFile(archive)
            self._packed_bytes = self._zip.fp.seek(0, os.SEEK_END) if self._zip.fp else 0
        except _DAMAGED as error:
            raise InvalidBuild(f"{self._name} is not a zip file that can be read ({error})") from error
        self._members: dict[str, bytes] = {}
        self._listing: tuple[SourceFile, ...] | None = None

    @property
    def name(self) -> str:
        """The archive, for messages."""
        return self._name

    def listing(self) -> tuple[SourceFile, ...]:
        """Every file, sorted by path, each read once for its digest."""
        if self._listing is None:
            self._members = self._packed()
            in_order = sorted(self._members, key=lambda path: _header_offset(self._members[path]))
            files = [self._read(path) for path in in_order]
            self._listing = check_names(sorted(files, key=lambda file: file.path), self._name)
        return self._listing

    def _packed(self) -> dict[str, bytes]:
        """What it takes to read each member; zipfile's own records of 100,000 of them are most of our memory."""
        members: dict[str, bytes] = {}
        unpacked_bytes = 0
        for member in self._zip.infolist():
            self._check(member)
            if member.is_dir():
                continue
            if member.filename in members:
                raise InvalidBuild(f"{self._name}: file {member.filename!r} is in it twice: pack it again")
            members[member.filename] = _pack(member)
            unpacked_bytes += member.file_size
        if not members:
            raise InvalidBuild(f"{self._name} is empty: build the app first, then pack its output folder")
        # Not by the sizes that the members claim to be packed in: those of a bomb lie, or share the same bytes.
        check_unpacked_size(unpacked_bytes, self._packed_bytes, self._name)
        self._zip.filelist.clear()
        self._zip.NameToInfo.clear()
        return members

    def place(self, file: SourceFile) -> int:
        """Where a file lies, if that matters."""
        return _header_offset(self._members[file.path]) if self._in_order else 0

    def open(self, file: SourceFile) -> BinaryIO:
        """The bytes of a file."""
        try:
            member = cast("BinaryIO", self._zip.open(_unpack(file.path, self._members[file.path])))
        except _DAMAGED as error:
            raise FileChanged(
                f"{self._name}: file {file.path!r} can no longer be read ({error}): publish again"
            ) from error
        return exact_stream(member, file, self._name)

    def __enter__(self) -> Self:
        """The archive is open already."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the archive."""
        self._zip.close()

    def _check(self, member: zipfile.ZipInfo) -> None:
        # zipfile cuts a name at a zero byte; the name as packed is what another program may act on.
        check_path(member.orig_filename.removesuffix("/"), self._name)
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind and not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            raise InvalidBuild(f"{self._name}: {member.filename!r} is a link or a special file: pack the file itself")
        if member.flag_bits & _ENCRYPTED:
            raise InvalidBuild(f"{self._name}: file {member.filename!r} is encrypted: pack it without a password")
        check_size(member.filename, member.file_size, self._name)

    def _read(self, path: str) -> SourceFile:
        try:
            with self._zip.open(_unpack(path, self._members[path])) as stream:
                size, sha256 = digest(cast("BinaryIO", stream))
        except _DAMAGED as error:
            raise InvalidBuild(f"{self._name}: file {path!r} cannot be read ({error}): pack it again") from error
        return SourceFile(path=path, size=size, sha256=sha256)


def _pack(member: zipfile.ZipInfo) -> bytes:
    """What it takes to open a member, in few bytes."""
    sizes = member.compress_size, member.file_size
    return _MEMBER.pack(member.header_offset, *sizes, member.CRC, member.compress_type, member.flag_bits)


def _unpack(path: str, packed: bytes) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(path)
    member.header_offset, member.compress_size, member.file_size, member.CRC, member.compress_type, member.flag_bits = (
        _MEMBER.unpack(packed)
    )
    return member


def _header_offset(packed: bytes) -> int:
    offset: int = _MEMBER.unpack(packed)[0]
    return offset
