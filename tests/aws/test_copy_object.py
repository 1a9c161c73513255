"""Copies within a bucket: what is asked of S3, and stores that answer otherwise."""

import base64
import hashlib
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bluegreen_cdn.aws.object_store import S3ObjectStore
from bluegreen_cdn.domain.headers import ObjectHeaders
from bluegreen_cdn.errors import CloudError, CorruptCopy, PreconditionFailed
from bluegreen_cdn.publish.object_store import NewObject, PutOutcome

DATA = b"a{}"
CHECKSUM = base64.b64encode(hashlib.sha256(DATA).digest()).decode()
NEW = NewObject(
    key="builds/two/a.css",
    size=3,
    sha256=hashlib.sha256(DATA).hexdigest(),
    headers=ObjectHeaders(content_type="text/css", cache_control="no-cache"),
    metadata={"build-id": "two"},
)


class Store:
    """A client of a store that answers copies as it is told, each answer being a checksum or an error's code."""

    def __init__(self, *answers: str | None, source: dict[str, Any] | None = None) -> None:
        self.answers = list(answers)
        self.objects = {
            "builds/one/a.css": source or {"ContentLength": 3, "ChecksumSHA256": CHECKSUM, "ETag": '"source"'}
        }
        self.copies: list[dict[str, Any]] = []
        self.appears: dict[str, Any] | None = None

    def head_object(self, **arguments: Any) -> dict[str, Any]:
        if arguments["Key"] not in self.objects:
            raise _error("404", 404)
        return self.objects[arguments["Key"]]

    def copy_object(self, **arguments: Any) -> dict[str, Any]:
        self.copies.append(arguments)
        answer = self.answers.pop(0)
        if self.appears is not None:
            self.objects[arguments["Key"]] = self.appears
        if answer in ("PreconditionFailed", "ConditionalRequestConflict", "NotImplemented"):
            raise _error(answer, {"PreconditionFailed": 412, "ConditionalRequestConflict": 409}.get(answer, 501))
        self.objects.setdefault(arguments["Key"], {"ContentLength": 3, "ChecksumSHA256": answer or CHECKSUM})
        return {"CopyObjectResult": {"ETag": '"x"', **({"ChecksumSHA256": answer} if answer else {})}}


def _error(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "CopyObject")


def copied(store: Store) -> PutOutcome:
    return S3ObjectStore("b", s3=store).copy_if_absent("builds/one/a.css", NEW)


@pytest.mark.parametrize("answer", [CHECKSUM, None], ids=["says the checksum", "says none"])
def test_what_is_asked_for(answer: str | None) -> None:
    store = Store(answer)
    assert copied(store) is PutOutcome.CREATED
    (asked,) = store.copies
    assert asked["CopySource"] == {"Bucket": "b", "Key": "builds/one/a.css"}
    assert asked["CopySourceIfMatch"] == '"source"', "the very bytes that were looked at"
    assert asked["IfNoneMatch"] == "*"
    assert asked["ChecksumAlgorithm"] == "SHA256"
    assert asked["MetadataDirective"] == "REPLACE"
    assert asked["Metadata"] == {"build-id": "two"}


@pytest.mark.parametrize(
    "source",
    [
        {"ContentLength": 4, "ChecksumSHA256": CHECKSUM, "ETag": ""},
        {"ContentLength": 3, "ChecksumSHA256": CHECKSUM[::-1], "ETag": ""},
        {"ContentLength": 3, "ETag": ""},
    ],
    ids=["another size", "another checksum", "no checksum"],
)
def test_a_source_that_may_have_other_bytes_is_not_copied(source: dict[str, Any]) -> None:
    store = Store(source=source)
    with pytest.raises(CloudError, match="cannot be copied"):
        copied(store)
    assert store.copies == []


def test_a_write_under_way_is_waited_out_and_its_outcome_is_seen() -> None:
    store = Store("ConditionalRequestConflict", "ConditionalRequestConflict", CHECKSUM)
    assert copied(store) is PutOutcome.CREATED
    store = Store("ConditionalRequestConflict", "PreconditionFailed")
    store.appears = {"ContentLength": 3}
    assert copied(store) is PutOutcome.EXISTS
    with pytest.raises(PreconditionFailed):
        copied(Store(*["ConditionalRequestConflict"] * 10))


def test_a_source_that_changes_meanwhile_is_an_error_and_no_success() -> None:
    with pytest.raises(PreconditionFailed):
        copied(Store("PreconditionFailed"))


def test_a_store_that_cannot_copy_so_refuses() -> None:
    with pytest.raises(CloudError, match="NotImplemented"):
        copied(Store("NotImplemented"))


def test_a_copy_with_other_bytes_is_noticed() -> None:
    with pytest.raises(CorruptCopy, match=r"builds/two/a\.css"):
        copied(Store(CHECKSUM[::-1]))
