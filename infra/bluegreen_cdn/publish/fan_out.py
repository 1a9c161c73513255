"""Several buckets that are published to as if they were one.

A file goes to all of them; a manifest goes to the primary last, after every other bucket has all that it names. So a
build exists exactly when the primary has its manifest, and then every bucket is whole.

The primary decides: another bucket gets a file together with it, or from it. Whatever a plan finds in place or reuses
is looked for in the other buckets, and filled in, before any manifest is written (`fan_out_fill`).
"""

import io
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, cast

from bluegreen_cdn.defaults import MANIFEST_IN_MEMORY_BYTES, TARGET_METADATA, UPLOAD_WORKERS
from bluegreen_cdn.domain.manifest import Manifest, build_of_manifest_key, claim_key, is_claim_key, manifest_key
from bluegreen_cdn.domain.manifest_stream import ManifestStream
from bluegreen_cdn.errors import BuildConflict, PublishError, SharedFileConflict
from bluegreen_cdn.publish.collect_condemned import Condemned
from bluegreen_cdn.publish.fan_out_fill import Filled, fill, objects_of
from bluegreen_cdn.publish.object_store import NewObject, PutOutcome, StoredObject
from bluegreen_cdn.publish.plan_same import check_same_build
from bluegreen_cdn.publish.read_back import ReadBackStore
from bluegreen_cdn.publish.store_reads import StoreReads
from bluegreen_cdn.publish.targets import Target, probe


@dataclass
class Sent:
    """What one bucket has got.

    Attributes:
        files: Objects written, copied or filled in.
        bytes: Their bytes.
        filled: Those of them that earlier builds or an interrupted publish had put into the primary alone.
        filled_bytes: Their bytes.
    """

    files: int = 0
    bytes: int = 0
    filled: int = 0
    filled_bytes: int = 0


class FanOutStore(StoreReads):
    """Several buckets as one `ObjectStore`: what is asked is the primary's answer, what is written goes to all.

    Args:
        targets: The buckets, the primary one first.
        condemned: What retention is about to remove, and is put again. Default: nothing.
        workers: Threads that fill in what a bucket lacks. Default: `UPLOAD_WORKERS`.
    """

    def __init__(
        self, targets: Sequence[Target], condemned: Condemned | None = None, *, workers: int = UPLOAD_WORKERS
    ) -> None:
        self.targets = [replace(target) for target in targets]
        self._primary, *self._others = self.targets
        super().__init__(self._primary.store)
        self._condemned, self._workers = condemned or Condemned(), workers
        self._lock = threading.Lock()
        self._everywhere: set[str] = set()
        self._prepared: set[str] = set()
        self._sent = {target.name: Sent() for target in targets}

    def to_json(self) -> list[dict[str, Any]]:
        """What every bucket has got, for other programs."""
        return [
            {"target": target.name, "place": target.place, **vars(self._sent[target.name])} for target in self.targets
        ]

    def put_if_absent(self, new: NewObject, body: BinaryIO) -> PutOutcome:
        """Write an object to every bucket unless the primary has it."""
        if is_claim_key(new.key):
            return self._claim(new, body.read())
        if build_of_manifest_key(new.key):
            return self._commit(new, body)
        with self._primary.named():
            outcome = self._primary.store.put_if_absent(new, body)
        if outcome is PutOutcome.CREATED:
            self._count(self._primary, new.size)
            for target in self._others:
                with target.named():
                    if self._put_beside(target, new, body):
                        self._count(target, new.size)
            self._note(new.key)
        return outcome

    def put_again(self, new: NewObject, body: BinaryIO) -> None:
        """Write an object to every bucket whether it exists or not."""
        if build_of_manifest_key(new.key):
            self._spread(new, body)
            body.seek(0)
            with self._primary.named():
                self._primary.store.put_again(new, body)
            return
        for target in self.targets:
            body.seek(0)
            with target.named():
                target.store.put_again(new, body)
            self._count(target, new.size)
        self._note(new.key)

    def copy_if_absent(self, source_key: str, new: NewObject) -> PutOutcome:
        """Copy an object in every bucket; the primary last, so that where one cannot, it is uploaded to all."""
        for target in (*self._others, self._primary):
            outcome = target.store.copy_if_absent(source_key, new)
            if outcome is PutOutcome.CREATED:
                self._count(target, new.size)
            elif target is not self._primary:
                self._check_beside(target, new)
        self._note(new.key)
        return outcome

    def mirror(self, build_id: str) -> None:
        """See that every bucket has a build that the primary has: one that was not among the targets before may not.

        Raises:
            TargetFailed: A bucket refused.
        """
        new = self._primary_object(manifest_key(build_id))
        with tempfile.SpooledTemporaryFile(max_size=MANIFEST_IN_MEMORY_BYTES) as body:
            with self._primary.named():
                self._primary.store.download(new.key, body)
            self._spread(new, cast(BinaryIO, body))

    def _primary_object(self, key: str) -> NewObject:
        with self._primary.named():
            there = self._primary.store.head(key)
        if there is None or there.sha256 is None:
            raise PublishError(f"'{key}' of target {self._primary.name!r} is gone: publish again")
        return there.as_new()

    def _claim(self, new: NewObject, data: bytes) -> PutOutcome:
        """The primary's claim decides between publishers; the others' tell who names them in another order."""
        with self._primary.named():
            outcome = self._primary.store.put_if_absent(new, io.BytesIO(data))
            there = self._primary.store.head(new.key) if outcome is PutOutcome.EXISTS else None
        if there is None or there.sha256 == new.sha256:
            for target in self.targets:
                self._prepare(target, new, data)
        return outcome

    def _prepare(self, target: Target, claim: NewObject, data: bytes) -> None:
        """Claim the build id in a bucket, and see what the bucket keeps if that is not known."""
        with target.named():
            if target is not self._primary:
                self._put_beside(target, claim, io.BytesIO(data))
            if target.probed and not probe(target, claim, data):
                target.store = ReadBackStore(target.store)
                self._store = self._primary.store
        self._prepared.add(target.name)

    def _commit(self, new: NewObject, body: BinaryIO) -> PutOutcome:
        self._spread(new, body)
        body.seek(0)
        with self._primary.named():
            outcome = self._primary.store.put_if_absent(new, body)
            there = self._primary.store.head(new.key) if outcome is PutOutcome.EXISTS else None
        if there is not None and there.sha256 != new.sha256:
            # Another publisher of this very build was first, with other headers or another compressor.
            self.mirror(str(build_of_manifest_key(new.key)))
        return outcome

    def _spread(self, new: NewObject, body: BinaryIO) -> None:
        """Fill in what the other buckets lack of a build, then write its manifest to them."""
        build_id = str(build_of_manifest_key(new.key))
        for target in self._others:
            marked = replace(new, metadata={**new.metadata, TARGET_METADATA: target.place})
            with target.named():
                there = target.store.head(new.key)
                if _is_marked(there, marked) and new.key not in self._condemned:
                    continue
                if target.name not in self._prepared:
                    claim = self._primary_object(claim_key(build_id))
                    self._prepare(target, claim, self._primary.store.get(claim.key))
                filled = fill(
                    target,
                    self._primary,
                    objects_of(body, build_id),
                    everywhere=self._everywhere,
                    condemned=self._condemned,
                    workers=self._workers,
                )
                self._count_filled(target, filled)
                self._write_manifest(target, marked, body)

    def _write_manifest(self, target: Target, marked: NewObject, body: BinaryIO) -> None:
        body.seek(0)
        if target.store.put_if_absent(marked, body) is PutOutcome.CREATED:
            return
        there = target.store.head(marked.key)
        if _is_marked(there, marked) and marked.key not in self._condemned:
            return
        build_id = str(build_of_manifest_key(marked.key))
        body.seek(0)
        wanted = Manifest.from_json_bytes(body.read())
        check_same_build(ManifestStream.open(target.store.lines(marked.key), build_id), wanted)
        body.seek(0)
        target.store.put_again(marked, body)

    def _put_beside(self, target: Target, new: NewObject, body: BinaryIO) -> bool:
        """Write an object to another bucket; whether it was not right there already."""
        body.seek(0)
        if target.store.put_if_absent(new, body) is PutOutcome.CREATED:
            return True
        if self._check_beside(target, new) and new.key not in self._condemned:
            return False
        body.seek(0)
        target.store.put_again(new, body)
        return True

    def _check_beside(self, target: Target, new: NewObject) -> bool:
        """Whether what another bucket has already is right; if not, it is this build's own and may be replaced.

        Raises:
            BuildConflict: The build id is another content's there.
            SharedFileConflict: It is a shared file with other bytes.
        """
        there = target.store.head(new.key)
        what = f"'{new.key}' of target {target.name!r} ({target.place})"
        if there is None:
            raise PublishError(f"{what} was there and is gone: something deletes while this publishes; publish again")
        if there.sha256 == new.sha256:
            return there.headers == new.headers and there.metadata == new.metadata
        if is_claim_key(new.key):
            raise BuildConflict(
                f"the build id is taken in {what}: a publish of other content has begun under it; publish this one "
                f"under another build id, and name the targets in the same order everywhere"
            )
        if new.key.startswith("shared/"):
            raise SharedFileConflict(
                f"{what} has sha256 {there.sha256}, the primary's {new.sha256}: another site writes there, or a "
                f"publisher that names its targets in another order; use a bucket of its own, or remove the object"
            )
        return False

    def _count(self, target: Target, size: int) -> None:
        with self._lock:
            sent = self._sent[target.name]
            sent.files += 1
            sent.bytes += size

    def _count_filled(self, target: Target, filled: Filled) -> None:
        sent = self._sent[target.name]
        sent.files += filled.files
        sent.bytes += filled.bytes
        sent.filled += filled.files
        sent.filled_bytes += filled.bytes

    def _note(self, key: str) -> None:
        with self._lock:
            self._everywhere.add(key)


def _is_marked(there: StoredObject | None, marked: NewObject) -> bool:
    """Whether a manifest is the one to be written, and was written there by a publish rather than brought."""
    return (
        there is not None
        and there.sha256 == marked.sha256
        and there.metadata.get(TARGET_METADATA) == marked.metadata[TARGET_METADATA]
    )
