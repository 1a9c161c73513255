"""Files that take a new name with every build though the rules do not count them as hashed."""

import re
from collections.abc import Iterable

from bluegreen_cdn.defaults import RENAME_WARNINGS
from bluegreen_cdn.domain.classification import CacheClass
from bluegreen_cdn.domain.manifest import Manifest, ManifestFile

# What looks like a digest or a counter: six characters or more with a digit among them, between separators.
_TOKEN = re.compile(r"(?<=[-._/])(?=[A-Za-z0-9]*\d)[A-Za-z0-9]{6,}(?=[-._/]|$)")
_SOURCE_MAP = ".map"


def rename_warnings(manifest: Manifest, retained: Iterable[Manifest]) -> tuple[str, ...]:
    """Say which files of a build look renamed since another build, and which rule would let builds share them.

    Such a file is stored once for every build, and a page that is open when the build's files go loses it.

    Args:
        manifest: The build to be published.
        retained: The builds in the bucket.
    """
    here = {file.path for file in manifest.files}
    before: set[str] = set()
    vanished: dict[str, str] = {}
    for other in retained:
        for file in other.files:
            before.add(file.path)
            if file.path not in here and (pattern := _pattern(file)):
                vanished.setdefault(pattern, file.path)
    renamed: dict[str, list[str]] = {}
    for file in manifest.files:
        pattern = _pattern(file)
        if pattern in vanished and file.path not in before:
            renamed.setdefault(str(pattern), []).append(file.path)
    lines = [
        f"file {paths[0]!r}{f' and {len(paths) - 1} more' if len(paths) > 1 else ''} was "
        f"{vanished[pattern]!r} in another build: if its name follows its content, let builds share it with "
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
