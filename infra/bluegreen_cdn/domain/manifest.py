"""The manifest of a build: its commit marker, and the one list of what belongs to it.

A build exists exactly when `manifests/<id>.json` does. The bytes depend on the build alone (no time, no host), so two
publishers of the same build write the same manifest, and a repeated publish can tell its own work from another's.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring as _quoted
from typing import Any, Protocol, Self

from bluegreen_cdn.defaults import DOCUMENT_MODES
from bluegreen_cdn.domain.builds import check_build_id
from bluegreen_cdn.domain.classification import CacheClass, ClassificationRules
from bluegreen_cdn.domain.encodings import Variant, is_sha256, variant_key
from bluegreen_cdn.domain.headers import ObjectHeaders
from bluegreen_cdn.errors import ForeignState, InvalidInput, UnsupportedFormat

MANIFEST_FORMAT = 1
MANIFEST_PREFIX = "manifests/"
_SUFFIX = ".json"
_CLAIM_SUFFIX = ".claim"
_SUPPLEMENT = re.compile(rf"{MANIFEST_PREFIX}(.+)\.[0-9a-f]{{16}}\.healed")


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestFile:
    """One file of a build.

    Attributes:
        path: Where the build has it, relative, with forward slashes.
        key: The key of its object, the same in every bucket.
        size: Bytes of the file itself, without any content encoding.
        sha256: Digest (hex) of those bytes.
        content_type: The Content-Type it is served with.
        cache_class: Shared, entry or versioned.
        encodings: Precompressed variants that lie beside it (`br` at `<key>.br`, `gzip` at `<key>.gz`). Default: none.
        cache_control: The Cache-Control it is served with.
        content_disposition: The Content-Disposition it is served with. Default: none.
        content_language: The Content-Language it is served with. Default: none.
    """

    path: str
    key: str
    size: int
    sha256: str
    content_type: str
    cache_class: CacheClass
    cache_control: str
    encodings: tuple[Variant, ...] = ()
    content_disposition: str | None = None
    content_language: str | None = None

    @property
    def headers(self) -> ObjectHeaders:
        """What its object is stored with, and served with."""
        return ObjectHeaders(
            content_type=self.content_type,
            cache_control=self.cache_control,
            content_disposition=self.content_disposition,
            content_language=self.content_language,
        )

    def variant_keys(self) -> Iterator[str]:
        """The keys of its precompressed variants."""
        for variant in self.encodings:
            yield variant_key(self.key, variant.encoding)

    def to_json(self) -> dict[str, Any]:
        """The file as the manifest writes it; the rare headers only where there are any."""
        value: dict[str, Any] = {
            "path": self.path,
            "key": self.key,
            "size": self.size,
            "sha256": self.sha256,
            "content_type": self.content_type,
            "cache_class": self.cache_class.value,
            "cache_control": self.cache_control,
            "encodings": [variant.to_json() for variant in self.encodings],
        }
        if self.content_disposition is not None:
            value["content_disposition"] = self.content_disposition
        if self.content_language is not None:
            value["content_language"] = self.content_language
        return value

    def to_json_text(self) -> str:
        """The same as text. Written out, because a manifest has a line of it for every file."""
        encodings = _json([variant.to_json() for variant in self.encodings]) if self.encodings else "[]"
        rare = ""
        if self.content_disposition is not None:
            rare = f',"content_disposition":{_quoted(self.content_disposition)}'
        if self.content_language is not None:
            rare += f',"content_language":{_quoted(self.content_language)}'
        return (
            f'{{"path":{_quoted(self.path)},"key":{_quoted(self.key)},"size":{self.size},"sha256":"{self.sha256}",'
            f'"content_type":{_quoted(self.content_type)},"cache_class":"{self.cache_class}",'
            f'"cache_control":{_quoted(self.cache_control)},"encodings":{encodings}{rare}}}'
        )

    @classmethod
    def from_json(cls, value: Mapping[str, Any], build_id: str) -> Self:
        """Read one file of a manifest.

        Raises:
            ValueError: Something is missing, or contradicts the rest. (Also KeyError and TypeError.)
        """
        file = cls(
            path=_text(value["path"]),
            key=_text(value["key"]),
            size=_count(value["size"]),
            sha256=_text(value["sha256"]),
            content_type=_text(value["content_type"]),
            cache_class=CacheClass(value["cache_class"]),
            cache_control=_text(value["cache_control"]),
            encodings=tuple(map(Variant.from_json, _list(value["encodings"]))),
            content_disposition=_optional_text(value.get("content_disposition")),
            content_language=_optional_text(value.get("content_language")),
        )
        if not is_sha256(file.sha256):
            raise ValueError(f"sha256 of {file.path!r} is {file.sha256!r}")
        # Whoever deletes or copies by manifest trusts its keys: none may point outside of its own build.
        if file.key != object_key(build_id, file.path, file.cache_class):
            raise ValueError(f"key of {file.path!r} is {file.key!r}")
        if len({variant.encoding for variant in file.encodings}) != len(file.encodings):
            raise ValueError(f"an encoding of {file.path!r} is named twice")
        return file


class ReadableManifest(Protocol):
    """A manifest whose files are gone through: a `Manifest`, or one whose files are made or read meanwhile."""

    @property
    def build_id(self) -> str:
        """The build's name."""

    @property
    def mode(self) -> str:
        """How documents are found."""

    @property
    def rules(self) -> ClassificationRules:
        """The classification rules that chose the keys."""

    @property
    def files(self) -> Iterable[ManifestFile]:
        """Every file, sorted by path."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a build consists of.

    Attributes:
        build_id: The build's name.
        mode: How documents are found: `spa`, `directory` or `html`.
        rules: The classification rules that chose the keys.
        files: Every file, sorted by path.
        format: The format it was written in.
    """

    build_id: str
    mode: str
    rules: ClassificationRules
    files: tuple[ManifestFile, ...]
    format: int = MANIFEST_FORMAT

    def __post_init__(self) -> None:
        """Sort the files, so that equal builds have equal manifests."""
        check_build_id(self.build_id)
        check_mode(self.mode)
        object.__setattr__(self, "files", tuple(sorted(self.files, key=lambda file: file.path)))

    def entries(self) -> tuple[ManifestFile, ...]:
        """The files asked for by a fixed name that follow the rollout."""
        return tuple(file for file in self.files if file.cache_class is CacheClass.ENTRY)

    def to_json_bytes(self) -> bytes:
        """The manifest's object: the same bytes for the same build, always."""
        return b"".join(manifest_lines(self))

    @classmethod
    def from_json_bytes(cls, data: bytes) -> Self:
        """Read a manifest.

        Raises:
            UnsupportedFormat: A newer version of this package wrote it.
            ForeignState: It is not a manifest of this package.
        """
        try:
            value = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ForeignState(_foreign(f"it is not JSON ({error})")) from error
        if not isinstance(value, dict) or not isinstance(value.get("format"), int) or isinstance(value["format"], bool):
            raise ForeignState(_foreign("it has no format number"))
        if value["format"] > MANIFEST_FORMAT:
            raise UnsupportedFormat(
                f"the manifest of build {value.get('build_id')!r} has format {value['format']}, this version of "
                f"bluegreen-cdn reads up to {MANIFEST_FORMAT}: upgrade it here to at least the version that published "
                f"the build"
            )
        if value["format"] != MANIFEST_FORMAT:
            raise ForeignState(_foreign(f"its format is {value['format']}"))
        try:
            build_id = check_build_id(_text(value["build_id"]))
            manifest = cls(
                build_id=build_id,
                mode=_text(value["mode"]),
                rules=ClassificationRules.from_json(value["rules"]),
                files=tuple(ManifestFile.from_json(file, build_id) for file in _list(value["files"])),
            )
        except (KeyError, TypeError, ValueError, AttributeError, InvalidInput, ForeignState) as error:
            raise ForeignState(_foreign(f"{type(error).__name__}: {error}")) from error
        if len({file.path for file in manifest.files}) != len(manifest.files):
            raise ForeignState(_foreign("it names a path twice"))
        return manifest


def manifest_lines(manifest: ReadableManifest) -> Iterator[bytes]:
    """A manifest's object, piece by piece: the same bytes for the same build, always."""
    rules = manifest.rules.to_json()
    head = {"format": MANIFEST_FORMAT, "build_id": manifest.build_id, "mode": manifest.mode, "rules": rules}
    yield f'{_json(head)[:-1]},"files":['.encode()
    between = "\n"
    for file in manifest.files:
        yield f"{between}{file.to_json_text()}".encode()
        between = ",\n"
    # Of no files, too, the object ends as it always has.
    yield b"\n]}\n" if between != "\n" else b"\n\n]}\n"


def manifest_key(build_id: str) -> str:
    """The key of a build's manifest."""
    return f"{MANIFEST_PREFIX}{check_build_id(build_id)}{_SUFFIX}"


def claim_key(build_id: str) -> str:
    """The key of the note that says which content a build id has been given to, before the build exists.

    It lies with the manifests because nothing there can be reached through the CDN.
    """
    return f"{MANIFEST_PREFIX}{check_build_id(build_id)}{_CLAIM_SUFFIX}"


def is_claim_key(key: str) -> bool:
    """Whether a key under `manifests/` is a claim."""
    return key.startswith(MANIFEST_PREFIX) and key.endswith(_CLAIM_SUFFIX)


def supplement_key(build_id: str, sha256: str) -> str:
    """The key of a supplement: the files of a build that were put elsewhere, too, since other rules came into force.

    It has the form of a manifest, is named by its content, and is never changed: further rules make a further one.

    Args:
        build_id: The build.
        sha256: Digest (hex) of the supplement.
    """
    return f"{MANIFEST_PREFIX}{check_build_id(build_id)}.{sha256[:16]}.healed"


def is_supplement_key(key: str, build_id: str | None = None) -> bool:
    """Whether a key under `manifests/` is a supplement, of this build if one is named."""
    match = _SUPPLEMENT.fullmatch(key)
    return match is not None and build_id in (None, match[1])


def is_note_key(key: str) -> bool:
    """Whether a key under `manifests/` is something beside a manifest: a claim or a supplement."""
    return is_claim_key(key) or is_supplement_key(key)


def build_of_manifest_key(key: str) -> str | None:
    """The build whose manifest lies at a key; None if no manifest of ours could."""
    if not (key.startswith(MANIFEST_PREFIX) and key.endswith(_SUFFIX)):
        return None
    try:
        return check_build_id(key[len(MANIFEST_PREFIX) : -len(_SUFFIX)])
    except InvalidInput:
        return None


def object_key(build_id: str, path: str, cache_class: CacheClass) -> str:
    """The key of a file's object: one for all builds if its name carries its hash, else the build's own."""
    return f"shared/{path}" if cache_class is CacheClass.SHARED else f"builds/{build_id}/{path}"


def check_mode(mode: str) -> str:
    """Return the document mode unchanged if it is one.

    Raises:
        InvalidInput: It is not.
    """
    if mode not in DOCUMENT_MODES:
        raise InvalidInput(f"mode {mode!r} is unknown: use one of {', '.join(DOCUMENT_MODES)}")
    return mode


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=False)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value


def _optional_text(value: object) -> str | None:
    return None if value is None else _text(value)


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r} is not a number of bytes")
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{type(value).__name__} is not a list")
    return value


def _foreign(why: str) -> str:
    return f"this is not a manifest of bluegreen-cdn: {why}; look for whoever else writes under '{MANIFEST_PREFIX}'"
