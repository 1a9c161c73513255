"""What a publish will do, worked out before it does anything: pure, frozen, printable."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bluegreen_cdn.domain.builds import content_digest
from bluegreen_cdn.domain.classification import CacheClass, ClassificationRules
from bluegreen_cdn.domain.header_rules import HeaderRules
from bluegreen_cdn.domain.headers import ObjectHeaders
from bluegreen_cdn.domain.manifest import (
    Manifest,
    ManifestFile,
    ReadableManifest,
    check_mode,
    manifest_key,
    object_key,
)
from bluegreen_cdn.errors import InvalidBuild
from bluegreen_cdn.publish.collect_condemned import Condemned
from bluegreen_cdn.publish.compress_plan import KnownVariants, NotedVariants, Precompress, check_no_variants
from bluegreen_cdn.publish.copies import CopySources
from bluegreen_cdn.publish.manifest_objects import file_object, source_file
from bluegreen_cdn.publish.object_store import NewObject
from bluegreen_cdn.publish.plan_known import KnownFiles
from bluegreen_cdn.publish.plan_renames import Renames
from bluegreen_cdn.publish.plan_same import check_same_build
from bluegreen_cdn.publish.source import SourceFile

Reader = Callable[[Mapping[str, ManifestFile]], Iterable[ReadableManifest]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """A file to be written unless its key exists.

    Attributes:
        file: What it is in the manifest.
        build_id: The build that it is written for.
    """

    file: ManifestFile
    build_id: str

    @property
    def source(self) -> SourceFile:
        """Where its bytes come from."""
        return source_file(self.file)

    @property
    def cache_class(self) -> CacheClass:
        """Decides what an existing object with other bytes means."""
        return self.file.cache_class

    @property
    def key(self) -> str:
        """Where it is written."""
        return self.file.key

    @property
    def size(self) -> int:
        """Bytes that are sent."""
        return self.file.size

    @property
    def object(self) -> NewObject:
        """What it becomes; made when it is asked for, because a plan of 100,000 of them is kept in memory."""
        return file_object(self.file, self.build_id)

    def to_json(self) -> dict[str, Any]:
        """The upload for other programs."""
        return {
            "path": self.file.path,
            "key": self.file.key,
            "size": self.file.size,
            "cache_class": self.file.cache_class.value,
            "content_type": self.file.content_type,
            "cache_control": self.file.cache_control,
        }


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

    def to_json(self) -> dict[str, Any]:
        """The copy for other programs."""
        return {
            "path": self.upload.file.path,
            "key": self.upload.key,
            "size": self.upload.size,
            "source_key": self.source_key,
        }


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

    def to_json(self) -> dict[str, Any]:
        """The reuse for other programs."""
        return {"path": self.path, "key": self.key, "size": self.size}


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
        variants: Files whose precompressed variants are to be put beside them, largest first. Default: none.
        other_rules: The build exists by other rules: what these look for elsewhere is put there. Default: no.
    """

    manifest: Manifest
    content: str
    uploads: tuple[Upload, ...]
    reuses: tuple[Reuse, ...]
    published: bool
    warnings: tuple[str, ...] = ()
    condemned: Condemned = field(default_factory=Condemned)
    copies: tuple[Copy, ...] = ()
    variants: tuple[Precompress, ...] = ()
    other_rules: bool = False

    @property
    def upload_bytes(self) -> int:
        """Bytes that will be sent."""
        return sum(upload.size for upload in self.uploads)

    @property
    def copy_bytes(self) -> int:
        """Bytes that will be copied on the server."""
        return sum(copy.upload.size for copy in self.copies)

    @property
    def revives(self) -> bool:
        """Whether the build exists, is condemned, and is put again."""
        return self.published and (
            bool(self.uploads or self.variants) or manifest_key(self.manifest.build_id) in self.condemned
        )

    @property
    def compressions(self) -> tuple[Precompress, ...]:
        """The files of `variants` that have to be compressed: no earlier build has their variants."""
        return tuple(one for one in self.variants if not one.is_known)

    @property
    def compress_bytes(self) -> int:
        """Bytes that will be compressed."""
        return sum(one.size for one in self.compressions)

    def summary(self) -> dict[str, Any]:
        """The numbers of the plan."""
        return {
            "build_id": self.manifest.build_id,
            "published": self.published,
            "revives": self.revives,
            "upload_files": len(self.uploads),
            "upload_bytes": self.upload_bytes,
            "copy_files": len(self.copies),
            "copy_bytes": self.copy_bytes,
            "reuse_files": len(self.reuses),
            "reuse_bytes": sum(reuse.size for reuse in self.reuses),
            "compress_files": len(self.compressions),
            "compress_bytes": self.compress_bytes,
            "copy_variants_of_files": len(self.variants) - len(self.compressions),
        }

    def to_json(self) -> dict[str, Any]:
        """The plan for other programs."""
        return {
            **self.summary(),
            "uploads": [upload.to_json() for upload in self.uploads],
            "copies": [copy.to_json() for copy in self.copies],
            "reuses": [reuse.to_json() for reuse in self.reuses],
            "warnings": list(self.warnings),
        }


def plan_publish(
    build_id: str,
    listing: Sequence[SourceFile],
    *,
    rules: ClassificationRules,
    mode: str,
    headers: HeaderRules | None = None,
    retained: Iterable[ReadableManifest] | Reader = (),
    source: str = "the build",
    precompress: bool = False,
) -> PublishPlan:
    """Work out what publishing a build means.

    Args:
        build_id: The build's name.
        listing: Its files.
        rules: Decide the cache class, and so the key, of each file.
        mode: How documents are found: `spa`, `directory` or `html`.
        headers: What the files are served with. Default: what follows from their names.
        retained: The manifests in the bucket, each gone through once; or what reads them, quicker for knowing the new
            build's files by their paths. Default: none, as in an empty bucket.
        source: What the listing is of, for messages.
        precompress: Whether files of the compressible extensions get variants. Default: no.

    Raises:
        InvalidBuild: No visitor could be served from it, or it has a file where a variant is to be.
        InvalidRules: A header rule would let browsers keep a document.
        BuildConflict: The build id exists with other content.
        SharedFileConflict: A retained build has other bytes under the same hashed name.
    """
    check_documents(listing, rules=rules, mode=mode, source=source)
    if precompress:
        check_no_variants(listing)
    manifest = _manifest(build_id, listing, rules, mode, headers or HeaderRules())
    known, renames, copy_sources = KnownFiles(manifest), Renames(manifest), CopySources(manifest)
    variants = KnownVariants(manifest if precompress else None)
    for other in retained({file.path: file for file in manifest.files}) if callable(retained) else retained:
        if other.build_id == build_id:
            existing = NotedVariants(other)
            # By other rules it is healed: its files are put where these look.
            other_rules = check_same_build(existing, manifest, any_rules=True)
            return PublishPlan(
                manifest=existing.applied_to(manifest),
                content=_content(listing),
                uploads=(),
                reuses=(),
                published=True,
                other_rules=other_rules,
            )
        for file in other.files:
            known.see(file, other.build_id)
            renames.see(file)
            copy_sources.add(file, other.build_id)
            variants.see(file)

    uploads: list[Upload] = []
    copies: list[Copy] = []
    reuses: list[Reuse] = []
    files: list[ManifestFile] = []
    for file in manifest.files:
        found = known.find(file.key)
        if found is None:
            files.append(file)
            upload = Upload(file=file, build_id=build_id)
            if place := copy_sources.of(file):
                copies.append(Copy(upload=upload, source_key=place[0], build_id=place[1]))
            else:
                uploads.append(upload)
        else:
            served, owner = found
            files.append(_with_headers(file, served))
            reuses.append(Reuse(path=file.path, key=file.key, size=file.size, build_id=owner))
    manifest, missing = variants.plan(replace(manifest, files=tuple(files)))
    return PublishPlan(
        manifest=manifest,
        content=_content(listing),
        uploads=largest_first(uploads),
        copies=tuple(copies),
        reuses=tuple(reuses),
        published=False,
        warnings=renames.warnings(),
        variants=missing,
    )


def largest_first(uploads: Iterable[Upload]) -> tuple[Upload, ...]:
    """Uploads in the order that they are carried out in."""
    by_key = sorted(uploads, key=lambda upload: upload.key)
    return tuple(sorted(by_key, key=lambda upload: upload.size, reverse=True))


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
                # One copy of each: there are few of them, and many files.
                content_type=sys.intern(served.content_type),
                cache_class=cache_class,
                cache_control=sys.intern(served.cache_control),
                content_disposition=served.content_disposition,
                content_language=served.content_language,
            )
        )
    return Manifest(build_id=build_id, mode=mode, rules=rules, files=tuple(files))


def _with_headers(file: ManifestFile, headers: ObjectHeaders | None) -> ManifestFile:
    """A shared file keeps the headers that it was first published with: the manifest says what is there."""
    if headers is None or file.headers == headers:
        return file
    return replace(
        file,
        content_type=headers.content_type,
        cache_control=headers.cache_control,
        content_disposition=headers.content_disposition,
        content_language=headers.content_language,
    )


def _content(listing: Sequence[SourceFile]) -> str:
    return content_digest((file.path, file.sha256) for file in listing)
