"""Put a build's variants beside its files: found in place, taken from an earlier build, or compressed here.

Two publishers may make different bytes of the same file. The first to write a variant decides; the other takes what
lies there, so that a manifest always says what visitors get.
"""

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import BinaryIO, TypeVar, cast

from bluegreen_cdn.defaults import COPY_MINIMUM_BYTES, FILE_DIGEST_METADATA, SMALL_FILE_BYTES
from bluegreen_cdn.domain.classification import CacheClass
from bluegreen_cdn.domain.encodings import ENCODINGS, Variant, pack_variants, unpack_variants, variant_key
from bluegreen_cdn.domain.manifest import Manifest, ManifestFile, ReadableManifest
from bluegreen_cdn.errors import CloudError, CorruptCopy, FileChanged, ForeignState, PublishError
from bluegreen_cdn.publish.compress import CompressedFile, Compression, compress, processors
from bluegreen_cdn.publish.compress_plan import Precompress
from bluegreen_cdn.publish.manifest_objects import variant_in, variant_object
from bluegreen_cdn.publish.object_store import NewObject, ObjectStore, PutOutcome, StoredObject
from bluegreen_cdn.publish.plan import PublishPlan
from bluegreen_cdn.publish.source import Source

Outcome = TypeVar("Outcome")


class Variants:
    """The variants of one build. Every method may be called from several threads.

    Args:
        plan: What is published.
        source: Its files.
        store: The bucket.
        effort: How hard to compress.
        cores: Files that are compressed at once. Default: as many as this machine has cores.
        stop: Ends what is being compressed soon once it is set. Default: nobody else stops it.

    Attributes:
        compressed_files: Files compressed here, and neither found nor reused.
        compressed_bytes: Their bytes.
    """

    def __init__(
        self,
        plan: PublishPlan,
        source: Source,
        store: ObjectStore,
        *,
        effort: Compression = Compression.BEST,
        cores: int | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._plan, self._source, self._store = plan, source, store
        self._effort = effort
        # More threads than cores wait for the network; only so many compress, and hold what compressors need. They are
        # always the same ones, because the memory that each thread has had is kept for it.
        self._cores = ThreadPoolExecutor(cores or processors(), "compress")
        self._lock = threading.Lock()
        self._stop = stop or threading.Event()
        self._there: dict[str, bytes] = {}
        self.compressed_files = 0
        self.compressed_bytes = 0

    def put(self, one: Precompress, *, look_first: bool) -> None:
        """See that the variants of a file are there. The file itself must be.

        Args:
            one: The file.
            look_first: Whether another publish may have put them there: asked before anything is compressed.

        Raises:
            ForeignState: Something that is no variant of this file lies at a variant's key.
            FileChanged: The file was written to meanwhile.
            PublishError: The variants cannot be kept on disk, or something deletes while this publishes.
            CloudError: The cloud refused.
        """
        there: dict[str, Variant] = {}
        for encoding in ENCODINGS:
            found = self._found(one.file, encoding) if look_first else None
            found = found or self._reused(one, encoding)
            if found is not None:
                there[encoding] = found
        left = [encoding for encoding in ENCODINGS if encoding not in there]
        if left:
            made = self._compressed(one, left)
            with ExitStack() as bodies:
                for each in made:
                    bodies.enter_context(each.body)
                for each in made:
                    there[each.variant.encoding] = self._stored(one.file, each)
        with self._lock:
            self._there[one.file.path] = pack_variants(there)

    def manifest(self) -> ReadableManifest:
        """The build's manifest with the variants that are there now."""
        return _WithVariants(self._plan.manifest, self._there)

    def _found(self, file: ManifestFile, encoding: str) -> Variant | None:
        """A variant that lies there, put again if it is condemned."""
        key = variant_key(file.key, encoding)
        there = self._store.head(key)
        if there is None:
            return None
        variant = variant_in(there, file, encoding)
        if variant is None:
            digest = there.metadata.get(FILE_DIGEST_METADATA)
            raise ForeignState(
                f"object '{key}' of {self._store.name} is not the {encoding} variant of file {file.path!r} (of a file "
                f"with sha256 {digest or 'unknown'} instead of {file.sha256}): give the file another name, or remove "
                f"the object"
            )
        if key in self._plan.condemned:
            self._put_again(file, variant, there)
        return variant

    def _reused(self, one: Precompress, encoding: str) -> Variant | None:
        """A variant of the same bytes that an earlier build has, put here without being compressed again."""
        for source_key, variant in one.known.items():
            new = self._object(one.file, variant)
            if variant.encoding != encoding or source_key == new.key:
                continue
            try:
                outcome = self._copied(source_key, new, one.file.cache_class)
            except (CloudError, FileChanged):
                return None  # collected since its manifest was read: compressed anew
            return variant if outcome is PutOutcome.CREATED else self._found(one.file, encoding)
        return None

    def _copied(self, source_key: str, new: NewObject, cache_class: CacheClass) -> PutOutcome:
        """As for the files themselves: copied on the server if that pays and nobody else may write the key."""
        if new.size >= COPY_MINIMUM_BYTES and cache_class is not CacheClass.SHARED:
            try:
                return self._store.copy_if_absent(source_key, new)
            except CorruptCopy:
                self._send(source_key, new, self._store.put_again)
                return PutOutcome.CREATED
        return self._send(source_key, new, self._store.put_if_absent)

    def _send(self, source_key: str, new: NewObject, put: Callable[[NewObject, BinaryIO], Outcome]) -> Outcome:
        with tempfile.SpooledTemporaryFile(max_size=SMALL_FILE_BYTES) as body:
            self._store.download(source_key, body)
            body.seek(0)
            return put(new, cast(BinaryIO, body))

    def _compressed(self, one: Precompress, encodings: list[str]) -> list[CompressedFile]:
        made = self._cores.submit(self._compress, one, encodings).result()
        with self._lock:
            self.compressed_files += 1
            self.compressed_bytes += one.size
        return made

    def _compress(self, one: Precompress, encodings: list[str]) -> list[CompressedFile]:
        self._check()
        with self._source.open(one.source) as stream:
            return compress(
                stream, encodings, self._effort, path=one.file.path, sha256=one.file.sha256, check=self._check
            )

    def _stored(self, file: ManifestFile, made: CompressedFile) -> Variant:
        new = self._object(file, made.variant)
        if self._store.put_if_absent(new, made.body) is PutOutcome.CREATED:
            return made.variant
        found = self._found(file, made.variant.encoding)
        if found is None:
            raise PublishError(
                f"object '{new.key}' of {self._store.name} was there and is gone: something deletes while this "
                f"publishes; publish again"
            )
        return found

    def _put_again(self, file: ManifestFile, variant: Variant, there: StoredObject) -> None:
        """Write a condemned variant again with its own bytes: another manifest may name their digest."""
        new = self._object(file, variant)
        if self._plan.published:  # its manifest names the headers that are there
            new = replace(new, headers=there.headers, metadata=there.metadata)
        self._send(there.key, new, self._store.put_again)

    def _object(self, file: ManifestFile, variant: Variant) -> NewObject:
        return variant_object(file, variant, self._plan.manifest.build_id)

    def _check(self) -> None:
        if self._stop.is_set():
            raise PublishError("publishing was stopped; publish again to complete it")


class _WithVariants:
    """A manifest whose variants are said as its files are gone through: no second list of files is kept in memory."""

    def __init__(self, manifest: Manifest, there: Mapping[str, bytes]) -> None:
        self._manifest, self._there = manifest, there
        self.build_id, self.mode, self.rules = manifest.build_id, manifest.mode, manifest.rules

    @property
    def files(self) -> Iterator[ManifestFile]:
        """Every file, sorted by path."""
        for file in self._manifest.files:
            there = self._there.get(file.path)
            yield file if there is None else replace(file, encodings=unpack_variants(there))
