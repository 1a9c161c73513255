"""Which variants a publish has to make, and whose bytes an earlier build has: pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from bluegreen_cdn.domain.classification import CacheClass
from bluegreen_cdn.domain.encodings import ENCODINGS, Variant, is_compressible, variant_key
from bluegreen_cdn.domain.manifest import Manifest, ManifestFile, ReadableManifest
from bluegreen_cdn.errors import InvalidBuild
from bluegreen_cdn.publish.manifest_objects import source_file
from bluegreen_cdn.publish.source import SourceFile

_NOTHING: Mapping[str, Variant] = MappingProxyType({})
"""One for all: a new build has very many files of which nothing is known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Precompress:
    """A file whose variants are to be put beside it.

    Attributes:
        file: The file as the manifest has it.
        known: Variants of the same bytes that an earlier build has, by the key of each. Default: none.
    """

    file: ManifestFile
    known: Mapping[str, Variant] = field(default_factory=lambda: _NOTHING)

    @property
    def source(self) -> SourceFile:
        """Where its bytes come from."""
        return source_file(self.file)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.file.size

    @property
    def is_known(self) -> bool:
        """Whether nothing of it needs to be compressed, unless what is known has gone meanwhile."""
        return len(self.known) == len(ENCODINGS)


def check_no_variants(listing: Iterable[SourceFile]) -> None:
    """Check that no file of a build has the name of another one's variant.

    Raises:
        InvalidBuild: One does.
    """
    paths = {file.path for file in listing}
    for path in sorted(paths):
        for encoding in ENCODINGS if is_compressible(path) else ():
            variant = variant_key(path, encoding)
            if variant in paths:
                raise InvalidBuild(
                    f"file {variant!r} has the name of the precompressed variant of {path!r}, which publishing makes "
                    f"itself: leave the bundler's compression plugin out, or have the site without precompression "
                    f"(precompress=False, --no-precompress)"
                )


def precompress_again(file: ManifestFile) -> Precompress:
    """A file whose variants are there and are to be put again."""
    known = dict(zip(file.variant_keys(), file.encodings, strict=True))
    return Precompress(file=file, known=known)


class KnownVariants:
    """The variants that other builds have of a build's files, in memory that grows with this build alone.

    Args:
        manifest: The build to be published; None if it gets no variants.
    """

    def __init__(self, manifest: Manifest | None) -> None:
        self._files = {file.path: file for file in manifest.files if is_compressible(file.path)} if manifest else {}
        self._wanted = {file.sha256 for file in self._files.values()}
        self._keys = {file.key: file.sha256 for file in self._files.values() if file.cache_class is CacheClass.SHARED}
        self._shared: dict[str, tuple[Variant, ...]] = {}
        self._same_bytes: dict[str, tuple[str, tuple[Variant, ...]]] = {}

    def see(self, file: ManifestFile) -> None:
        """Take notice of a file of another build."""
        if file.sha256 not in self._wanted or len(file.encodings) != len(ENCODINGS):
            return
        if self._keys.get(file.key) == file.sha256:
            self._shared[file.key] = file.encodings
        self._same_bytes[file.sha256] = (file.key, file.encodings)

    def plan(self, manifest: Manifest) -> tuple[Manifest, tuple[Precompress, ...]]:
        """The manifest with the variants that are there already, and the files that lack theirs, largest first.

        Args:
            manifest: The build as it will be.
        """
        files: list[ManifestFile] = []
        missing: list[Precompress] = []
        for file in manifest.files:
            if file.path in self._files and file.key in self._shared:
                file = replace(file, encodings=self._shared[file.key])
            elif file.path in self._files:
                missing.append(Precompress(file=file, known=self._known(file.sha256)))
            files.append(file)
        missing.sort(key=lambda one: (-one.size, one.file.key))
        return replace(manifest, files=tuple(files)), tuple(missing)

    def _known(self, sha256: str) -> Mapping[str, Variant]:
        key, variants = self._same_bytes.get(sha256, ("", ()))
        if not variants:
            return _NOTHING
        return {variant_key(key, variant.encoding): variant for variant in variants}


class NotedVariants:
    """A manifest whose variants are noted as its files are gone through.

    Args:
        manifest: That of a build that exists.
    """

    def __init__(self, manifest: ReadableManifest) -> None:
        self._manifest = manifest
        self._noted: dict[str, tuple[Variant, ...]] = {}
        self.build_id, self.mode, self.rules = manifest.build_id, manifest.mode, manifest.rules

    @property
    def files(self) -> Iterator[ManifestFile]:
        """Every file, sorted by path."""
        for file in self._manifest.files:
            if file.encodings:
                self._noted[file.path] = file.encodings
            yield file

    def applied_to(self, manifest: Manifest) -> Manifest:
        """A manifest of the same files with these variants."""
        files = (replace(file, encodings=self._noted.get(file.path, ())) for file in manifest.files)
        return replace(manifest, files=tuple(files))
