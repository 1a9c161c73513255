"""Look through the files of a large folder in a process of its own, while this one hashes them and plans.

One Python runs on one core, and what files refer to takes a third of the time before the first one is sent. Nothing
depends on that process: what it has not said in time, or could not read, is looked through where it is asked for, and
so is everything where no process can be started.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from bluegreen_cdn.defaults import (
    COLLECT_AFTER_OBJECTS,
    HASH_BUFFER_BYTES,
    SCAN_AHEAD_BATCH_FILES,
    SCAN_AHEAD_MAXIMUM_BYTES,
    SCAN_AHEAD_MINIMUM_FILES,
    SCAN_MAXIMUM_BYTES,
)
from bluegreen_cdn.domain.closure import Settled, is_read, settle
from bluegreen_cdn.domain.references import Reference, ReferenceKind, Scan, text_of
from bluegreen_cdn.publish.source import READ_FLAGS

if TYPE_CHECKING:
    import subprocess

    from bluegreen_cdn.publish.source import SourceFile


_NOTHING: tuple[Any, ...] = (None, (), (), "")
_FILE_BYTES, _LOAD_BYTES, _REFERENCE_BYTES = 350, 8, 200
"""What it takes in memory that a file is known, that it leads to a file the short way, and that it does otherwise."""


class ScansAhead:
    """What the files of a folder refer to, as far as it is known by now. A context manager; ends the process.

    Args:
        folder: The folder; None for a build that is not in one, of which nothing is known ahead.
    """

    def __init__(self, folder: Path | None) -> None:
        self._found: dict[str, tuple[int, tuple[str, ...], list[Any], str]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        if folder is not None and (os.cpu_count() or 1) > 1 and _is_large(folder):
            self._process = _start(folder)

    def settled(self, file: SourceFile) -> Settled | None:
        """What a file refers to, as `settle` says it; None if it is not known."""
        size, loads, left, base = self._found.get(file.path, _NOTHING)
        if size != file.size:
            return None
        references = tuple([Reference(target, ReferenceKind(kind), above) for target, kind, above in left])
        return Settled(loads, Scan(references, base))

    def __enter__(self) -> Self:
        """Begin to take what the process says."""
        if self._process is not None and self._process.stdout is not None:
            threading.Thread(target=self._take, args=(self._process.stdout,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        """Nobody asks any more."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _take(self, said: IO[bytes]) -> None:
        room = SCAN_AHEAD_MAXIMUM_BYTES
        with said:
            for line in said:
                # The process may have been ended in the middle of a line.
                if not line.endswith(b"\n"):
                    return
                for path, (size, loads, left, base) in json.loads(line).items():
                    # Pages lead to the same places again and again: one copy of each.
                    self._found[path] = (size, tuple(map(sys.intern, loads)), left, base)
                    room -= _FILE_BYTES + _LOAD_BYTES * len(loads) + _REFERENCE_BYTES * len(left)
                if room < 0:
                    return


def scan_folder(folder: str) -> Iterator[Mapping[str, list[Any]]]:
    """Size of the files in a folder and what they refer to, some at a time, by their paths."""
    top = os.path.join(folder, "")
    paths = filter(is_read, _paths(top))
    while batch := list(islice(paths, SCAN_AHEAD_BATCH_FILES)):
        found: dict[str, list[Any]] = {}
        for path in batch:
            try:
                data = _read(top + path)
            except OSError:  # whoever is asked for the file says so
                continue
            if len(data) <= SCAN_MAXIMUM_BYTES:
                settled = settle(path, text_of(data))
                left = [(each.target, each.kind, each.from_above) for each in settled.left.references]
                found[path] = [len(data), settled.loads, left, settled.left.base]
        yield found


def _read(path: str) -> bytes:
    """The bytes of a file, or too many of them."""
    pieces, size = [], 0
    stream = os.open(path, READ_FLAGS)
    try:
        # Room for the largest file that is looked through would cost more than what most files have.
        while size <= SCAN_MAXIMUM_BYTES and (piece := os.read(stream, HASH_BUFFER_BYTES)):
            pieces.append(piece)
            size += len(piece)
            if len(piece) < HASH_BUFFER_BYTES:
                break
    finally:
        os.close(stream)
    return b"".join(pieces)


def _paths(top: str, folder: str = "") -> Iterator[str]:
    """The paths of files. Behind links nothing is looked for: whether they may be followed is not known here."""
    with os.scandir(top + folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _paths(top, f"{folder}{entry.name}/")
            elif entry.is_file(follow_symlinks=False):
                yield folder + entry.name


def _is_large(folder: Path) -> bool:
    """Whether a process is worth its start."""
    try:
        return next(islice(_paths(os.path.join(folder, "")), SCAN_AHEAD_MINIMUM_FILES - 1, None), None) is not None
    except OSError:  # whoever lists the folder says so
        return False


def _start(folder: Path) -> subprocess.Popen[bytes] | None:
    import subprocess  # takes a while, and few builds are large

    package = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    try:
        return subprocess.Popen(  # noqa: S603  our own module
            [sys.executable, "-m", __name__, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": paths},
        )
    except OSError:
        return None


def main() -> None:
    """Say what the files of a folder refer to, a line of JSON for some of them at a time."""
    gc.set_threshold(COLLECT_AFTER_OBJECTS)
    for found in scan_folder(sys.argv[1]):
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
