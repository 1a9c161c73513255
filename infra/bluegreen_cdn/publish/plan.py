"""What a publish will do, worked out before it does anything: pure, frozen, printable."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bluegreen_cdn.domain.builds import content_digest
from bluegreen_cdn.domain.classification import CacheClass, ClassificationRules
from bluegreen_cdn.domain.header_rules import HeaderRules
from bluegreen_cdn.domain.headers import ObjectHeaders, object_metadata
from bluegreen_cdn.domain.manifest import Manifest, ManifestFile, check_mode, object_key
from bluegreen_cdn.errors import BuildConflict, InvalidBuild, SharedFileConflict
from bluegreen_cdn.publish.collect_condemned import Condemned
from bluegreen_cdn.publish.copies import CopySources
from bluegreen_cdn.publish.object_store import NewObject
from bluegreen_cdn.publish.plan_renames import rename_warnings
from bluegreen_cdn.publish.source import SourceFile


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """A file to be written unless its key exists.

    Attributes:
        source: Where its bytes come from.
        object: What it becomes.
        cache_class: Decides what an existing object with other bytes means.
    """

    source: SourceFile
    object: NewObject
    cache_class: CacheClass


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """A file that the store copies from what an earlier build has, to a key that only this build writes.

    Attributes:
        upload: How it is written if it cannot be copied.
        source_key: The object that has its bytes.
        build_id: A build whose manifest names that object.
    """

    upload: Upload
    source_key: str
    build_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Reuse:
    """A shared file that a retained build has already put where this one needs it.

    Attributes:
        path: The file.
        key: Its object.
        size: Bytes that need not be sent.
        build_id: A build whose manifest names the object.
    """

    path: str
    key: str
    size: int
    build_id: str


@dataclass(frozen=True, kw_only=True)
class PublishPlan:
    """What a publish will do.

    Attributes:
        manifest: The build as it will be.
        content: Digest over all paths and bytes; what a claim on the build id is made with.
        uploads: Files to be written, largest first, so that no thread is left with a long one at the end.
        reuses: Shared files that are there already.
        published: The build exists with this very content; what is to be uploaded all the same is condemned.
        warnings: What its publisher should know, a line each. Default: none.
        condemned: What retention is about to remove, and is put again. Default: nothing.
        copies: Files that are copied on the server, so that their bytes are not sent. Default: none.
    """

    manifest: Manifest
    content: str
    uploads: tuple[Upload, ...]
    reuses: tuple[Reuse, ...]
    published: bool
    warnings: tuple[str, ...] = ()
    condemned: Condemned = field(default_factory=Condemned)
    copies: tuple[Copy, ...] = ()

    @property
    def upload_bytes(self) -> int:
        """Bytes that will be sent."""
        return sum(upload.object.size for upload in self.uploads)

    @property
    def copy_bytes(self) -> int:
        """Bytes that will be copied on the server."""
        return sum(copy.upload.object.size for copy in self.copies)

    def to_json(self) -> dict[str, Any]:
        """The plan for other programs."""
        return {
            "build_id": self.manifest.build_id,
            "published": self.published,
            "upload_files": len(self.uploads),
            "upload_bytes": self.upload_bytes,
            "copy_files": len(self.copies),
            "copy_bytes": self.copy_bytes,
            "reuse_files": len(self.reuses),
            "reuse_bytes": sum(reuse.size for reuse in self.reuses),
            "uploads": [
                {
                    "path": upload.source.path,
                    "key": upload.object.key,
                    "size": upload.object.size,
                    "cache_class": upload.cache_class.value,
                    "content_type": upload.object.headers.content_type,
                    "cache_control": upload.object.headers.cache_control,
                }
                for upload in self.uploads
            ],
            "copies": [
                {
                    "path": copy.upload.source.path,
                    "key": copy.upload.object.key,
                    "size": copy.upload.object.size,
                    "source_key": copy.source_key,
                }
                for copy in self.copies
            ],
            "reuses": [{"path": reuse.path, "key": reuse.key, "size": reuse.size} for reuse in self.reuses],
            "warnings": list(self.warnings),
        }


def plan_publish(
    build_id: str,
    listing: Sequence[SourceFile],
    *,
    rules: ClassificationRules,
    mode: str,
    headers: HeaderRules | None = None,
    retained: Iterable[Manifest] = (),
    source: str = "the build",
) -> PublishPlan:
    """Work out what publishing a build means.

    Args:
        build_id: The build's name.
        listing: Its files.
        rules: Decide the cache class, and so the key, of each file.
        mode: How documents are found: `spa`, `directory` or `html`.
        headers: What the files are served with. Default: what follows from their names.
        retained: The manifests in the bucket. Default: none, as in an empty bucket.
        source: What the listing is of, for messages.

    Raises:
        InvalidBuild: No visitor could be served from it.
        InvalidRules: A header rule would let browsers keep a document.
        BuildConflict: The build id exists with other content.
        SharedFileConflict: A retained build has other bytes under the same hashed name.
    """
    check_documents(listing, rules=rules, mode=mode, source=source)
    manifest = _manifest(build_id, listing, rules, mode, headers or HeaderRules())
    shared: dict[str, tuple[ManifestFile, str]] = {}
    sources_of_copies = CopySources()
    published = False
    others = list(retained)
    for other in others:
        if other.build_id == build_id:
            check_same_build(other, manifest)
            published = True
        for file in other.files:
            if file.cache_class is CacheClass.SHARED:
                shared.setdefault(file.key, (file, other.build_id))
            sources_of_copies.add(file, other.build_id)
    if published:
        return PublishPlan(manifest=manifest, content=_content(listing), uploads=(), reuses=(), published=True)

    sources = {file.path: file for file in listing}
    uploads: list[Upload] = []
    copies: list[Copy] = []
    reuses: list[Reuse] = []
    files: list[ManifestFile] = []
    for file in manifest.files:
        known, owner = shared.get(file.key, (None, ""))
        files.append(file if known is None else _with_headers(file, known.headers))
        if known is None:
            upload = upload_of(file, sources[file.path], build_id)
            if place := sources_of_copies.of(file):
                copies.append(Copy(upload=upload, source_key=place[0], build_id=place[1]))
            else:
                uploads.append(upload)
        elif known.sha256 == file.sha256:
            reuses.append(Reuse(path=file.path, key=file.key, size=file.size, build_id=owner))
        else:
            raise shared_file_conflict(file.path, there=known.sha256, here=file.sha256, where=f"build {owner!r}")
    uploads.sort(key=lambda upload: (-upload.object.size, upload.object.key))
    return PublishPlan(
        manifest=replace(manifest, files=tuple(files)),
        content=_content(listing),
        uploads=tuple(uploads),
        copies=tuple(copies),
        reuses=tuple(reuses),
        published=False,
        warnings=rename_warnings(manifest, others),
    )


def check_documents(
    listing: Sequence[SourceFile], *, rules: ClassificationRules, mode: str, source: str = "the build"
) -> None:
    """Check that visitors can be served from a build.

    Raises:
        InvalidInput: The mode is unknown.
        InvalidBuild: There is no entry, or not the one that the mode falls back to.
    """
    check_mode(mode)
    documents = [file.path for file in listing if file.path.endswith((".html", ".htm"))]
    if not documents and not any(rules.classify(file.path) is CacheClass.ENTRY for file in listing):
        raise InvalidBuild(
            f"{source} has no document: none of its {len(listing)} files ends in .html, and none is an entry by the "
            f"rules; pass the output folder of the bundler (often dist, build or out)"
        )
    if mode == "spa" and documents and "index.html" not in documents:
        nearest = min(documents, key=lambda path: (path.count("/"), path))
        raise InvalidBuild(
            f"{source} has no index.html at its top, which mode 'spa' answers every route with (the nearest document "
            f"is {nearest!r}): pass the folder that holds index.html, or use mode 'directory' or 'html'"
        )


def check_same_build(existing: Manifest, new: Manifest) -> None:
    """Check that a build that exists is the one about to be published.

    Headers may differ: they are those of the version that published it, and stay.

    Raises:
        BuildConflict: It is another one.
    """
    difference = _difference(existing, new)
    if difference:
        raise BuildConflict(
            f"build {new.build_id!r} exists, and {difference}; a build never changes once it is published: publish "
            f"this one under another build id"
        )


def shared_file_conflict(path: str, *, there: str, here: str, where: str) -> SharedFileConflict:
    """The error for a hashed name that exists with other bytes."""
    return SharedFileConflict(
        f"file {path!r} counts as hashed, but {where} has it with sha256 {there} and this build with sha256 {here}: "
        f"its name does not follow its content; amend the rules with unhashed=[{path!r}] (--unhashed {path!r}), or "
        f"let the bundler put a content hash into the name"
    )


def _manifest(
    build_id: str, listing: Sequence[SourceFile], rules: ClassificationRules, mode: str, headers: HeaderRules
) -> Manifest:
    files = []
    for file in listing:
        cache_class = rules.classify(file.path)
        served = headers.headers_for(file.path, cache_class)
        files.append(
            ManifestFile(
                path=file.path,
                key=object_key(build_id, file.path, cache_class),
                size=file.size,
                sha256=file.sha256,
                content_type=served.content_type,
                cache_class=cache_class,
                cache_control=served.cache_control,
                content_disposition=served.content_disposition,
                content_language=served.content_language,
            )
        )
    return Manifest(build_id=build_id, mode=mode, rules=rules, files=tuple(files))


def _with_headers(file: ManifestFile, headers: ObjectHeaders) -> ManifestFile:
    """A shared file keeps the headers that it was first published with: the manifest says what is there."""
    return replace(
        file,
        content_type=headers.content_type,
        cache_control=headers.cache_control,
        content_disposition=headers.content_disposition,
        content_language=headers.content_language,
    )


def upload_of(file: ManifestFile, source: SourceFile, build_id: str) -> Upload:
    """What writing a file of a manifest means."""
    return Upload(
        source=source,
        cache_class=file.cache_class,
        object=NewObject(
            key=file.key,
            size=file.size,
            sha256=file.sha256,
            headers=file.headers,
            metadata=object_metadata(file.cache_class, build_id, file.sha256),
        ),
    )


def _content(listing: Sequence[SourceFile]) -> str:
    return content_digest((file.path, file.sha256) for file in listing)


def _difference(existing: Manifest, new: Manifest) -> str | None:
    before = _by_path(existing)
    after = _by_path(new)
    added = sorted(after.keys() - before.keys())
    removed = sorted(before.keys() - after.keys())
    changed = sorted(path for path in after.keys() & before.keys() if after[path].sha256 != before[path].sha256)
    if added or removed or changed:
        example = (changed or added or removed)[0]
        return f"{len(changed)} files differ, {len(added)} are new, {len(removed)} are missing (such as {example!r})"
    if existing.mode != new.mode:
        return f"was published with mode {existing.mode!r}, not {new.mode!r}"
    if existing.rules != new.rules or any(after[path].key != before[path].key for path in after):
        return "was published with other classification rules"
    return None


def _by_path(manifest: Manifest) -> Mapping[str, ManifestFile]:
    return {file.path: file for file in manifest.files}
