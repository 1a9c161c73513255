"""The two sweeps themselves: writing down versions, and deleting those that were written down."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from bluegreen_cdn.defaults import (
    CONDEMNED_CHUNK_OBJECTS,
    CONDEMNED_PREFIX,
    DELETE_BATCH_OBJECTS,
)
from bluegreen_cdn.domain.manifest import claim_key, is_supplement_key, manifest_key
from bluegreen_cdn.domain.retention import KeySet, PublishedBuild
from bluegreen_cdn.errors import NotFound
from bluegreen_cdn.publish.collect_condemned import (
    Sweep,
    chunk_bytes,
    chunk_key,
    chunk_prefix,
    keys_key,
    marker_key,
    read_chunk,
    sweep_prefix,
    write_note,
)
from bluegreen_cdn.publish.collect_ports import ObjectVersion, VersionedStore

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class Condemnation:
    """What a first sweep wrote down.

    Attributes:
        sweep: Its name.
        builds: The builds that will go.
        versions: Versions in all regions.
        bytes: Their size.
    """

    sweep: str
    builds: tuple[str, ...]
    versions: int
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """The condemnation for other programs."""
        return {"sweep": self.sweep, "builds": list(self.builds), "versions": self.versions, "bytes": self.bytes}


def condemn(
    stores: Mapping[str, VersionedStore],
    builds: Sequence[PublishedBuild],
    may_go: Callable[[str], bool],
    *,
    out_of_time: Callable[[], bool],
) -> Condemnation | None:
    """Write down every version of what may go.

    Args:
        stores: The bucket of every region, the primary one first.
        builds: The builds that go.
        may_go: Whether a key is named by them, and by no build that stays.
        out_of_time: Asked between steps.

    Returns:
        What was written, or None if there was no time; nothing is condemned then.
    """
    primary = next(iter(stores.values()))
    sweep = Sweep(id=f"{int(primary.now())}-{secrets.token_hex(4)}", builds=tuple(builds))
    condemned, number, size = KeySet(), 0, 0
    for region, store in stores.items():
        for place, chunk in enumerate(_chunks(_first_manifests(store, builds, may_go), CONDEMNED_CHUNK_OBJECTS)):
            if out_of_time():
                return None
            write_note(
                primary, chunk_key(sweep.id, region, place), chunk_bytes((one.key, one.version) for one in chunk)
            )
            for one in chunk:
                condemned.add(one.key)
                size += one.size
            number += len(chunk)
    write_note(primary, keys_key(sweep.id), condemned.to_bytes())
    write_note(primary, marker_key(sweep.id), sweep.to_json_bytes())
    return Condemnation(sweep=sweep.id, builds=tuple(build.build for build in builds), versions=number, bytes=size)


def _first_manifests(
    store: VersionedStore, builds: Sequence[PublishedBuild], may_go: Callable[[str], bool]
) -> Iterator[ObjectVersion]:
    """What may go, in the order in which it will: manifests and claims, the builds' own files, shared files."""
    for build in builds:
        manifest, claim = manifest_key(build.build), claim_key(build.build)
        yield from (version for version in store.versions(manifest) if version.key == manifest)
        for version in store.versions(manifest.removesuffix("json")):
            if version.key == claim or is_supplement_key(version.key, build.build):
                yield version
    for build in builds:
        yield from (version for version in store.versions(f"builds/{build.build}/") if may_go(version.key))
    yield from (version for version in store.versions("shared/") if may_go(version.key))


def delete_condemned(
    stores: Mapping[str, VersionedStore],
    sweep: Sweep,
    is_named: Callable[[str], bool],
    *,
    out_of_time: Callable[[], bool],
) -> tuple[int, bool]:
    """Delete the versions that a sweep wrote down and that no manifest names; a part that is done is struck out.

    Args:
        stores: The bucket of every region, the primary one first.
        sweep: The sweep.
        is_named: Whether a key belongs to a build that stays.
        out_of_time: Asked between steps.

    Returns:
        How many versions were deleted, and whether all is done.
    """
    primary = next(iter(stores.values()))
    deleted = 0
    for region, key in _parts(primary, sweep, stores):
        # Another run may have carried the sweep out, and what it spared is somebody's by now.
        if out_of_time() or primary.head(marker_key(sweep.id)) is None:
            return deleted, False
        try:
            versions = read_chunk(primary, key)
        except NotFound:
            continue
        for batch in _chunks((one for one in versions if not is_named(one[0])), DELETE_BATCH_OBJECTS):
            stores[region].delete_versions(batch)
            deleted += len(batch)
        _delete_all(primary, key)
    return deleted, True


def _parts(primary: VersionedStore, sweep: Sweep, regions: Iterable[str]) -> list[tuple[str, str]]:
    """A sweep's parts, the first of every region before the second of any: manifests go first."""
    parts = [(region, key) for region in regions for key in primary.list_keys(chunk_prefix(sweep.id, region))]
    return sorted(parts, key=lambda part: part[1].rpartition("/")[2])


def remove_sweep(stores: Mapping[str, VersionedStore], sweep_id: str) -> None:
    """Remove the notes of a sweep that is done, wherever replication has taken them; its marker last."""
    primary, *others = stores.values()
    for store in others:
        _delete_all(store, sweep_prefix(sweep_id))
    marker = marker_key(sweep_id)
    found = list(primary.versions(sweep_prefix(sweep_id)))
    for last in (False, True):
        for batch in _chunks(((one.key, one.version) for one in found if (one.key == marker) is last), 1000):
            primary.delete_versions(batch)


def remove_unfinished(stores: Mapping[str, VersionedStore], older_than_seconds: float) -> None:
    """Remove the notes of first sweeps that ended before they were complete."""
    primary = next(iter(stores.values()))
    complete = {key.split("/")[1] for key in primary.list_keys(CONDEMNED_PREFIX) if key.endswith("/sweep.json")}
    for store in stores.values():
        before = store.now() - older_than_seconds
        left = (
            (one.key, one.version)
            for one in store.versions(CONDEMNED_PREFIX)
            if one.modified < before and one.key.split("/")[1] not in complete
        )
        for batch in _chunks(left, DELETE_BATCH_OBJECTS):
            store.delete_versions(batch)


def _delete_all(store: VersionedStore, prefix: str) -> None:
    for batch in _chunks(((one.key, one.version) for one in store.versions(prefix)), DELETE_BATCH_OBJECTS):
        store.delete_versions(batch)


def _chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk
