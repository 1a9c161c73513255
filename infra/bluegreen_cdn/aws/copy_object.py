"""Copies within a bucket that the store makes by itself, checked before and after.

S3 honours `If-None-Match` on a copy, other stores ignore it (some of this machine's, too) or refuse it. So the key is
looked at first; where that is not atomic, it is a key of a claimed build id, whose writers all write the same bytes.
"""

import base64
from collections.abc import Mapping
from typing import Any

from bluegreen_cdn.aws.session import translate_errors
from bluegreen_cdn.defaults import CONFLICT_ATTEMPTS
from bluegreen_cdn.domain.headers import ObjectHeaders
from bluegreen_cdn.errors import AccessDenied, CloudError, CorruptCopy, NotFound, PreconditionFailed
from bluegreen_cdn.publish.object_store import NewObject, PutOutcome


def copy_if_absent(s3: Any, bucket: str, source_key: str, new: NewObject) -> PutOutcome:
    """Copy an object of a bucket to another key of it unless that exists; see `ObjectStore.copy_if_absent`."""
    if _exists(s3, bucket, new.key):
        return PutOutcome.EXISTS
    etag = _checked_source(s3, bucket, source_key, new)
    for attempt in range(1, CONFLICT_ATTEMPTS + 1):
        try:
            answer = _copy(s3, bucket, source_key, etag, new)
        except PreconditionFailed as error:
            # 409: another write of the key is under way. 412: the key exists now, or the source is not what it was.
            if error.code == "ConditionalRequestConflict" and attempt < CONFLICT_ATTEMPTS:
                continue
            if _exists(s3, bucket, new.key):
                return PutOutcome.EXISTS
            raise
        _check_copy(s3, bucket, answer, new)
        return PutOutcome.CREATED
    raise AssertionError("unreachable")


def written_headers(headers: ObjectHeaders) -> dict[str, str]:
    """An object's headers as the SDK's arguments."""
    optional = {
        "ContentEncoding": headers.content_encoding,
        "ContentDisposition": headers.content_disposition,
        "ContentLanguage": headers.content_language,
    }
    return {
        "ContentType": headers.content_type,
        "CacheControl": headers.cache_control,
        **{name: value for name, value in optional.items() if value},
    }


def read_headers(answer: Mapping[str, Any]) -> ObjectHeaders:
    """An object's headers out of the SDK's answer, or of another one's under the same names."""
    return ObjectHeaders(
        content_type=answer.get("ContentType", ""),
        cache_control=answer.get("CacheControl", ""),
        content_encoding=answer.get("ContentEncoding") or None,
        content_disposition=answer.get("ContentDisposition") or None,
        content_language=answer.get("ContentLanguage") or None,
    )


def sha256_header(sha256: str) -> str:
    """A digest (hex) as S3 writes it."""
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def _exists(s3: Any, bucket: str, key: str) -> bool:
    try:
        with translate_errors("s3", "HeadObject", f"s3://{bucket}/{key}"):
            s3.head_object(Bucket=bucket, Key=key)
    except NotFound as error:
        if error.code == "NoSuchBucket":
            raise
        return False
    except AccessDenied:
        # Who may list a part of a bucket only is told so for a key that is missing; the copy is conditional there.
        return False
    return True


def _checked_source(s3: Any, bucket: str, key: str, new: NewObject) -> str:
    """The ETag of a source that has the announced bytes, as the store itself has computed."""
    with translate_errors("s3", "HeadObject", f"s3://{bucket}/{key}"):
        there = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    said = there.get("ChecksumSHA256")
    if there["ContentLength"] != new.size or said != sha256_header(new.sha256):
        what = f"{there['ContentLength']} bytes, checksum {said or 'not said'}"
        raise CloudError(
            f"'{key}' of s3://{bucket} cannot be copied to '{new.key}': it has {what} instead of {new.size} bytes, "
            f"{sha256_header(new.sha256)}",
            service="s3",
            operation="HeadObject",
            code="SourceDiffers",
        )
    return str(there["ETag"])


def _copy(s3: Any, bucket: str, source_key: str, etag: str, new: NewObject) -> dict[str, Any]:
    with translate_errors("s3", "CopyObject", f"s3://{bucket}/{source_key} to {new.key}"):
        answer: dict[str, Any] = s3.copy_object(
            Bucket=bucket,
            Key=new.key,
            CopySource={"Bucket": bucket, "Key": source_key},
            CopySourceIfMatch=etag,
            IfNoneMatch="*",
            MetadataDirective="REPLACE",
            Metadata=dict(new.metadata),
            ChecksumAlgorithm="SHA256",
            **written_headers(new.headers),
        )
    return answer


def _check_copy(s3: Any, bucket: str, answer: dict[str, Any], new: NewObject) -> None:
    """See that the copy has the bytes: by the answer's checksum, else by the object's, where the store says one."""
    said = (answer.get("CopyObjectResult") or {}).get("ChecksumSHA256")
    size = new.size
    if not said:
        with translate_errors("s3", "HeadObject", f"s3://{bucket}/{new.key}"):
            there = s3.head_object(Bucket=bucket, Key=new.key, ChecksumMode="ENABLED")
        said, size = there.get("ChecksumSHA256"), there["ContentLength"]
    if size != new.size or (said and said != sha256_header(new.sha256)):
        raise CorruptCopy(
            f"s3://{bucket} copied '{new.key}' wrongly: {size} bytes, checksum {said}, instead of {new.size} bytes, "
            f"{sha256_header(new.sha256)}",
            service="s3",
            operation="CopyObject",
            code="BadDigest",
        )
