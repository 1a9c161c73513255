"""What the files of a manifest are written as: the one answer for publishing, compressing and healing.

`domain.verification` says the same of objects that are there.
"""

from dataclasses import replace

from bluegreen_cdn.defaults import FILE_DIGEST_METADATA
from bluegreen_cdn.domain.encodings import Variant, variant_key
from bluegreen_cdn.domain.headers import object_metadata, variant_metadata
from bluegreen_cdn.domain.manifest import ManifestFile
from bluegreen_cdn.publish.object_store import NewObject, StoredObject


def file_object(file: ManifestFile, build_id: str) -> NewObject:
    """The object of a file itself."""
    return NewObject(
        key=file.key,
        size=file.size,
        sha256=file.sha256,
        headers=file.headers,
        metadata=object_metadata(file.cache_class, build_id, file.sha256),
    )


def variant_object(file: ManifestFile, variant: Variant, build_id: str) -> NewObject:
    """The object of a precompressed variant of a file."""
    metadata = object_metadata(file.cache_class, build_id, file.sha256)
    return NewObject(
        key=variant_key(file.key, variant.encoding),
        size=variant.size,
        sha256=variant.sha256,
        headers=replace(file.headers, content_encoding=variant.encoding),
        metadata=variant_metadata(metadata, variant.sha256),
    )


def variant_in(there: StoredObject, file: ManifestFile, encoding: str) -> Variant | None:
    """The variant that an object is; None if it is not that of these very bytes."""
    if there.sha256 is None or there.headers.content_encoding != encoding:
        return None
    if there.metadata.get(FILE_DIGEST_METADATA) != file.sha256:
        return None
    return Variant(encoding=encoding, size=there.size, sha256=there.sha256)
