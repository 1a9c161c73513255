"""Reading objects: what breaks off goes on, and a file over ranges asks for few of them."""

import io
import random
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ResponseStreamingError
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.aws.object_reader import ObjectReader, RangedFile
from bluegreen_cdn.defaults import AWS_RETRY_ATTEMPTS
from bluegreen_cdn.errors import CloudError, FileChanged, NotFound


class Objects:
    """As much of an S3 client as reading needs, with answers that break off when told to.

    Attributes:
        requests: The ranges that were asked for; None for a whole object.
        breaks: After how many bytes each of the next answers breaks off; None for one that does not.
    """

    def __init__(self, **objects: bytes) -> None:
        self.objects, self.versions = objects, dict.fromkeys(objects, 1)
        self.requests: list[str | None] = []
        self.breaks: list[int | None] = []
        self.bytes = 0

    def put(self, key: str, data: bytes) -> None:
        self.objects[key] = data
        self.versions[key] += 1

    def get_object(self, **wanted: str) -> Any:
        key, which = wanted["Key"], wanted.get("Range")
        self.requests.append(which)
        if key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        etag = f'"{self.versions[key]}"'
        if wanted.get("IfMatch", etag) != etag:
            raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "GetObject")
        data = self.objects[key]
        if which is not None:
            first, _, last = which.removeprefix("bytes=").partition("-")
            data = data[int(first) : int(last) + 1 if last else None]
        return {"ETag": etag, "Body": Body(self, data, self.breaks.pop(0) if self.breaks else None)}


class Body:
    def __init__(self, objects: Objects, data: bytes, breaks: int | None) -> None:
        self._objects, self._data, self._breaks = objects, data, breaks

    def iter_chunks(self, size: int) -> Iterator[bytes]:
        data = self._data if self._breaks is None else self._data[: self._breaks]
        for start in range(0, len(data), size):
            self._objects.bytes += len(data[start : start + size])
            yield data[start : start + size]
        if self._breaks is not None:
            raise ResponseStreamingError(error="the connection was reset")


DATA = random.Random(1).randbytes(3_000_000)


def test_an_answer_that_breaks_off_goes_on_where_it_was() -> None:
    s3 = Objects(a=DATA)
    s3.breaks = [1_500_000, 0, 700_000]
    assert b"".join(ObjectReader(s3, "bucket", "a").pieces()) == DATA
    assert s3.requests == [None, "bytes=1500000-", "bytes=1500000-", "bytes=2200000-"]
    assert s3.bytes == len(DATA), "nothing was read twice"


def test_one_that_always_breaks_off_is_given_up() -> None:
    s3 = Objects(a=DATA)
    s3.breaks = [0] * AWS_RETRY_ATTEMPTS
    with pytest.raises(CloudError, match="GetObject of s3://bucket/a failed"):
        b"".join(ObjectReader(s3, "bucket", "a").pieces())
    assert len(s3.requests) == AWS_RETRY_ATTEMPTS


def test_the_rest_of_another_object_is_not_taken_for_the_rest() -> None:
    s3 = Objects(a=DATA)
    s3.breaks = [1_500_000]
    pieces = ObjectReader(s3, "bucket", "a").pieces()
    next(pieces)
    s3.put("a", DATA[::-1])
    with pytest.raises(FileChanged, match="s3://bucket/a was written to"):
        list(pieces)


def test_what_is_not_there() -> None:
    with pytest.raises(NotFound):
        list(ObjectReader(Objects(), "bucket", "a").lines())


@given(st.lists(st.binary(max_size=5).map(lambda line: line.replace(b"\n", b"")), max_size=20), st.booleans())
def test_lines_are_those_of_the_object(lines: list[bytes], ended: bool) -> None:
    data = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    s3 = Objects(a=data)
    s3.breaks = [len(data) // 2]
    assert (
        list(ObjectReader(s3, "bucket", "a").lines())
        == io.BytesIO(data).read().split(b"\n")[: -1 if data.endswith(b"\n") or not data else None]
    )


def ranged(s3: Objects, *, range_bytes: int = 100_000, kept: int = 4) -> io.BufferedReader:
    file = RangedFile(ObjectReader(s3, "bucket", "a"), len(s3.objects["a"]), range_bytes=range_bytes, kept=kept)
    return io.BufferedReader(file, 4096)


@given(st.lists(st.tuples(st.integers(0, 3_100_000), st.integers(0, 250_000)), max_size=8))
def test_it_reads_as_any_file_does(reads: list[tuple[int, int]]) -> None:
    file, model = ranged(Objects(a=DATA)), io.BytesIO(DATA)
    for place, size in reads:
        file.seek(place)
        model.seek(place)
        assert file.read(size) == model.read(size)
    assert file.seek(-10, io.SEEK_END) == model.seek(-10, io.SEEK_END)
    assert file.read() == model.read()


def test_readers_side_by_side_ask_for_every_range_once() -> None:
    s3 = Objects(a=DATA)
    file, places = ranged(s3, kept=5), [0, 700_000, 1_400_000, 2_100_000]
    for _ in range(700):
        for reader, place in enumerate(places):
            file.seek(place)
            assert file.read(1000) == DATA[place : place + 1000]
            places[reader] += 1000
    assert len(s3.requests) == 28
    assert len(set(s3.requests)) == 28


def test_an_object_that_was_written_to_is_not_read_on() -> None:
    s3 = Objects(a=DATA)
    file = ranged(s3)
    file.read(10)
    s3.put("a", DATA[::-1])
    file.seek(2_000_000)
    with pytest.raises(FileChanged, match="was written to"):
        file.read(10)


def test_a_zip_is_read_with_a_few_requests() -> None:
    packed, contents = (
        io.BytesIO(),
        {f"{number:04}.bin": random.Random(number).randbytes(2000) for number in range(500)},
    )
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    s3 = Objects(a=packed.getvalue())
    with zipfile.ZipFile(ranged(s3)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == contents
    assert len(s3.requests) <= 2 + len(packed.getvalue()) // 100_000
