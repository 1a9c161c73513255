"""One suite for all sources: folder, zip, tar, tar.gz, memory, and the zip in S3 that a deployment brings along."""

import hashlib
import io
import random
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bluegreen_cdn.aws.object_reader import ObjectReader, RangedFile
from bluegreen_cdn.errors import FileChanged, InvalidBuild
from bluegreen_cdn.publish.execute import execute
from bluegreen_cdn.publish.folder_source import FolderSource
from bluegreen_cdn.publish.memory_source import MemorySource
from bluegreen_cdn.publish.memory_store import MemoryStore
from bluegreen_cdn.publish.publisher import plan_for, publish
from bluegreen_cdn.publish.source import Source, SourceFile
from bluegreen_cdn.publish.tar_source import TarSource
from bluegreen_cdn.publish.zip_source import ZipSource

FILES: Mapping[str, bytes] = {
    "index.html": b"<p>",
    "assets/index-B3x9aZ0q.js": random.Random(1).randbytes(1_500_000),  # more than goes through memory
    "empty.txt": b"",
    "ümläut and space.txt": b"x",
    ".well-known/security.txt": b"y",
    "assets.txt": b"sorts before assets/",
}


class OneObject:
    """As much of an S3 client as reading one object needs."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def get_object(self, **wanted: str) -> Any:
        etag = hashlib.sha256(self.data).hexdigest()
        if wanted.get("IfMatch", etag) != etag:
            raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "GetObject")
        first, _, last = wanted["Range"].removeprefix("bytes=").partition("-")
        return {"ETag": etag, "Body": OneBody(self.data[int(first) : int(last) + 1 if last else None])}


class OneBody:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def iter_chunks(self, size: int) -> Iterator[bytes]:
        yield from (self._data[start : start + size] for start in range(0, len(self._data), size))


class Made:
    """A source, and a way to change what it is made of behind its back."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self._folder = kind, folder
        self._path = folder / f"build.{kind}"

    def open(self, files: Mapping[str, bytes]) -> Source:
        if self.kind == "memory":
            self._texts = dict(files)
            return MemorySource(self._texts)
        self._write(files)
        if self.kind == "folder":
            return FolderSource(self._path)
        if self.kind == "zip":
            return ZipSource(self._path)
        if self.kind == "asset":
            self._object = OneObject(self._path.read_bytes())
            reader = RangedFile(ObjectReader(self._object, "assets", "a.zip"), len(self._object.data), range_bytes=9000)
            return ZipSource(io.BufferedReader(reader), name="asset s3://assets/a.zip", in_order=True)
        return TarSource(self._path)

    def change(self) -> None:
        """Take away the end of every file's bytes."""
        if self.kind == "memory":
            self._texts |= {path: data[:-1] for path, data in self._texts.items()}
        elif self.kind == "folder":
            for path in self._path.rglob("*"):
                if path.is_file() and path.stat().st_size:
                    path.write_bytes(path.read_bytes()[:-1])
        elif self.kind == "asset":
            self._object.data = self._object.data[:60]
        else:
            with open(self._path, "r+b") as archive:
                archive.truncate(60)

    def _write(self, files: Mapping[str, bytes]) -> None:
        if self.kind in ("zip", "asset"):
            with zipfile.ZipFile(self._path, "w", zipfile.ZIP_DEFLATED) as packed:
                for path, data in files.items():
                    packed.writestr(path, data)
        elif self.kind == "folder":
            self._path.mkdir()
            for path, data in files.items():
                (self._path / path).parent.mkdir(parents=True, exist_ok=True)
                (self._path / path).write_bytes(data)
        else:
            with tarfile.open(self._path, "w:gz" if self.kind == "tar.gz" else "w") as packed_tar:
                for path, data in files.items():
                    member = tarfile.TarInfo(path)
                    member.size = len(data)
                    packed_tar.addfile(member, io.BytesIO(data))


@pytest.fixture(params=["folder", "zip", "tar", "tar.gz", "memory", "asset"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    return Made(request.param, tmp_path)


def test_every_file_is_listed_with_its_digest_sorted_by_path(made: Made) -> None:
    with made.open(FILES) as source:
        assert source.listing() == tuple(
            SourceFile(path=path, size=len(data), sha256=hashlib.sha256(data).hexdigest())
            for path, data in sorted(FILES.items())
        )
        assert source.name


def test_a_file_is_read_whole_in_parts_and_again(made: Made) -> None:
    with made.open(FILES) as source:
        for file in source.listing():
            with source.open(file) as stream:
                start = stream.read(2)
                assert start + stream.read() == FILES[file.path]
                assert stream.read() == b""
                stream.seek(0)
                assert stream.read() == FILES[file.path]


def test_several_threads_read_at_once(made: Made) -> None:
    read: dict[str, bytes] = {}
    with made.open(FILES) as source:
        listing = source.listing()

        def read_all(file: SourceFile) -> None:
            with source.open(file) as stream:
                read[f"{threading.get_ident()} {file.path}"] = b"".join(iter(lambda: stream.read(7000), b""))

        threads = [threading.Thread(target=read_all, args=(file,)) for file in listing * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
    assert all(data == FILES[key.partition(" ")[2]] for key, data in read.items())
    assert {key.partition(" ")[2] for key in read} == set(FILES)


def test_places_are_an_order_to_read_in(made: Made) -> None:
    with made.open(FILES) as source:
        places = [source.place(file) for file in source.listing()]
    assert len(set(places)) in (1, len(FILES))


def test_what_is_published_is_the_same_from_anywhere(made: Made) -> None:
    stores = MemoryStore(), MemoryStore()
    with made.open(FILES) as source:
        done = publish(source, stores[0])
    with MemorySource(FILES) as source:
        assert publish(source, stores[1]) == done
    assert stores[0].objects == stores[1].objects


@pytest.mark.parametrize("path", ["../up.html", "a//b.html", "what?.html", "shared/a.js", "x" * 1000])
def test_names_that_cannot_be_published(made: Made, path: str) -> None:
    if made.kind == "folder" and not path.startswith(("what", "shared")):
        pytest.skip("no file system has such a name")
    with made.open({"index.html": b"<p>", path: b"x"}) as source, pytest.raises(InvalidBuild) as caught:
        source.listing()
    assert repr(path)[:40] in str(caught.value)
    assert source.name in str(caught.value)


def test_names_that_differ_in_case_only(made: Made) -> None:
    with made.open({"logo.png": b"1", "Logo.png": b"2"}) as source, pytest.raises(InvalidBuild, match="rename one"):
        source.listing()


def test_nothing_at_all(made: Made) -> None:
    with made.open({}) as source, pytest.raises(InvalidBuild, match="is empty"):
        source.listing()


def test_what_changes_after_it_was_listed_is_never_published(made: Made) -> None:
    store = MemoryStore()
    with made.open(FILES) as source:
        plan = plan_for(source, store, build_id="one")
        made.change()
        try:
            execute(plan, source, store)
        except (FileChanged, InvalidBuild):
            assert "manifests/one.json" not in store.objects
            return
    assert made.kind == "tar.gz", "which was unpacked before"
    assert {
        key.removeprefix("builds/one/").removeprefix("shared/"): data
        for key, (_, data) in store.objects.items()
        if not key.startswith("manifests/")
    } == FILES
