"""What a build's objects must be like, and how one that was found differs: pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from bluegreen_cdn.defaults import BUILD_METADATA, DIGEST_METADATA, FILE_DIGEST_METADATA
from bluegreen_cdn.domain.encodings import Variant, variant_key
from bluegreen_cdn.domain.headers import ObjectHeaders, object_metadata, variant_metadata
from bluegreen_cdn.domain.manifest import ManifestFile


class Fault(StrEnum):
    """What is wrong with an object."""

    MISSING = "missing"
    SIZE = "size"
    DIGEST = "digest"
    HEADERS = "headers"
    CONDEMNED = "condemned"


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpectedObject:
    """An object that a build needs.

    Attributes:
        key: Where it lies, in every region.
        size: Bytes it has.
        sha256: Digest of those bytes; None if nobody has said.
        headers: What it is served with.
        metadata: Metadata that the edge reads.
    """

    key: str
    size: int
    sha256: str | None
    headers: ObjectHeaders
    metadata: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something wrong with an object in a region.

    Attributes:
        region: The region.
        key: The object.
        fault: What is wrong.
        detail: What was found, and what should be.
        mended: Whether a repair has put it right. Default: no.
    """

    region: str
    key: str
    fault: Fault
    detail: str
    mended: bool = False

    def __str__(self) -> str:
        """The finding without its region, for a message."""
        return f"{self.key}: {self.detail}"

    def to_json(self) -> dict[str, Any]:
        """The finding for other programs."""
        return {
            "region": self.region,
            "key": self.key,
            "fault": self.fault.value,
            "detail": self.detail,
            "mended": self.mended,
        }


def expected_objects(file: ManifestFile, build_id: str) -> Iterator[ExpectedObject]:
    """The objects that a file of a build needs: itself, and its precompressed variants."""
    yield expected_file(file, build_id)
    for variant in file.encodings:
        yield expected_variant(file, variant, build_id)


def expected_file(file: ManifestFile, build_id: str) -> ExpectedObject:
    """The object of a file itself."""
    return ExpectedObject(
        key=file.key,
        size=file.size,
        sha256=file.sha256,
        headers=file.headers,
        metadata=object_metadata(file.cache_class, build_id, file.sha256),
    )


def expected_variant(file: ManifestFile, variant: Variant, build_id: str) -> ExpectedObject:
    """The object of a precompressed variant of a file."""
    metadata = object_metadata(file.cache_class, build_id, file.sha256)
    return ExpectedObject(
        key=variant_key(file.key, variant.encoding),
        size=variant.size,
        sha256=variant.sha256,
        headers=replace(file.headers, content_encoding=variant.encoding),
        metadata=variant_metadata(metadata, variant.sha256),
    )


def difference(
    expected: ExpectedObject, *, size: int, headers: ObjectHeaders, metadata: Mapping[str, str]
) -> tuple[Fault, str] | None:
    """How an object that was found differs from what it must be; None if it does not."""
    if size != expected.size:
        return Fault.SIZE, f"{size} bytes instead of {expected.size}"
    digest = metadata.get(DIGEST_METADATA)
    if digest is None or (expected.sha256 is not None and digest != expected.sha256):
        return Fault.DIGEST, f"another digest ({digest or 'none'} instead of {expected.sha256 or 'one'})"
    pairs = (
        ("Content-Type", headers.content_type, expected.headers.content_type),
        ("Cache-Control", headers.cache_control, expected.headers.cache_control),
        ("Content-Encoding", headers.content_encoding or None, expected.headers.content_encoding),
        ("Content-Disposition", headers.content_disposition or None, expected.headers.content_disposition),
        ("Content-Language", headers.content_language or None, expected.headers.content_language),
        *(
            (f"x-amz-meta-{name}", metadata.get(name), expected.metadata.get(name))
            for name in (BUILD_METADATA, FILE_DIGEST_METADATA)
        ),
    )
    for name, found, wanted in pairs:
        if found != wanted:
            return Fault.HEADERS, f"{name} is {found!r} instead of {wanted!r}"
    return None
