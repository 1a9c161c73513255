"""Put one file of a published build elsewhere, too: copied, compressed, or found there."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import BinaryIO, TypeVar, cast

from bluegreen_cdn.defaults import SMALL_FILE_BYTES
from bluegreen_cdn.domain.classification import CacheClass, ClassificationRules
from bluegreen_cdn.domain.encodings import ENCODINGS, Variant, variant_key
from bluegreen_cdn.domain.healing import Healing, healing_conflict
from bluegreen_cdn.domain.manifest import ManifestFile
from bluegreen_cdn.errors import CloudError, CorruptCopy, ForeignState, NotFound, PublishError
from bluegreen_cdn.publish.collect_condemned import Condemned
from bluegreen_cdn.publish.compress import Compression, compress
from bluegreen_cdn.publish.manifest_objects import file_object, variant_in, variant_object
from bluegreen_cdn.publish.object_store import NewObject, ObjectStore, PutOutcome, StoredObject

Outcome = TypeVar("Outcome")


class FileHealer:
    """Puts files where other rules look. `put` may be called from several threads.

    Args:
        store: The primary bucket.
        rules: Those that will be in force, for messages.
        condemned: What retention is about to remove, and is put again.
    """

    def __init__(self, store: ObjectStore, rules: ClassificationRules, condemned: Condemned) -> None:
        self._store, self._rules, self._condemned = store, rules, condemned

    def put(self, build_id: str, healing: Healing) -> ManifestFile:
        """Put one file and its variants; the file as it is there now."""
        file = healing.wanted
        if healing.moves:
            new = file_object(file, build_id)
            there = self._copy(healing.source.key, new)
            if there is not None:
                self._check(build_id, file, there)
                # A shared file keeps the headers that it was first put with, as when a build is published.
                file = replace(
                    file,
                    content_type=there.headers.content_type,
                    cache_control=there.headers.cache_control,
                    content_disposition=there.headers.content_disposition,
                    content_language=there.headers.content_language,
                )
        known = {variant.encoding: variant for variant in healing.source.encodings}
        variants: dict[str, Variant] = {}
        wanted = [variant.encoding for variant in healing.wanted.encodings] + list(healing.compress)
        for encoding in wanted:
            found = self._there(file, encoding)
            if found is None and encoding in known:
                source_key = variant_key(healing.source.key, encoding)
                self._copy(source_key, variant_object(file, known[encoding], build_id))
                found = self._there(file, encoding)
            if found is not None:
                variants[encoding] = found
        left = [encoding for encoding in wanted if encoding not in variants]
        if left:
            variants |= self._compress(build_id, file, healing.source.key, left)
        return replace(file, encodings=tuple(variants[encoding] for encoding in ENCODINGS if encoding in variants))

    def _copy(self, source_key: str, new: NewObject) -> StoredObject | None:
        """Copy an object unless its key exists; what is there already, and stays there."""
        outcome: PutOutcome | None = None
        if not new.key.startswith("shared/"):  # where others write, too, the write must be conditional for certain
            try:
                outcome = self._store.copy_if_absent(source_key, new)
            except CorruptCopy:
                self._send(source_key, new, self._store.put_again)
                outcome = PutOutcome.CREATED
            except NotFound:
                raise
            except CloudError:  # the source has no checksum to copy by
                pass
        if outcome is None:
            outcome = self._send(source_key, new, self._store.put_if_absent)
        return None if outcome is PutOutcome.CREATED else self._kept(new.key)

    def _send(self, source_key: str, new: NewObject, put: Callable[[NewObject, BinaryIO], Outcome]) -> Outcome:
        with tempfile.SpooledTemporaryFile(max_size=SMALL_FILE_BYTES) as body:
            self._store.download(source_key, body)
            body.seek(0)
            return put(new, cast(BinaryIO, body))

    def _kept(self, key: str) -> StoredObject | None:
        """What lies at a key, put again if retention has condemned it."""
        there = self._store.head(key)
        if there is not None and self._condemned.dooms(there):
            self._send(key, there.as_new(), self._store.put_again)
        return there

    def _check(self, build_id: str, file: ManifestFile, there: StoredObject) -> None:
        if there.sha256 == file.sha256:
            return
        if file.cache_class is CacheClass.SHARED and there.sha256 is not None:
            raise healing_conflict(
                file,
                build_id,
                self._rules,
                there=there.sha256,
                where=f"{self._store.name} ('{there.key}')",
                remedy="the build that brought it",
            )
        raise ForeignState(
            f"object '{there.key}' of {self._store.name} has sha256 {there.sha256 or 'unknown'} instead of "
            f"{file.sha256}: bluegreen-cdn did not write it; remove it"
        )

    def _there(self, file: ManifestFile, encoding: str) -> Variant | None:
        there = self._kept(variant_key(file.key, encoding))
        if there is None:
            return None
        variant = variant_in(there, file, encoding)
        if variant is None:
            raise ForeignState(
                f"object '{there.key}' of {self._store.name} is not the {encoding} variant of file {file.path!r}, "
                f"which the edge will ask for: give the file another name, or remove the object"
            )
        return variant

    def _compress(self, build_id: str, file: ManifestFile, source_key: str, encodings: list[str]) -> dict[str, Variant]:
        with tempfile.SpooledTemporaryFile(max_size=SMALL_FILE_BYTES) as body, ExitStack() as bodies:
            self._store.download(source_key, body)
            body.seek(0)
            made = compress(cast(BinaryIO, body), encodings, Compression.FAST, path=file.path, sha256=file.sha256)
            for each in made:
                bodies.enter_context(each.body)
            for each in made:
                self._store.put_if_absent(variant_object(file, each.variant, build_id), each.body)
        found: dict[str, Variant] = {}
        for encoding in encodings:  # whoever was first has decided on the bytes
            variant = self._there(file, encoding)
            if variant is None:
                raise PublishError(
                    f"object '{variant_key(file.key, encoding)}' of {self._store.name} was there and is gone: "
                    f"something deletes while builds are healed; try again"
                )
            found[encoding] = variant
        return found
