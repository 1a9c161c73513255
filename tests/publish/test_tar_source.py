"""Tar files, plain and gzipped, and what archives of any kind are refused for."""

import gzip
import hashlib
import io
import os
import tarfile
import threading
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bluegreen_cdn.errors import FileChanged, InvalidBuild
from bluegreen_cdn.publish import source as source_module
from bluegreen_cdn.publish.memory_store import MemoryStore
from bluegreen_cdn.publish.publisher import publish
from bluegreen_cdn.publish.source import SourceFile, open_source

Writer = Callable[[str, Mapping[str, str | bytes]], Path]
FILES = {
    "index.html": "<p>",
    "assets/index-B3x9aZ0q.js": "let c" * 100_000,
    "empty.txt": "",
    "ümläut and space.txt": "x",
    "deep/" * 30 + "file.txt": "a path longer than the header has room for",
}


def pack(target: Path, files: Mapping[str, str | bytes], *, mode: str = "w", prefix: str = "") -> Path:
    with tarfile.open(target, mode) as packed:  # type: ignore[call-overload]
        for path, content in files.items():
            member = tarfile.TarInfo(prefix + path)
            data = content if isinstance(content, bytes) else content.encode()
            member.size = len(data)
            packed.addfile(member, io.BytesIO(data))
    return target


def listing(path: Path) -> tuple[SourceFile, ...]:
    with open_source(path) as source:
        return source.listing()


def refused(path: Path) -> str:
    with pytest.raises(InvalidBuild) as caught:
        listing(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("prefix", ["", "./"])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_folder_and_its_tar_are_the_same_build(
    folder: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, prefix: str, form: int
) -> None:
    monkeypatch.setattr(tarfile, "DEFAULT_FORMAT", form)
    monkeypatch.setattr(tarfile.TarFile, "format", form)
    assert listing(pack(tmp_path / "dist.archive", FILES, mode=mode, prefix=prefix)) == listing(folder("dist", FILES))


def test_as_the_tar_command_packs_it(folder: Writer, tmp_path: Path) -> None:
    root = folder("dist", FILES)
    for name, mode in (("dist.tar", "w"), ("dist.tgz", "w:gz")):
        with tarfile.open(tmp_path / name, mode) as packed:  # type: ignore[call-overload]
            packed.add(root, ".")
        assert listing(tmp_path / name) == listing(root)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_files_are_read_as_listed_by_several_threads(tmp_path: Path, mode: str) -> None:
    read: dict[str, bytes] = {}
    with open_source(pack(tmp_path / "dist.tar", FILES, mode=mode)) as source:

        def all_of(file: SourceFile) -> None:
            with source.open(file) as stream:
                start = stream.read(2)
                stream.seek(0)
                read[file.path] = stream.read()
                assert read[file.path].startswith(start)

        threads = [threading.Thread(target=all_of, args=(file,)) for file in source.listing()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
    assert {path: data.decode() for path, data in read.items()} == FILES


def test_it_is_published(tmp_path: Path) -> None:
    store = MemoryStore()
    with open_source(pack(tmp_path / "dist.tgz", FILES, mode="w:gz")) as source:
        assert publish(source, store, build_id="one").uploaded_files == len(FILES)
    assert store.objects["shared/assets/index-B3x9aZ0q.js"][1].decode() == FILES["assets/index-B3x9aZ0q.js"]


def test_a_tar_that_ends_in_a_zip_is_a_tar(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as packed:
        packed.writestr("secret.txt", "x")
    found = listing(pack(tmp_path / "dist.tar", {"index.html": "<p>", "source.zip": inner.getvalue()}))
    assert [file.path for file in found] == ["index.html", "source.zip"]


@pytest.mark.parametrize(
    ("name", "reason"), [("../up.html", "climbs out"), ("a/../../up.html", "climbs out"), ("/etc/x", "climbs out")]
)
def test_paths_that_climb_out(tmp_path: Path, name: str, reason: str) -> None:
    assert reason in refused(pack(tmp_path / "dist.tar", {"index.html": "<p>", name: "x"}))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_special_files(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "dist.tar", "w") as packed:
        member = tarfile.TarInfo("link.html")
        member.type, member.linkname = kind, "/etc/passwd"
        packed.addfile(member)
    assert "'link.html' is a link or a special file" in refused(tmp_path / "dist.tar")


def test_a_file_that_is_in_it_twice(tmp_path: Path) -> None:
    pack(tmp_path / "dist.tar", {"index.html": "one"})
    pack(tmp_path / "dist.tar", {"index.html": "two"}, mode="a")
    assert "'index.html' is in it twice" in refused(tmp_path / "dist.tar")


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_tar_that_was_cut_off(tmp_path: Path, mode: str, share: float) -> None:
    path = pack(tmp_path / "dist.tar", {"a.bin": os.urandom(50_000), "b.bin": os.urandom(50_000)}, mode=mode)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert "pack it again" in refused(path)


def test_an_empty_tar(tmp_path: Path) -> None:
    assert "is empty" in refused(pack(tmp_path / "dist.tgz", {}, mode="w:gz"))


def test_the_disk_fills_while_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bluegreen_cdn.publish import tar_source

    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tar_source.tempfile, "TemporaryFile", Full)
    message = refused(pack(tmp_path / "dist.tgz", FILES, mode="w:gz"))
    assert "No space left on device" in message
    assert "TMPDIR" in message


def test_a_gzip_bomb_stops_at_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "ARCHIVE_UNPACKED_FREE_BYTES", 3_000_000)
    path = tmp_path / "dist.tgz"
    path.write_bytes(gzip.compress(bytes(50_000_000)))
    assert "zip bombs" in refused(path)


def test_a_zip_bomb_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "ARCHIVE_UNPACKED_FREE_BYTES", 3_000_000)
    path = tmp_path / "dist.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("index.html", bytes(20_000_000))
    monkeypatch.setattr(zipfile.ZipFile, "open", None)
    assert "zip bombs" in refused(path)


def test_a_zip_whose_member_is_longer_than_it_says(tmp_path: Path) -> None:
    path = tmp_path / "dist.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("index.html", b"x" * 100_000)
    data = path.read_bytes().replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(data)
    assert "cannot be read" in refused(path)


@pytest.mark.parametrize("pair", [("logo.png", "Logo.png"), ("caf\u00e9.html", "cafe\u0301.html")])
@pytest.mark.parametrize("kind", ["tar", "zip", "folder"])
def test_names_that_some_file_systems_take_for_the_same(
    tmp_path: Path, folder: Writer, archive: Writer, pair: tuple[str, str], kind: str
) -> None:
    files = {"index.html": "<p>", pair[0]: "1", pair[1]: "2"}
    if kind == "tar":
        path = pack(tmp_path / "dist.tar", files)
    elif kind == "zip":
        path = archive("dist.zip", files)
    else:
        path = folder("dist", files)
        if len(list(path.iterdir())) < 3:
            pytest.skip("this file system takes them for the same")
    message = refused(path)
    assert repr(pair[0]) in message
    assert repr(pair[1]) in message
    assert "rename one" in message


def test_an_archive_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    path = pack(tmp_path / "dist.tar", FILES)
    real = builtins.open

    def guarded(target: object, *arguments: object, **keywords: object) -> object:
        if target == path:  # permissions do not stop root, who runs tests in containers
            raise PermissionError(13, "Permission denied")
        return real(target, *arguments, **keywords)  # type: ignore[call-overload]

    monkeypatch.setattr(builtins, "open", guarded)
    assert "cannot be read (Permission denied)" in refused(path)


def test_an_archive_cut_while_it_is_published(tmp_path: Path) -> None:
    path = pack(tmp_path / "dist.tar", {"index.html": "<p>" * 1000})
    store = MemoryStore()
    with open_source(path) as source:
        source.listing()
        os.truncate(path, 700)
        with pytest.raises((FileChanged, InvalidBuild)):
            publish(source, store, build_id="one")
    assert "manifests/one.json" not in store.objects


def test_memory_stays_small(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "dist.tgz"
    big = 64 * 1024**2
    with gzip.open(path, "wb", compresslevel=1) as stream, tarfile.open(fileobj=stream, mode="w") as packed:
        member = tarfile.TarInfo("video.bin")
        member.size = big
        packed.addfile(member, io.BytesIO(os.urandom(1024) * (big // 1024)))
    tracemalloc.start()
    try:
        (file,) = listing(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert file.size == big
    assert file.sha256 != hashlib.sha256(b"").hexdigest()
    assert peak < 8 * 1024**2
