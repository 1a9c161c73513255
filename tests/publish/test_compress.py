"""Compressing: what comes out decodes to what went in, the same every time, in little memory."""

import errno
import gzip
import hashlib
import io
import random
import tempfile
import tracemalloc
from typing import Any

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen_cdn.defaults import SMALL_FILE_BYTES
from bluegreen_cdn.domain.encodings import ENCODINGS
from bluegreen_cdn.errors import FileChanged, PublishError
from bluegreen_cdn.publish import compress as module
from bluegreen_cdn.publish.compress import Compression, compress

DECODE = {"br": brotli.decompress, "gzip": gzip.decompress}
TEXT = b"".join(b"export const number%d = %d;\n" % (number, number * number) for number in range(3000))


def compressed(data: bytes, effort: Compression = Compression.FAST, **options: Any) -> dict[str, bytes]:
    sha256 = options.pop("sha256", hashlib.sha256(data).hexdigest())
    found = {}
    for made in compress(io.BytesIO(data), options.pop("encodings", ENCODINGS), effort, path="a.js", sha256=sha256):
        with made.body:
            body = made.body.read()
        assert (made.variant.size, made.variant.sha256) == (len(body), hashlib.sha256(body).hexdigest())
        found[made.variant.encoding] = body
    return found


@given(st.binary(max_size=5000) | st.text(max_size=2000).map(str.encode), st.sampled_from(Compression))
@settings(deadline=None)
def test_every_variant_decodes_to_the_file_and_is_the_same_again(data: bytes, effort: Compression) -> None:
    made = compressed(data, effort)
    assert {encoding: DECODE[encoding](body) for encoding, body in made.items()} == dict.fromkeys(ENCODINGS, data)
    assert compressed(data, effort) == made


def test_only_the_effort_asked_for_differs() -> None:
    best, fast = compressed(TEXT, Compression.BEST), compressed(TEXT, Compression.FAST)
    assert len(best["br"]) < len(fast["br"]) < len(TEXT)
    assert best["gzip"] == fast["gzip"]
    assert compressed(TEXT, encodings=["gzip"]) == {"gzip": fast["gzip"]}


def test_gzip_names_no_time_and_no_file() -> None:
    assert compressed(TEXT)["gzip"][:9] == bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2])


class Long:
    """A stream of 64 MB that do not shrink."""

    def __init__(self) -> None:
        self._left, self._random = 64 * 1024**2, random.Random(1)

    def read(self, size: int) -> bytes:
        size = min(self._left, size)
        self._left -= size
        return self._random.randbytes(size)


def test_a_long_file_is_never_in_memory() -> None:
    digest, stream = hashlib.sha256(), Long()
    while piece := stream.read(1024**2):
        digest.update(piece)
    tracemalloc.start()
    made = compress(Long(), ["gzip"], Compression.FAST, path="a.json", sha256=digest.hexdigest())  # type: ignore[arg-type]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    with made[0].body:
        assert made[0].variant.size > 64 * 1024**2
    assert most < 8 * SMALL_FILE_BYTES


def test_a_file_that_is_another_by_now() -> None:
    with pytest.raises(FileChanged, match=r"'a\.js' is no longer what it was"):
        compressed(TEXT, sha256="0" * 64)


def test_it_stops_between_two_pieces() -> None:
    class Stop(Exception):
        pass

    calls = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise Stop

    data = bytes(5 * 1024**2)
    with pytest.raises(Stop):
        compress(io.BytesIO(data), ENCODINGS, Compression.FAST, path="a.js", sha256="", check=check)
    assert len(calls) == 2


def test_a_disk_that_is_full_is_said_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: object, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "write", full)
    with pytest.raises(PublishError, match=r"'a\.js' cannot be kept in '.*' \(No space left on device\).*TMPDIR"):
        compressed(TEXT)


def test_how_long_it_takes() -> None:
    rate = Compression.BEST.bytes_per_second
    assert Compression.BEST.seconds([], 2) == 0
    assert Compression.BEST.seconds([rate] * 4, 2) == pytest.approx(2)
    assert Compression.BEST.seconds([rate * 10, rate], 8) == pytest.approx(10), "one file keeps one core busy"
    assert Compression.BEST.seconds([rate], 0.5) == pytest.approx(2), "half a core takes twice as long"
    assert Compression.FAST.seconds([rate], 1) < 0.2


def test_there_is_a_core() -> None:
    assert module.processors() >= 1
