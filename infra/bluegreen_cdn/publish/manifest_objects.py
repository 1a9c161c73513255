"""What the files of a manifest are written as: the one answer for publishing, compressing and healing."""

from bluegreen_cdn.defaults import FILE_DIGEST_METADATA
from bluegreen_cdn.domain.encodings import Variant, is_sha256
from bluegreen_cdn.domain.manifest import ManifestFile
from bluegreen_cdn.domain.verification import ExpectedObject, expected_file, expected_variant
from bluegreen_cdn.publish.object_store import NewObject, StoredObject
from bluegreen_cdn.publish.source import SourceFile


def source_file(file: ManifestFile) -> SourceFile:
    """Where a build about to be published has a file; made when it is asked for, as there may be 100,000."""
    return SourceFile(path=file.path, size=file.size, sha256=file.sha256)


def new_object(expected: ExpectedObject) -> NewObject:
    """An object that a build needs and whose digest is known, as it is written."""
    return NewObject(
        key=expected.key,
        size=expected.size,
        sha256=str(expected.sha256),
        headers=expected.headers,
        metadata=expected.metadata,
    )


def file_object(file: ManifestFile, build_id: str) -> NewObject:
    """The object of a file itself."""
    return new_object(expected_file(file, build_id))


def variant_object(file: ManifestFile, variant: Variant, build_id: str) -> NewObject:
    """The object of a precompressed variant of a file."""
    return new_object(expected_variant(file, variant, build_id))


def variant_in(there: StoredObject, file: ManifestFile, encoding: str) -> Variant | None:
    """The variant that an object is; None if it is not that of these very bytes."""
    if there.sha256 is None or not is_sha256(there.sha256) or there.headers.content_encoding != encoding:
        return None
    if there.metadata.get(FILE_DIGEST_METADATA) != file.sha256:
        return None
    return Variant(encoding=encoding, size=there.size, sha256=there.sha256)
