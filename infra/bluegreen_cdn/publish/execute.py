"""Carry a plan out: claim the build id, write the files, then the manifest, then tell the registry.

Nothing is overwritten and nothing is deleted, so a publish that was interrupted anywhere is completed by repeating
it, and the manifest, written last, never names a file that is not there.
"""

import hashlib
import io
import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, cast

from bluegreen_cdn.defaults import (
    COPY_REFUSALS_UNTIL_OFF,
    DIGEST_METADATA,
    IN_FLIGHT_BYTES,
    MANIFEST_IN_MEMORY_BYTES,
    SMALL_FILE_BYTES,
    UPLOAD_WORKERS,
)
from bluegreen_cdn.domain.classification import CacheClass
from bluegreen_cdn.domain.encodings import ENCODINGS
from bluegreen_cdn.domain.headers import ObjectHeaders
from bluegreen_cdn.domain.manifest import ReadableManifest, claim_key, manifest_key, manifest_lines
from bluegreen_cdn.domain.manifest_stream import ManifestStream
from bluegreen_cdn.errors import (
    BuildConflict,
    CloudError,
    CorruptCopy,
    FileChanged,
    ForeignState,
    NotFound,
    PublishError,
)
from bluegreen_cdn.publish.collect_heed import check_still_there
from bluegreen_cdn.publish.compress import Compression
from bluegreen_cdn.publish.compress_plan import Precompress
from bluegreen_cdn.publish.compress_store import Variants
from bluegreen_cdn.publish.object_store import NewObject, ObjectStore, PutOutcome, StoredObject
from bluegreen_cdn.publish.parallel import Budget, for_each
from bluegreen_cdn.publish.plan import Copy, PublishPlan, Upload
from bluegreen_cdn.publish.plan_known import shared_file_conflict
from bluegreen_cdn.publish.plan_same import check_same_build
from bluegreen_cdn.publish.ports import BuildRegistry, NoProgress, Progress
from bluegreen_cdn.publish.source import Source

_INTERNAL_HEADERS = ObjectHeaders(content_type="application/json", cache_control="no-store")


@dataclass(frozen=True, kw_only=True)
class PublishResult:
    """What a publish did.

    Attributes:
        build_id: The build that exists now.
        manifest_key: Its manifest.
        uploaded_files: Written by this publish.
        uploaded_bytes: Their bytes.
        found_files: Planned to be written, and found in place: an interrupted or concurrent publish had written them.
        copied_files: Copied on the server by this publish.
        copied_bytes: Their bytes, which were not sent.
        reused_files: Shared files of earlier builds.
        already_published: The build existed before.
        revived: It existed, and what retention had condemned of it was put again.
        compressed_files: Compressed by this publish; neither found nor taken from an earlier build.
        compressed_bytes: Their bytes.
        text_bytes: Bytes of the build's files that have precompressed variants.
        br_bytes: Bytes of the same files in brotli.
        gzip_bytes: Bytes of the same files in gzip.
    """

    build_id: str
    manifest_key: str
    uploaded_files: int = 0
    uploaded_bytes: int = 0
    found_files: int = 0
    copied_files: int = 0
    copied_bytes: int = 0
    reused_files: int = 0
    already_published: bool = False
    revived: bool = False
    compressed_files: int = 0
    compressed_bytes: int = 0
    text_bytes: int = 0
    br_bytes: int = 0
    gzip_bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        """The result for other programs."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def execute(
    plan: PublishPlan,
    source: Source,
    store: ObjectStore,
    *,
    registry: BuildRegistry | None = None,
    progress: Progress | None = None,
    workers: int = UPLOAD_WORKERS,
    compression: Compression = Compression.BEST,
) -> PublishResult:
    """Carry a plan out.

    Args:
        plan: The plan.
        source: What it was made from.
        store: The bucket it was made for.
        registry: Told last that the build exists. Default: nobody is told.
        progress: Whoever watches. Default: nobody.
        workers: Threads that upload. Default: `UPLOAD_WORKERS`.
        compression: How hard to compress the variants that the plan asks for. Default: as hard as possible.

    Raises:
        BuildConflict: Another publisher has put other content under the build id.
        SharedFileConflict: A hashed name exists with other bytes.
        FileChanged: A file of the build was written to meanwhile.
        ForeignState: Something that this package did not write lies at a key.
        CloudError: The cloud refused.
    """
    progress = progress or NoProgress()
    progress.planned(plan)
    stop = threading.Event()
    variants = Variants(plan, source, store, effort=compression, stop=stop)
    uploads = _Uploads(plan, source, store, progress, variants)
    manifest: ReadableManifest = plan.manifest
    if not plan.published or plan.uploads or plan.variants or manifest_key(plan.manifest.build_id) in plan.condemned:
        _claim_build_id(plan, store)
        for_each(uploads.store, _steps(plan, source), workers=workers, stop=stop)
        manifest = variants.manifest()
        check_still_there(plan, manifest, store)
        _write_manifest(plan, manifest, store)
    if registry is not None:
        registry.retain(plan.manifest.build_id)
    return PublishResult(
        build_id=plan.manifest.build_id,
        manifest_key=manifest_key(plan.manifest.build_id),
        uploaded_files=uploads.written,
        uploaded_bytes=uploads.written_bytes,
        found_files=len(plan.uploads) + len(plan.copies) - uploads.written - uploads.copied,
        copied_files=uploads.copied,
        copied_bytes=uploads.copied_bytes,
        reused_files=len(plan.reuses),
        already_published=plan.published,
        revived=plan.revives,
        compressed_files=variants.compressed_files,
        compressed_bytes=variants.compressed_bytes,
        **_text_bytes(manifest),
    )


def _text_bytes(manifest: ReadableManifest) -> dict[str, int]:
    """What the result says of the files that have variants: their bytes, plain and in each encoding."""
    total = dict.fromkeys(("text_bytes", *(f"{encoding}_bytes" for encoding in ENCODINGS)), 0)
    for file in manifest.files:
        total["text_bytes"] += file.size if file.encodings else 0
        for variant in file.encodings:
            total[f"{variant.encoding}_bytes"] += variant.size
    return total


Step = tuple[Upload | Copy | None, Precompress | None]


def _steps(plan: PublishPlan, source: Source) -> Iterator[Step]:
    """Every file, and its variants, which follow it, in the order in which the source is best read.

    Where any order will do, what takes longest comes first, so that no thread is left with it: compressing does.
    """
    variants = {one.file.path: one for one in plan.variants}
    uploads = sorted(plan.uploads, key=lambda upload: source.place(upload.source))
    steps: list[Step] = [
        *((copy, variants.pop(copy.upload.file.path, None)) for copy in plan.copies),
        *((upload, variants.pop(upload.file.path, None)) for upload in uploads),
    ]
    steps += ((None, one) for one in variants.values())
    if plan.variants and not any(source.place(upload.source) for upload in uploads):
        steps.sort(key=lambda step: -step[1].size if step[1] else 0)
    del variants, uploads
    # What is done makes room in memory for what is noted of it.
    steps.reverse()
    while steps:
        yield steps.pop()


class _Uploads:
    """The uploads of one plan, and their count."""

    def __init__(
        self, plan: PublishPlan, source: Source, store: ObjectStore, progress: Progress, variants: Variants
    ) -> None:
        self._plan = plan
        self._build_id = plan.manifest.build_id
        self._source = source
        self._store = store
        self._progress = progress
        self._variants = variants
        self._lock = threading.Lock()
        self._memory = Budget(IN_FLIGHT_BYTES)
        self.written = 0
        self.written_bytes = 0
        self.copied = 0
        self.copied_bytes = 0
        self._refusals = 0

    def store(self, step: Step) -> None:
        """Write one file and its variants unless they are there; called from several threads."""
        item, variants = step
        # Where the file was found, whoever wrote it may have written its variants, too.
        outcome = self._store_file(item) if item else PutOutcome.EXISTS
        if variants:
            self._variants.put(variants, look_first=outcome is PutOutcome.EXISTS)
            self._progress.compressed(variants)

    def _store_file(self, item: Upload | Copy) -> PutOutcome:
        upload, outcome = (item.upload, self._copy(item)) if isinstance(item, Copy) else (item, None)
        if outcome is None:
            with self._body(upload) as body:
                outcome = self._store.put_if_absent(upload.object, body)
            if outcome is PutOutcome.CREATED:
                self._count(upload)
        if outcome is PutOutcome.EXISTS:
            there = self._check_existing(upload)
            if upload.key in self._plan.condemned:
                self._put_again(upload, there)
        self._progress.stored(upload, outcome)
        return outcome

    def _copy(self, copy: Copy) -> PutOutcome | None:
        """Copy one file on the server unless it is there; None if it has to be uploaded."""
        if self._refusals >= COPY_REFUSALS_UNTIL_OFF:
            return None
        try:
            outcome = self._store.copy_if_absent(copy.source_key, copy.upload.object)
        except CorruptCopy:
            with self._body(copy.upload) as body:
                self._store.put_again(copy.upload.object, body)
            self._count(copy.upload)
            return PutOutcome.CREATED
        except NotFound:  # collected since its manifest was read
            return None
        except CloudError:  # if it is more than that, the upload says so
            with self._lock:
                self._refusals += 1
            return None
        if outcome is PutOutcome.CREATED:
            with self._lock:
                self.copied += 1
                self.copied_bytes += copy.upload.size
        return outcome

    def _count(self, upload: Upload) -> None:
        with self._lock:
            self.written += 1
            self.written_bytes += upload.size

    def _put_again(self, upload: Upload, there: StoredObject) -> None:
        """Write what is there again: retention deletes the version that it saw, and this one stays."""
        # The manifest of a published build names the headers that are there.
        new = replace(upload.object, headers=there.headers, metadata=there.metadata)
        with self._body(upload) as body:
            self._store.put_again(new if self._plan.published else upload.object, body)
        self._count(upload)

    @contextmanager
    def _body(self, upload: Upload) -> Iterator[BinaryIO]:
        if upload.size > SMALL_FILE_BYTES:
            with self._source.open(upload.source) as stream:
                yield stream
            return
        # From memory a small file is sent, and sent again after a failure, without going back to an archive.
        with self._memory.take(upload.size):
            with self._source.open(upload.source) as stream:
                data = stream.read()
            if len(data) != upload.size:
                raise FileChanged(
                    f"file {upload.file.path!r} had {upload.size} bytes and has {len(data)} now; nothing may "
                    f"write to the build while it is published: build again, then publish again"
                )
            yield io.BytesIO(data)

    def _check_existing(self, upload: Upload) -> StoredObject:
        there = self._store.head(upload.key)
        if there is None:
            raise PublishError(
                f"object '{upload.key}' of {self._store.name} was there and is gone: something deletes while "
                f"this publishes; publish again"
            )
        if there.sha256 is None:
            raise ForeignState(
                f"object '{upload.key}' of {self._store.name} exists without a sha256 in its metadata: "
                f"bluegreen-cdn did not write it; use a bucket of its own, or remove the object"
            )
        if there.sha256 == upload.object.sha256:
            return there
        if upload.cache_class is CacheClass.SHARED:
            raise shared_file_conflict(
                upload.file.path, there=there.sha256, here=upload.object.sha256, where=self._store.name
            )
        raise BuildConflict(
            f"build {self._build_id!r} has begun with other content: '{upload.key}' of {self._store.name} has "
            f"sha256 {there.sha256}, here it is {upload.object.sha256}; publish this one under another build id"
        )


def _claim_build_id(plan: PublishPlan, store: ObjectStore) -> None:
    """Let one content have the build id, before any of its files is written.

    Without it, two publishers of different builds under one id could each write a file that stops the other.
    """
    build_id = plan.manifest.build_id
    body = json.dumps({"format": 1, "content": plan.content}).encode()
    claim = _internal_object(claim_key(build_id), body)
    if store.put_if_absent(claim, io.BytesIO(body)) is PutOutcome.CREATED:
        return
    if store.get(claim.key) != body:
        raise BuildConflict(
            f"build id {build_id!r} is taken in {store.name}: a publish of other content has begun under it (see "
            f"'{claim.key}'); publish this one under another build id, or repeat that publish to complete it"
        )
    if claim.key in plan.condemned:
        store.put_again(claim, io.BytesIO(body))


def _write_manifest(plan: PublishPlan, manifest: ReadableManifest, store: ObjectStore) -> None:
    build_id = manifest.build_id
    key = manifest_key(build_id)
    with _rendered(manifest) as (new, body):
        if store.put_if_absent(new, body) is PutOutcome.CREATED:
            return
    check_same_build(ManifestStream.open(store.lines(key), build_id), plan.manifest)
    if key in plan.condemned:
        there = store.get(key)
        store.put_again(_internal_object(key, there), io.BytesIO(there))


@contextmanager
def _rendered(manifest: ReadableManifest) -> Iterator[tuple[NewObject, BinaryIO]]:
    """A manifest as it is written; that of many files lies on disk meanwhile."""
    sha256 = hashlib.sha256()
    with tempfile.SpooledTemporaryFile(max_size=MANIFEST_IN_MEMORY_BYTES) as body:
        try:
            for line in manifest_lines(manifest):
                sha256.update(line)
                body.write(line)
        except OSError as error:
            raise PublishError(
                f"the manifest of build {manifest.build_id!r} cannot be put by in '{tempfile.gettempdir()}' "
                f"({error.strerror}): set TMPDIR to a folder with room for it and publish again"
            ) from error
        size = body.tell()
        body.seek(0)
        yield _internal(manifest_key(manifest.build_id), size, sha256.hexdigest()), cast("BinaryIO", body)


def _internal_object(key: str, body: bytes) -> NewObject:
    return _internal(key, len(body), hashlib.sha256(body).hexdigest())


def _internal(key: str, size: int, sha256: str) -> NewObject:
    return NewObject(key=key, size=size, sha256=sha256, headers=_INTERNAL_HEADERS, metadata={DIGEST_METADATA: sha256})
