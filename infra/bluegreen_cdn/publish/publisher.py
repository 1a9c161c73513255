"""Publish a build: the whole story, for the command line, the custom resource and whoever imports it."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from bluegreen_cdn.defaults import DEFAULT_DOCUMENT_MODE, MANIFESTS_READ_AHEAD, UPLOAD_WORKERS
from bluegreen_cdn.domain.builds import check_build_id, content_build_id
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.header_rules import HeaderRules
from bluegreen_cdn.domain.healing import EdgeRules
from bluegreen_cdn.domain.manifest import (
    MANIFEST_PREFIX,
    Manifest,
    ManifestFile,
    build_of_manifest_key,
    check_mode,
    is_note_key,
    manifest_key,
)
from bluegreen_cdn.domain.manifest_stream import ManifestStream
from bluegreen_cdn.errors import BuildConflict, ForeignState, NotFound
from bluegreen_cdn.publish.closure import check_closure, closure_warnings
from bluegreen_cdn.publish.collect_condemned import Condemned
from bluegreen_cdn.publish.collect_heed import heed
from bluegreen_cdn.publish.compress import Compression
from bluegreen_cdn.publish.execute import PublishResult, execute
from bluegreen_cdn.publish.folder_source import FolderSource
from bluegreen_cdn.publish.heal import Healer
from bluegreen_cdn.publish.object_store import ObjectStore
from bluegreen_cdn.publish.plan import PublishPlan, plan_publish
from bluegreen_cdn.publish.ports import BuildRegistry, Progress
from bluegreen_cdn.publish.scan_ahead import ScansAhead
from bluegreen_cdn.publish.source import Source, SourceFile


def publish(
    source: Source,
    store: ObjectStore,
    *,
    build_id: str | None = None,
    rules: ClassificationRules | None = None,
    mode: str = DEFAULT_DOCUMENT_MODE,
    headers: HeaderRules | None = None,
    allow_missing: Iterable[str] = (),
    registry: BuildRegistry | None = None,
    progress: Progress | None = None,
    workers: int = UPLOAD_WORKERS,
    compression: Compression | None = None,
) -> PublishResult:
    """Make a build exist.

    Args:
        source: The build.
        store: The bucket.
        build_id: Its name. Default: a digest of its content.
        rules: Classification rules, the same as the edge's. Default: those of every known bundler.
        mode: How documents are found: `spa`, `directory` or `html`. Default: `spa`.
        headers: What the files are served with, and whether source maps go along. Default: by name, and no.
        allow_missing: Globs of paths that documents may lead to though the build lacks them. Default: none.
        registry: Told last that the build exists. Default: nobody is told.
        progress: Whoever watches. Default: nobody.
        workers: Threads that upload. Default: `UPLOAD_WORKERS`.
        compression: How hard to compress the variants of text files, which the edge of a site with precompression
            asks for. Default: there are none.

    Raises:
        InvalidInput: The build or an argument is not acceptable; nothing was done.
        PublishError: See `execute`.
        CloudError: The cloud refused.
    """
    plan = plan_for(
        source,
        store,
        build_id=build_id,
        rules=rules,
        mode=mode,
        headers=headers,
        allow_missing=allow_missing,
        precompress=compression is not None,
    )
    result = execute(
        plan,
        source,
        store,
        registry=registry,
        progress=progress,
        workers=workers,
        compression=compression or Compression.BEST,
    )
    if result.already_published:
        # By other rules, perhaps, or without the variants that the edge asks for by now.
        edge = EdgeRules(rules=plan.manifest.rules, precompress=compression is not None)
        Healer(store, edge, workers=workers).heal([result.build_id])
    return result


def plan_for(
    source: Source,
    store: ObjectStore,
    *,
    build_id: str | None = None,
    rules: ClassificationRules | None = None,
    mode: str = DEFAULT_DOCUMENT_MODE,
    headers: HeaderRules | None = None,
    allow_missing: Iterable[str] = (),
    precompress: bool = False,
) -> PublishPlan:
    """Read the build and the bucket's manifests, and work out what publishing means; writes nothing.

    Args:
        source: The build.
        store: The bucket.
        build_id: Its name. Default: a digest of its content.
        rules: Classification rules, the same as the edge's. Default: those of every known bundler.
        mode: How documents are found: `spa`, `directory` or `html`. Default: `spa`.
        headers: What the files are served with, and whether source maps go along. Default: by name, and no.
        allow_missing: Globs of paths that documents may lead to though the build lacks them. Default: none.
        precompress: Whether text files get brotli and gzip variants. Default: no.
    """
    check_mode(mode)
    if build_id is not None:
        check_build_id(build_id)
    rules = rules or ClassificationRules.default()
    headers = headers or HeaderRules()
    with ScansAhead(source.folder if isinstance(source, FolderSource) else None) as ahead:
        listing = source.listing()
        # Named by all of its files, so that one folder has one name whatever is left out of it.
        build_id = build_id or content_build_id((file.path, file.sha256) for file in listing)
        published = [file for file in listing if headers.publishes(file.path)]
        plan = _plan_beside_others(
            store, build_id, published, rules=rules, mode=mode, headers=headers, source=source, precompress=precompress
        )
        if plan.published:
            return plan
        closure = check_closure(
            source,
            published,
            rules=rules,
            mode=mode,
            build_id=build_id,
            allow_missing=allow_missing,
            known=ahead.settled,
        )
        return replace(plan, warnings=(*plan.warnings, *closure_warnings(closure)))


def _plan_beside_others(
    store: ObjectStore,
    build_id: str,
    published: Sequence[SourceFile],
    *,
    rules: ClassificationRules,
    mode: str,
    headers: HeaderRules,
    source: Source,
    precompress: bool,
) -> PublishPlan:
    """The plan by what the bucket has, and by what retention is about to remove."""
    # Before the manifests: one that is read after this and is condemned was condemned since, and outlasts any publish.
    condemned = Condemned.load(store)
    plan = plan_publish(
        build_id,
        published,
        rules=rules,
        mode=mode,
        headers=headers,
        retained=lambda files: retained_manifests(store, first=build_id, known=files),
        source=source.name,
        precompress=precompress,
    )
    plan = heed(plan, condemned)
    if plan.other_rules and plan.revives:
        raise BuildConflict(
            f"build {build_id!r} exists by other classification rules, and retention has condemned it: publish this "
            f"one under another build id"
        )
    return plan


def retained_manifests(
    store: ObjectStore, *, first: str | None = None, known: Mapping[str, ManifestFile] | None = None
) -> Iterator[ManifestStream]:
    """The manifests in a bucket, in the order of their keys, each read as its files are gone through.

    The next few are asked for meanwhile, so that many builds cost no more time than bytes, and no memory.

    Args:
        store: The bucket.
        first: A build whose manifest comes before all others. Default: none.
        known: Files by their paths that other builds have, too; see `ManifestStream.open`. Default: none.

    Raises:
        UnsupportedFormat: One is of a newer version of this package.
        ForeignState: One is none.
    """
    builds = []
    for key in store.list_keys(MANIFEST_PREFIX):
        if is_note_key(key):
            continue
        build_id = build_of_manifest_key(key)
        if build_id is None:
            raise ForeignState(f"object '{key}' of {store.name} is not a manifest of bluegreen-cdn: remove it")
        builds.append(build_id)
    builds.sort(key=lambda build_id: build_id != first)
    remaining, opened = iter(builds), deque[Future[ManifestStream]]()
    with ThreadPoolExecutor(max_workers=MANIFESTS_READ_AHEAD) as pool:
        while True:
            while len(opened) < MANIFESTS_READ_AHEAD and (build_id := next(remaining, None)) is not None:
                opened.append(pool.submit(open_manifest, store, build_id, known))
            if not opened:
                return
            try:
                yield opened.popleft().result()
            except NotFound:  # collected since the listing
                continue


def find_manifest(store: ObjectStore, build_id: str) -> Manifest | None:
    """The manifest of a build; None if the build does not exist.

    Asks the listing, because who may list a part of a bucket only is told "forbidden" for a key that is missing.
    """
    key = manifest_key(build_id)
    return load_manifest(store, build_id) if key in store.list_keys(key) else None


def open_manifest(store: ObjectStore, build_id: str, known: Mapping[str, ManifestFile] | None = None) -> ManifestStream:
    """The manifest of a build, whose files are read as they are gone through.

    Args:
        store: The bucket.
        build_id: The build.
        known: Files by their paths that it may have, too; see `ManifestStream.open`. Default: none.

    Raises:
        NotFound: The build does not exist.
        UnsupportedFormat: A newer version of this package wrote it.
        ForeignState: It is not a manifest, or another build's.
    """
    return ManifestStream.open(store.lines(manifest_key(build_id)), build_id, known)


def load_manifest(store: ObjectStore, build_id: str) -> Manifest:
    """The manifest of a build.

    Raises:
        NotFound: The build does not exist.
        UnsupportedFormat: A newer version of this package wrote it.
        ForeignState: It is not a manifest, or another build's.
    """
    key = manifest_key(build_id)
    manifest = Manifest.from_json_bytes(store.get(key))
    if manifest.build_id != build_id:
        raise ForeignState(
            f"manifest '{key}' of {store.name} is that of build {manifest.build_id!r}: somebody copied it"
        )
    return manifest
