"""A build in memory: the fake of `Source`, so that a publish can be tested without files."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping

from bluegreen_cdn.errors import FileChanged, InvalidBuild
from bluegreen_cdn.publish.source import SourceFile, check_names, check_path, check_size


class MemorySource:
    """A build whose every file holds some text or bytes."""

    name = "the build"

    def __init__(self, contents: Mapping[str, str | bytes]) -> None:
        """Take the contents by path."""
        self._contents = contents

    def listing(self) -> tuple[SourceFile, ...]:
        """Every file, sorted by path."""
        if not self._contents:
            raise InvalidBuild(f"{self.name} is empty")
        return check_names([self._file(path) for path in sorted(self._contents)], self.name)

    def place(self, file: SourceFile) -> int:
        """Any order is as good as another."""
        return 0

    def open(self, file: SourceFile) -> io.BytesIO:
        """A file's bytes."""
        if file.path not in self._contents or self._file(file.path).size != file.size:
            raise FileChanged(f"{self.name}: file {file.path!r} is no longer what it was")
        return io.BytesIO(self._bytes(file.path))

    def __enter__(self) -> MemorySource:
        """Nothing is held open."""
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is held open."""

    def _file(self, path: str) -> SourceFile:
        data = self._bytes(check_path(path, self.name))
        size = check_size(path, len(data), self.name)
        return SourceFile(path=path, size=size, sha256=hashlib.sha256(data).hexdigest())

    def _bytes(self, path: str) -> bytes:
        content = self._contents[path]
        return content if isinstance(content, bytes) else content.encode()
