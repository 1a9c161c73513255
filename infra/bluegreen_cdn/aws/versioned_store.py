"""A bucket in S3 whose versions can be listed, copied and deleted: for verification's repair and for retention."""

import tempfile
from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO, cast

from bluegreen_cdn.aws.copy_object import sha256_header, written_headers
from bluegreen_cdn.aws.object_store import S3ObjectStore
from bluegreen_cdn.aws.session import translate_errors
from bluegreen_cdn.defaults import SMALL_FILE_BYTES, UPLOAD_WORKERS
from bluegreen_cdn.errors import CloudError, FileChanged, InvalidInput
from bluegreen_cdn.publish.collect_ports import ObjectVersion, RepairableStore
from bluegreen_cdn.publish.object_store import NewObject, StoredObject


class S3VersionedStore(S3ObjectStore):
    """A bucket in S3; the real `bluegreen_cdn.publish.collect_ports.VersionedStore`.

    Args:
        bucket: Its name.
        region: Its region. Default: what the environment and the profile say.
        connections: Threads that use it at once. Default: `UPLOAD_WORKERS`.
        s3: A client to use instead of a new one. Default: a new one.
        service: Whose store and credentials these are: those of one service copy among themselves. Default: AWS's,
            or the environment's.
    """

    def __init__(
        self,
        bucket: str,
        region: str | None = None,
        *,
        connections: int = UPLOAD_WORKERS,
        s3: Any | None = None,
        service: str = "",
    ) -> None:
        super().__init__(bucket, region, connections=connections, s3=s3)
        self._service = service

    def check_versioned(self) -> None:
        """See that the bucket keeps versions."""
        with translate_errors("s3", "GetBucketVersioning", self.name):
            status = self._s3.get_bucket_versioning(Bucket=self.bucket).get("Status")
        if status != "Enabled":
            raise InvalidInput(
                f"{self.name} keeps no versions (versioning is {status or 'off'}), so nothing can be deleted safely "
                f"while others publish: turn versioning on"
            )

    def now(self) -> float:
        """The store's own time: the date of an answer."""
        with translate_errors("s3", "HeadBucket", self.name):
            answer = self._s3.head_bucket(Bucket=self.bucket)
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        try:
            return parsedate_to_datetime(headers["date"]).timestamp()
        except (KeyError, ValueError) as error:
            raise CloudError(
                f"s3 HeadBucket of {self.name} answered without a date, so nobody can tell how old anything is",
                service="s3",
                operation="HeadBucket",
            ) from error

    def versions(self, prefix: str) -> Iterator[ObjectVersion]:
        """The versions of the objects under a prefix, sorted by key; without delete markers."""
        with translate_errors("s3", "ListObjectVersions", f"{self.name}/{prefix}"):
            pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix)
            for page in pages:
                for item in page.get("Versions", ()):
                    yield ObjectVersion(
                        key=item["Key"],
                        version=item["VersionId"],
                        size=item["Size"],
                        modified=item["LastModified"].timestamp(),
                        latest=item["IsLatest"],
                    )

    def delete_versions(self, versions: Sequence[tuple[str, str]]) -> None:
        """Delete these versions and no other."""
        if any(not version for _, version in versions):
            # Without a version S3 would hide the object instead, whatever lies there by now.
            raise InvalidInput(f"a deletion from {self.name} names no version")
        if not versions:
            return
        with translate_errors("s3", "DeleteObjects", self.name):
            answer = self._s3.delete_objects(
                Bucket=self.bucket,
                Delete={"Quiet": True, "Objects": [{"Key": key, "VersionId": version} for key, version in versions]},
            )
        errors = [
            error for error in answer.get("Errors", ()) if error.get("Code") not in ("NoSuchVersion", "NoSuchKey")
        ]
        if errors:
            first = errors[0]
            raise CloudError(
                f"s3 DeleteObjects of {self.name} failed for {len(errors)} of {len(versions)} versions, such as "
                f"'{first.get('Key')}': {first.get('Code')}: {first.get('Message', '')}",
                service="s3",
                operation="DeleteObjects",
                code=str(first.get("Code", "")),
            )

    def copy_from(self, source: RepairableStore, there: StoredObject, wanted: NewObject) -> None:
        """Write an object with another bucket's bytes; S3 computes its SHA-256 anew, which is compared."""
        if not isinstance(source, S3VersionedStore):
            raise TypeError(f"{source.name} is no bucket in S3")
        if source._service != self._service:
            self._carry(source, there, wanted)
            return
        place: dict[str, str] = {"Bucket": source.bucket, "Key": there.key}
        if there.version and there.version != "null":
            place["VersionId"] = there.version
        with translate_errors("s3", "CopyObject", f"{source.name}/{there.key} to {self.name}"):
            answer: dict[str, Any] = self._s3.copy_object(
                Bucket=self.bucket,
                Key=wanted.key,
                CopySource=place,
                MetadataDirective="REPLACE",
                Metadata=dict(wanted.metadata),
                ChecksumAlgorithm="SHA256",
                **written_headers(wanted.headers),
            )
        said = (answer.get("CopyObjectResult") or {}).get("ChecksumSHA256")
        if said and "-" not in said and said != sha256_header(wanted.sha256):
            raise CloudError(
                f"'{there.key}' of {source.name} has other bytes than its metadata says (sha256 {wanted.sha256}): "
                f"the copy in {self.name} is as wrong; publish the build again under another id",
                service="s3",
                operation="CopyObject",
                code="BadDigest",
            )

    def _carry(self, source: S3ObjectStore, there: StoredObject, wanted: NewObject) -> None:
        """Bring an object from a store of another make through this machine; the store here verifies the bytes."""
        with tempfile.SpooledTemporaryFile(max_size=SMALL_FILE_BYTES) as body:
            source.download(there.key, body)
            body.seek(0)
            try:
                self.put_again(wanted, cast(BinaryIO, body))
            except FileChanged as error:
                raise CloudError(
                    f"'{there.key}' of {source.name} has other bytes than its metadata says (sha256 {wanted.sha256}): "
                    f"nothing was written to {self.name}; publish the build again under another id",
                    service="s3",
                    operation="GetObject",
                    code="BadDigest",
                ) from error
