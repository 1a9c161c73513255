"""Which builds have manifests, and which keys those name."""

from collections.abc import Iterable, Iterator

from bluegreen_cdn.domain.manifest import (
    MANIFEST_PREFIX,
    ManifestFile,
    build_of_manifest_key,
    claim_key,
    is_note_key,
    is_supplement_key,
    manifest_key,
)
from bluegreen_cdn.domain.manifest_stream import manifest_files
from bluegreen_cdn.domain.retention import PublishedBuild
from bluegreen_cdn.errors import ForeignState, NotFound
from bluegreen_cdn.publish.collect_ports import VersionedStore
from bluegreen_cdn.publish.object_store import ObjectStore


def published_builds(store: VersionedStore) -> list[PublishedBuild]:
    """The builds that have manifests in a bucket.

    Raises:
        ForeignState: Something else lies among the manifests, so that what it stands for cannot be known.
    """
    found = []
    for version in store.versions(MANIFEST_PREFIX):
        if not version.latest or is_note_key(version.key):
            continue
        build = build_of_manifest_key(version.key)
        if build is None:
            raise ForeignState(f"object '{version.key}' of {store.name} is not a manifest of bluegreen-cdn: remove it")
        found.append(PublishedBuild(build=build, published=version.modified, version=version.version))
    return found


def files_of(store: ObjectStore, build: str) -> Iterator[ManifestFile]:
    """The files of a build, one at a time.

    Raises:
        NotFound: The build has no manifest.
        UnsupportedFormat: A newer version of this package wrote it.
        ForeignState: It is not a manifest.
    """
    yield from manifest_files(store.lines(manifest_key(build)), build)


def supplement_keys(store: ObjectStore, build: str) -> list[str]:
    """The supplements of a build's manifest: what was put elsewhere, too, since other rules came into force."""
    prefix = manifest_key(build).removesuffix("json")
    return [key for key in store.list_keys(prefix) if is_supplement_key(key, build)]


def supplement_files(store: ObjectStore, build: str) -> Iterator[ManifestFile]:
    """The files of a build's supplements, one at a time; a path may be in several.

    Raises:
        UnsupportedFormat: A newer version of this package wrote one.
        ForeignState: One is no supplement.
    """
    for key in supplement_keys(store, build):
        try:
            yield from manifest_files(store.lines(key), build)
        except NotFound:  # collected since the listing
            continue


def all_files_of(store: ObjectStore, build: str) -> Iterator[ManifestFile]:
    """The files of a build, those of its supplements last, one at a time.

    Raises:
        NotFound: The build has no manifest.
        UnsupportedFormat: A newer version of this package wrote it.
        ForeignState: It is not a manifest.
    """
    yield from files_of(store, build)
    yield from supplement_files(store, build)


def named_keys(store: ObjectStore, builds: Iterable[str], *, with_manifest: bool = False) -> Iterator[tuple[str, int]]:
    """Every key that some builds' manifests and supplements name, those of variants too, with its object's size.

    Args:
        store: The primary bucket.
        builds: Whose. One that has no manifest any more names nothing.
        with_manifest: Whether the keys of the manifests, claims and supplements are among them. Default: no.
    """
    for build in builds:
        try:
            for file in all_files_of(store, build):
                yield file.key, file.size
                for key, variant in zip(file.variant_keys(), file.encodings, strict=True):
                    yield key, variant.size
        except NotFound:
            continue
        if with_manifest:
            yield manifest_key(build), 0
            yield claim_key(build), 0
            for key in supplement_keys(store, build):
                yield key, 0
