"""Where a build comes from: the port, and what every source checks before anything is written anywhere."""

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from bluegreen_cdn.defaults import (
    ARCHIVE_RATIO_MAXIMUM,
    ARCHIVE_UNPACKED_FREE_BYTES,
    FILE_MAXIMUM_BYTES,
    PATH_MAXIMUM_BYTES,
    RESERVED_TOP_FOLDERS,
)
from bluegreen_cdn.errors import InvalidBuild

READ_BYTES = 1024 * 1024
READ_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_UNFIT = re.compile(r"[\x00-\x1f\x7f\\?#]")
_HARMLESS = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*/)*[A-Za-z0-9_-][A-Za-z0-9_.-]*", re.ASCII)
_RESERVED = tuple(f"{folder}/" for folder in RESERVED_TOP_FOLDERS)
_TAR_MAGIC, _TAR_MAGIC_OFFSET = b"ustar", 257


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFile:
    """One file of a build that is to be published.

    Attributes:
        path: Relative, with forward slashes.
        size: Bytes.
        sha256: Digest (hex).
    """

    path: str
    size: int
    sha256: str


class Source(Protocol):
    """A build on its way in. A context manager; `open` may be called from several threads."""

    @property
    def name(self) -> str:
        """What it is, for messages."""

    def listing(self) -> tuple[SourceFile, ...]:
        """Every file, sorted by path, each read once for its digest.

        Raises:
            InvalidBuild: Something in it cannot be published.
        """

    def place(self, file: SourceFile) -> int:
        """Where a file of the listing lies: files are best read in this order; 0 for all if any order will do."""

    def open(self, file: SourceFile) -> BinaryIO:
        """The bytes of a file, seekable.

        Raises:
            FileChanged: It is no longer what the listing said.
        """

    def __enter__(self) -> Self:
        """Open it."""

    def __exit__(self, *error: object) -> None:
        """Let go of what it holds open."""


def open_source(path: Path) -> Source:
    """The source at a path: a folder, a zip file or a tar file (plain or gzipped), told apart by what is in it.

    Raises:
        InvalidBuild: It is none of them.
    """
    # All import this module.
    from bluegreen_cdn.publish.folder_source import FolderSource
    from bluegreen_cdn.publish.tar_source import GZIP_MAGIC, TarSource
    from bluegreen_cdn.publish.zip_source import ZipSource

    if path.is_dir():
        return FolderSource(path)
    if path.is_file():
        try:
            with open(path, "rb") as stream:
                head = stream.read(_TAR_MAGIC_OFFSET + len(_TAR_MAGIC))
        except OSError as error:
            raise InvalidBuild(
                f"build {str(path)!r} cannot be read ({error.strerror}): mend its permissions"
            ) from error
        if head.startswith(GZIP_MAGIC) or head[_TAR_MAGIC_OFFSET:] == _TAR_MAGIC:
            return TarSource(path)
        return ZipSource(path)
    if path.exists():
        raise InvalidBuild(
            f"build {str(path)!r} is neither a folder nor an archive (zip, tar, tar.gz): pass what your bundler wrote"
        )
    raise InvalidBuild(f"build {str(path)!r} does not exist: build the app first, then pass its output folder")


def check_path(path: str, source: str) -> str:
    """Return a file's path unchanged if a key and a URL can carry it.

    Args:
        path: Relative, with forward slashes.
        source: What it is a path in, for the message.

    Raises:
        InvalidBuild: They cannot, or the edge keeps the path for itself.
    """
    problem = _problem(path)
    if problem:
        raise InvalidBuild(f"{source}: file {path!r} {problem}")
    return path


def check_size(path: str, size: int, source: str) -> int:
    """Return a file's size unchanged if S3 takes an object of it in one request.

    Raises:
        InvalidBuild: It does not.
    """
    if size > FILE_MAXIMUM_BYTES:
        raise InvalidBuild(
            f"{source}: file {path!r} has {size} bytes, {FILE_MAXIMUM_BYTES} are the most that one object takes: "
            f"serve it from elsewhere, or split it"
        )
    return size


def check_names(files: Iterable[SourceFile], source: str) -> tuple[SourceFile, ...]:
    """Return the files unchanged if no two of their paths are the same to some file system.

    Such a build cannot be unpacked everywhere, and which of the two a link meant is anybody's guess.

    Raises:
        InvalidBuild: Two paths differ in case, or in how an accent is written, only.
    """
    checked = tuple(files)
    seen: dict[str, str] = {}
    for file in checked:
        # Nearly every path is ASCII, for which this is all.
        path = file.path if file.path.isascii() else unicodedata.normalize("NFC", file.path)
        other = seen.setdefault(path.casefold(), file.path)
        if other != file.path:
            raise InvalidBuild(
                f"{source}: files {other!r} and {file.path!r} have names that differ in case or accents only, which "
                f"many file systems take for the same: rename one of them"
            )
    return checked


def check_unpacked_size(unpacked: int, packed: int, source: str) -> None:
    """Check that an archive does not unpack into more than a build plausibly does.

    Raises:
        InvalidBuild: It is a zip bomb, or as good as one.
    """
    if unpacked > max(ARCHIVE_UNPACKED_FREE_BYTES, packed * ARCHIVE_RATIO_MAXIMUM):
        raise InvalidBuild(
            f"{source} has {packed} bytes and unpacks into more than {ARCHIVE_RATIO_MAXIMUM} times as many, as zip "
            f"bombs do: publish the folder it was packed from"
        )


def digest(stream: BinaryIO) -> tuple[int, str]:
    """Size and SHA-256 (hex) of a stream from its present position on, in constant memory."""
    size, sha256 = 0, hashlib.sha256()
    while chunk := stream.read(READ_BYTES):
        size += len(chunk)
        sha256.update(chunk)
    return size, sha256.hexdigest()


def _problem(path: str) -> str | None:
    # Nearly every path is one that nothing can be wrong with.
    if _HARMLESS.fullmatch(path) and len(path) <= PATH_MAXIMUM_BYTES and not path.startswith(_RESERVED):
        return None
    segments = path.split("/")
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        return "has a name that is not UTF-8, which no URL can carry: rename it"
    if _UNFIT.search(path):
        return "has a control character, '\\', '?' or '#' in its name, which no URL path can carry as it is: rename it"
    if path.startswith("/") or ".." in segments:
        return "climbs out of the build: its path must stay inside"
    if "" in segments or "." in segments:
        return "has an empty or '.' segment in its path, which browsers take out of URLs: rename it"
    if len(encoded) > PATH_MAXIMUM_BYTES:
        return f"has a path of {len(encoded)} bytes, {PATH_MAXIMUM_BYTES} are the most that an S3 key has room for"
    if len(segments) > 1 and segments[0] in RESERVED_TOP_FOLDERS:
        return (
            f"lies in '{segments[0]}/', which the edge keeps for itself "
            f"({', '.join(f'/{folder}/' for folder in RESERVED_TOP_FOLDERS)}): move it to another folder"
        )
    return None
