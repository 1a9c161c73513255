"""A build in a folder."""

import hashlib
import io
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Self, cast

from bluegreen_cdn.defaults import HASH_BATCH_FILES, HASH_BUFFER_BYTES, HASH_WORKERS, READERS, SMALL_FILE_BYTES
from bluegreen_cdn.errors import FileChanged, InvalidBuild
from bluegreen_cdn.publish.exact_stream import exact_stream
from bluegreen_cdn.publish.parallel import for_each
from bluegreen_cdn.publish.source import READ_FLAGS, SourceFile, check_names, check_path, check_size


class FolderSource:
    """A build in a folder, as a bundler wrote it.

    Links to files and folders inside are followed; a link that leaves the folder is refused, because what it points
    to would become public.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._top = os.path.join(root, "")
        self._name = f"build folder '{root}'"
        self._reading = threading.BoundedSemaphore(READERS)

    @property
    def name(self) -> str:
        """The folder, for messages."""
        return self._name

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        return self._root

    def listing(self) -> tuple[SourceFile, ...]:
        """Every file, sorted by path, each read once for its digest."""
        files: list[SourceFile] = []

        def read(batch: Sequence[tuple[str, int]]) -> None:
            files.extend([self._read(path, size) for path, size in batch])

        # Every name is looked at before any file is read: a bad one is said at once.
        found = list(self._paths())
        batches = [found[start : start + HASH_BATCH_FILES] for start in range(0, len(found), HASH_BATCH_FILES)]
        for_each(read, batches, workers=HASH_WORKERS)
        if not files:
            raise InvalidBuild(f"{self.name} is empty: build the app first, then pass its output folder")
        return check_names(sorted(files, key=lambda file: file.path), self.name)

    def _read(self, path: str, expected: int) -> SourceFile:
        size, sha256 = 0, hashlib.sha256()
        # One more than it should have: what is answered short of that is all there is, and need not be asked again.
        wanted = min(expected + 1, HASH_BUFFER_BYTES)
        try:
            # Three requests of the system for nearly every file, where Python's files make six.
            stream = os.open(self._top + path, READ_FLAGS)
            try:
                while data := os.read(stream, wanted):
                    size += len(data)
                    sha256.update(data)
                    if size == expected and len(data) < wanted:
                        break
                    wanted = HASH_BUFFER_BYTES
            finally:
                os.close(stream)
        except OSError as error:
            raise InvalidBuild(_unreadable(self.name, path, error)) from error
        return SourceFile(path=path, size=size, sha256=sha256.hexdigest())

    def place(self, file: SourceFile) -> int:
        """Any order is as good as another."""
        return 0

    def open(self, file: SourceFile) -> BinaryIO:
        """The bytes of a file; those of a small one are in memory."""
        try:
            if file.size <= SMALL_FILE_BYTES:
                return io.BytesIO(self._whole(file))
            stream = cast("BinaryIO", io.FileIO(self._top + file.path))
            size = os.fstat(stream.fileno()).st_size
        except OSError as error:
            raise FileChanged(
                f"{self.name}: file {file.path!r} can no longer be read ({error.strerror}); nothing may write to the "
                f"folder while it is published: build again, then publish again"
            ) from error
        try:
            self._check_same_size(file, size)
        except FileChanged:
            stream.close()
            raise
        return exact_stream(stream, file, self.name)

    def _whole(self, file: SourceFile) -> bytes:
        """All bytes of a file."""
        # Threads that upload gain nothing by reading at once: at each request of the system they wait for each other.
        with self._reading:
            stream = os.open(self._top + file.path, READ_FLAGS)
            try:
                data = os.read(stream, file.size + 1)
                while len(data) < file.size and (more := os.read(stream, file.size + 1 - len(data))):
                    data += more
                if len(data) != file.size:
                    self._check_same_size(file, os.fstat(stream).st_size)
            finally:
                os.close(stream)
        return data

    def _check_same_size(self, file: SourceFile, size: int) -> None:
        if size != file.size:
            raise FileChanged(
                f"{self.name}: file {file.path!r} had {file.size} bytes and has {size} now; nothing may write to the "
                f"folder while it is published: build again, then publish again"
            )

    def __enter__(self) -> Self:
        """Nothing to open."""
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is held open."""

    def _paths(self) -> Iterator[tuple[str, int]]:
        yield from self._walk("", (os.path.realpath(self._root),))

    def _walk(self, folder: str, above: tuple[str, ...]) -> Iterator[tuple[str, int]]:
        """The files below a folder and their sizes; `above` has the real folders on the way down, against loops."""
        try:
            with os.scandir(self._root / folder) as scan:
                found = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            raise InvalidBuild(_unreadable(self.name, folder or ".", error)) from error
        for entry in found:
            path = f"{folder}{entry.name}"
            if entry.is_symlink():
                self._check_link(path, above[0])
            try:
                is_folder, is_file = entry.is_dir(), entry.is_file()
                size = entry.stat().st_size
            except OSError as error:
                raise InvalidBuild(_unreadable(self.name, path, error)) from error
            if is_folder:
                real = os.path.realpath(entry.path)
                if real in above:
                    raise InvalidBuild(f"{self.name}: link {path!r} leads back to a folder above it: remove it")
                yield from self._walk(f"{path}/", (*above, real))
            elif is_file:
                check_path(path, self.name)
                check_size(path, size, self.name)
                yield path, size
            else:
                raise InvalidBuild(f"{self.name}: {path!r} is neither a file nor a folder: remove it from the build")

    def _check_link(self, path: str, root: str) -> None:
        target = os.path.realpath(self._root / path)
        if os.path.commonpath((root, target)) != root:
            raise InvalidBuild(
                f"{self.name}: link {path!r} leaves the folder (to {target!r}), and what it points to would become "
                f"public: put a copy in its place"
            )


def _unreadable(source: str, path: str, error: OSError) -> str:
    return f"{source}: {path!r} cannot be read ({error.strerror}): mend it or its permissions"
