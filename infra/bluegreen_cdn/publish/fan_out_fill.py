"""What another bucket lacks of a build that the primary has: found exactly, and filled in from the primary.

What a bucket has is known from its own manifests, as the primary's plan knows it, but only from those that a publish
to several buckets wrote there: replication may bring a manifest before its files. Whatever those do not name is asked
for object by object.
"""

import tempfile
import threading
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from bluegreen_cdn.defaults import FILL_LOOKS, SMALL_FILE_BYTES, TARGET_METADATA
from bluegreen_cdn.domain.manifest import MANIFEST_PREFIX, build_of_manifest_key
from bluegreen_cdn.domain.manifest_stream import manifest_files
from bluegreen_cdn.domain.verification import ExpectedObject, difference, expected_objects
from bluegreen_cdn.errors import AccessDenied, NotFound, SharedFileConflict
from bluegreen_cdn.publish.collect_condemned import Condemned
from bluegreen_cdn.publish.manifest_objects import new_object
from bluegreen_cdn.publish.object_store import PutOutcome, StoredObject
from bluegreen_cdn.publish.parallel import for_each
from bluegreen_cdn.publish.targets import Target

Objects = Callable[[], Iterator[ExpectedObject]]


@dataclass
class Filled:
    """What a bucket has been given from the primary.

    Attributes:
        files: Objects.
        bytes: Their bytes.
    """

    files: int = 0
    bytes: int = 0


def objects_of(manifest: BinaryIO, build_id: str) -> Objects:
    """The objects of a build, each time from the start of its manifest, without keeping them."""

    def walk() -> Iterator[ExpectedObject]:
        manifest.seek(0)
        for file in manifest_files(manifest, build_id):
            yield from expected_objects(file, build_id)

    return walk


def lacking(
    target: Target, primary: Target, objects: Objects, *, everywhere: Container[str], condemned: Condemned
) -> set[str]:
    """The keys of a build that nothing says the bucket has: neither this publish nor a manifest of its own.

    Args:
        target: The bucket.
        primary: The primary, whose manifests say what is in them.
        objects: The build.
        everywhere: Keys that this publish has put into every bucket.
        condemned: What retention is about to remove: no manifest counts for it.
    """
    unknown = {one.key for one in objects() if one.key not in everywhere}
    shared = {key for key in unknown if key.startswith("shared/") and key not in condemned}
    if len(shared) <= FILL_LOOKS:
        return unknown
    for build in _own_builds(target, primary):
        try:
            for file in manifest_files(primary.store.lines(f"{MANIFEST_PREFIX}{build}.json"), build):
                for one in expected_objects(file, build):
                    if one.key in shared:
                        shared.discard(one.key)
                        unknown.discard(one.key)
        except NotFound:  # collected since the listing
            continue
        if len(shared) <= FILL_LOOKS:
            break
    return unknown


def look_for(
    target: Target,
    primary: Target,
    objects: Objects,
    lacks: Callable[[ExpectedObject, StoredObject | None], None],
    *,
    everywhere: Container[str],
    condemned: Condemned,
    workers: int,
) -> None:
    """Call `lacks` with every object of a build that a bucket has not, or not as it must be, and what is there.

    Args:
        target: The bucket.
        primary: The primary.
        objects: The build.
        lacks: Called from several threads.
        everywhere: Keys that this publish has put into every bucket.
        condemned: What retention is about to remove, and is put again.
        workers: Threads.

    Raises:
        SharedFileConflict: A shared file has other bytes there.
        CloudError: A store refused.
    """
    unknown = lacking(target, primary, objects, everywhere=everywhere, condemned=condemned)

    def look(expected: ExpectedObject) -> None:
        there = head(target, expected.key)
        if there is not None and expected.key not in condemned and _is_right(expected, there):
            return
        if there is not None and there.sha256 != expected.sha256 and expected.key.startswith("shared/"):
            raise SharedFileConflict(
                f"'{expected.key}' of target {target.name!r} ({target.place}) has sha256 {there.sha256}, the primary's "
                f"{expected.sha256}: another site writes there; use a bucket of its own, or remove the object"
            )
        lacks(expected, there)

    if unknown:
        for_each(look, (one for one in objects() if one.key in unknown), workers=workers)


def fill(
    target: Target,
    primary: Target,
    objects: Objects,
    *,
    everywhere: Container[str],
    condemned: Condemned,
    workers: int,
) -> Filled:
    """Put what a bucket lacks of a build into it; arguments and errors as `look_for`."""
    filled, lock = Filled(), threading.Lock()

    def send(expected: ExpectedObject, there: StoredObject | None) -> None:
        _send(target, primary, expected, again=there is not None)
        with lock:
            filled.files += 1
            filled.bytes += expected.size

    look_for(target, primary, objects, send, everywhere=everywhere, condemned=condemned, workers=workers)
    return filled


def head(target: Target, key: str) -> StoredObject | None:
    """What lies at a key of a bucket; None, too, for who may not know that nothing does, and then writes it."""
    try:
        return target.store.head(key)
    except AccessDenied:
        return None


def _is_right(expected: ExpectedObject, there: StoredObject) -> bool:
    return difference(expected, size=there.size, headers=there.headers, metadata=there.metadata) is None


def _send(target: Target, primary: Target, expected: ExpectedObject, *, again: bool) -> None:
    new = new_object(expected)
    with tempfile.SpooledTemporaryFile(max_size=SMALL_FILE_BYTES) as spooled:
        body = cast(BinaryIO, spooled)
        with primary.named():
            primary.store.download(expected.key, spooled)
        body.seek(0)
        if not again and target.store.put_if_absent(new, body) is PutOutcome.CREATED:
            return
        there = None if again else target.store.head(new.key)
        if there is not None and _is_right(expected, there):  # another publisher was quicker
            return
        body.seek(0)
        target.store.put_again(new, body)


def _own_builds(target: Target, primary: Target) -> list[str]:
    """The builds that a publish to several buckets has made whole in one, the newest first."""
    found: list[tuple[float, str]] = []

    def look(key: str) -> None:
        build = build_of_manifest_key(key)
        there = head(target, key) if build else None
        if build is None or there is None or there.metadata.get(TARGET_METADATA) != target.place:
            return
        known = primary.store.head(key)
        if known is not None and known.sha256 == there.sha256:
            found.append((-there.modified, build))

    for_each(look, target.store.list_keys(MANIFEST_PREFIX), workers=8)
    return [build for _, build in sorted(found)]
