"""Manifests read file by file: for whoever walks a build of a million files in little memory.

`Manifest.to_json_bytes` writes the head on the first line and each file, sorted by path, on a line of its own.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from bluegreen_cdn.domain.classification import CacheClass, ClassificationRules
from bluegreen_cdn.domain.manifest import Manifest, ManifestFile
from bluegreen_cdn.errors import ForeignState

_OPENS = b'"files":['
_CLOSES = b"]}"
_BEGINS = '{"path":"'


@dataclass(frozen=True, kw_only=True)
class ManifestStream:
    """A manifest whose files are read as they are asked for, once.

    Attributes:
        build_id: The build's name.
        mode: How documents are found.
        rules: The classification rules that chose the keys.
        files: Every file, sorted by path; raises what `manifest_files` raises.
    """

    build_id: str
    mode: str
    rules: ClassificationRules
    files: Iterator[ManifestFile]

    @classmethod
    def open(cls, lines: Iterable[bytes], build_id: str, known: Mapping[str, ManifestFile] | None = None) -> Self:
        """Read the head of a build's manifest.

        Args:
            lines: The manifest's lines, with or without their ends.
            build_id: Whose manifest it must be.
            known: Files by their paths, such as those of a newer build: a line that is what one of them would write
                gives that very object, much quicker than by parsing it. Default: none.

        Raises:
            UnsupportedFormat: A newer version of this package wrote it.
            ForeignState: It is not a manifest, or another build's.
        """
        remaining = iter(lines)
        head, files = _open(remaining, build_id, known or {})
        return cls(build_id=build_id, mode=head.mode, rules=head.rules, files=files)


def manifest_files(lines: Iterable[bytes], build_id: str) -> Iterator[ManifestFile]:
    """The files of a build's manifest.

    Args:
        lines: The manifest's lines, with or without their ends.
        build_id: Whose manifest it must be.

    Raises:
        UnsupportedFormat: A newer version of this package wrote it.
        ForeignState: It is not a manifest, or another build's, or its end is missing.
    """
    yield from _open(iter(lines), build_id, {})[1]


def _open(
    remaining: Iterator[bytes], build_id: str, known: Mapping[str, ManifestFile]
) -> tuple[Manifest, Iterator[ManifestFile]]:
    first = next(remaining, b"").rstrip(b"\r\n")
    if first.endswith(_OPENS):
        return _of(Manifest.from_json_bytes(first + _CLOSES), build_id), _files(remaining, build_id, known)
    # Laid out otherwise, as by whoever has reformatted it: then it is read whole.
    whole = _of(Manifest.from_json_bytes(b"\n".join([first, *remaining])), build_id)
    return whole, iter(whole.files)


def _files(remaining: Iterator[bytes], build_id: str, known: Mapping[str, ManifestFile]) -> Iterator[ManifestFile]:
    before = ""
    for line in remaining:
        data = line.strip()
        if data == _CLOSES:
            return
        if not data:
            continue
        file = _file(data.removesuffix(b","), build_id, known)
        if file.path <= before:
            raise ForeignState(f"the manifest of build {build_id!r} is not sorted at {file.path!r}: it is not ours")
        before = file.path
        yield file
    raise ForeignState(f"the manifest of build {build_id!r} has no end: somebody cut it off")


def _of(manifest: Manifest, build_id: str) -> Manifest:
    if manifest.build_id != build_id:
        raise ForeignState(f"the manifest of build {build_id!r} is that of {manifest.build_id!r}: somebody copied it")
    return manifest


def _file(data: bytes, build_id: str, known: Mapping[str, ManifestFile]) -> ManifestFile:
    try:
        text = data.decode()
        # What lies at a key of one build only cannot be a line of another's.
        file = known.get(text[len(_BEGINS) : text.find('"', len(_BEGINS))])
        if file is not None and file.cache_class is CacheClass.SHARED and text == file.to_json_text():
            return file
        return ManifestFile.from_json(json.loads(text), build_id)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ForeignState(
            f"a line of the manifest of build {build_id!r} names no file of it ({type(error).__name__}: {error})"
        ) from error
