"""A build in memory: the fake of `Source`, so that a publish can be tested without files."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping

from bluegreen_cdn.publish.source import SourceFile


class MemorySource:
    """A build whose every file holds some text."""

    name = "the build"

    def __init__(self, texts: Mapping[str, str]) -> None:
        """Take the texts by path."""
        self._texts = texts

    def listing(self) -> tuple[SourceFile, ...]:
        """Every file, sorted by path."""
        return tuple(
            SourceFile(path=path, size=len(text.encode()), sha256=hashlib.sha256(text.encode()).hexdigest())
            for path, text in sorted(self._texts.items())
        )

    def open(self, file: SourceFile) -> io.BytesIO:
        """A file's bytes."""
        return io.BytesIO(self._texts[file.path].encode())

    def __enter__(self) -> MemorySource:
        """Nothing is held open."""
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is held open."""
