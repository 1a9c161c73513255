"""Files that take a new name with every build though the rules do not count them as hashed."""

import re

from bluegreen_cdn.defaults import RENAME_WARNINGS
from bluegreen_cdn.domain.classification import CacheClass
from bluegreen_cdn.domain.manifest import Manifest, ManifestFile

# What looks like a digest or a counter: six characters or more with a digit among them, between separators.
_TOKEN = re.compile(r"(?<=[-._/])(?=[A-Za-z0-9]*\d)[A-Za-z0-9]{6,}(?=[-._/]|$)")
_SOURCE_MAP = ".map"


class Renames:
    """Which files of a build look renamed since another build, and which rule would let builds share them.

    Such a file is stored once for every build, and a page that is open when the build's files go loses it.

    Args:
        manifest: The build to be published.
    """

    def __init__(self, manifest: Manifest) -> None:
        patterns = ((file.path, _pattern(file)) for file in manifest.files)
        self._new: dict[str, str] = {path: pattern for path, pattern in patterns if pattern}
        self._patterns = frozenset(self._new.values())
        self._here = frozenset(file.path for file in manifest.files) if self._patterns else frozenset()
        self._vanished: dict[str, str] = {}

    def see(self, file: ManifestFile) -> None:
        """Take notice of a file of a build in the bucket."""
        if file.path in self._here:
            self._new.pop(file.path, None)
        elif self._patterns and (pattern := _pattern(file)) in self._patterns:
            self._vanished.setdefault(str(pattern), file.path)

    def warnings(self) -> tuple[str, ...]:
        """A line for each kind of renamed file, and the number of the other kinds."""
        renamed: dict[str, list[str]] = {}
        for path, pattern in self._new.items():
            if pattern in self._vanished:
                renamed.setdefault(pattern, []).append(path)
        lines = [
            f"file {paths[0]!r}{f' and {len(paths) - 1} more' if len(paths) > 1 else ''} was "
            f"{self._vanished[pattern]!r} in another build: if its name follows its content, let builds share it with "
            f"hashed=[{pattern!r}] (--hashed {pattern!r})"
            for pattern, paths in sorted(renamed.items())
        ]
        if len(lines) > RENAME_WARNINGS:
            return (*lines[:RENAME_WARNINGS], f"and {len(lines) - RENAME_WARNINGS} more kinds of renamed files")
        return tuple(lines)


def _pattern(file: ManifestFile) -> str | None:
    """The glob that a file's path and those of its renamed selves match; None if nothing in the path looks like it."""
    if file.cache_class is not CacheClass.VERSIONED or file.path.endswith(_SOURCE_MAP):
        return None
    pattern = _TOKEN.sub("*", f"/{file.path}")[1:]
    return pattern if pattern != file.path else None
