"""What may come in: folders and zip files (tar files: test_tar_source), and every reason to refuse one."""

import hashlib
import os
import re
import stat
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.defaults import HASH_BUFFER_BYTES, PATH_MAXIMUM_BYTES
from bluegreen_cdn.errors import FileChanged, InvalidBuild
from bluegreen_cdn.publish import source as source_module
from bluegreen_cdn.publish.source import SourceFile, check_path, check_size, open_source

Writer = Callable[[str, Mapping[str, str | bytes]], Path]
FILES = {
    "index.html": "<p>",
    "a/b/c.js": "let c" * 1000,
    "empty.txt": "",
    "ümläut and space.txt": "x",
    ".well-known/x": "y",
}


def listing(path: Path) -> tuple[SourceFile, ...]:
    with open_source(path) as source:
        return source.listing()


def refused(path: Path) -> str:
    with pytest.raises(InvalidBuild) as caught:
        listing(path)
    message = str(caught.value)
    assert message[0].islower()
    assert not message.endswith(".")
    return message


def test_a_folder_and_its_zip_are_the_same_build(folder: Writer, archive: Writer) -> None:
    found = listing(folder("dist", FILES))
    assert found == listing(archive("dist.zip", FILES))
    assert [file.path for file in found] == sorted(FILES)
    for file in found:
        content = FILES[file.path].encode()
        assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_files_are_read_as_listed(kind: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(kind)("build", FILES)
    with open_source(path) as source:
        for file in source.listing():
            with source.open(file) as stream:
                assert stream.read() == FILES[file.path].encode()
                stream.seek(0)
                assert stream.read() == FILES[file.path].encode()


def test_nothing_there_is_said_as_such(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "missing")
    assert "is empty" in refused(tmp_path)
    (tmp_path / "sub").mkdir()
    assert "is empty" in refused(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "neither a folder nor an archive" in refused(tmp_path / "pipe")


def test_a_file_that_is_no_zip(tmp_path: Path) -> None:
    (tmp_path / "dist.zip").write_bytes(b"no zip")
    assert "not a zip file" in refused(tmp_path / "dist.zip")


def test_an_empty_zip(archive: Writer) -> None:
    assert "is empty" in refused(archive("dist.zip", {}))
    assert "is empty" in refused(archive("dist.zip", {"folder/": ""}))


def test_links_inside_are_followed(folder: Writer) -> None:
    root = folder("dist", {"index.html": "<p>", "real/a.js": "a"})
    (root / "alias.js").symlink_to("real/a.js")
    (root / "linked").symlink_to(root / "real", target_is_directory=True)
    assert [file.path for file in listing(root)] == ["alias.js", "index.html", "linked/a.js", "real/a.js"]


def test_a_folder_reached_by_a_link_may_itself_be_the_build(folder: Writer, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(folder("dist", {"index.html": "<p>"}))
    assert [file.path for file in listing(tmp_path / "current")] == ["index.html"]


@pytest.mark.parametrize("target", ["../secret.txt", "/etc/passwd", "../dist-other/x", "..", "/"])
def test_links_that_leave_are_refused(folder: Writer, tmp_path: Path, target: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    folder("dist-other", {"x": "a sibling whose name begins alike"})
    root = folder("dist", {"index.html": "<p>"})
    (root / "link").symlink_to(target)
    message = refused(root)
    assert "'link' leaves the folder" in message
    assert "copy" in message


def test_links_that_lead_nowhere_or_round_in_circles(folder: Writer) -> None:
    root = folder("dist", {"index.html": "<p>", "sub/a.js": "a"})
    (root / "sub" / "up").symlink_to(root, target_is_directory=True)
    assert "'sub/up' leads back" in refused(root)
    (root / "sub" / "up").unlink()
    (root / "broken").symlink_to("missing")
    assert "'broken' cannot be read" in refused(root)
    (root / "broken").unlink()
    (root / "itself").symlink_to("itself")
    assert "'itself'" in refused(root)


def test_what_is_neither_file_nor_folder(folder: Writer) -> None:
    root = folder("dist", {"index.html": "<p>"})
    os.mkfifo(root / "pipe")  # opening it would wait for ever
    assert "'pipe' is neither" in refused(root)


def test_an_unreadable_file(folder: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder("dist", {"index.html": "<p>", "locked.js": "x"})
    real = os.open

    def guarded(path: str, flags: int) -> int:
        if path.endswith("locked.js"):  # permissions do not stop root, who runs tests in containers
            raise PermissionError(13, "Permission denied")
        return real(path, flags)

    monkeypatch.setattr(os, "open", guarded)
    assert "'locked.js' cannot be read (Permission denied)" in refused(root)


@pytest.mark.parametrize("length", [0, 1, 3, HASH_BUFFER_BYTES - 1, HASH_BUFFER_BYTES, 2 * HASH_BUFFER_BYTES + 5])
@pytest.mark.parametrize("seen", [0, 2, 3, 4, HASH_BUFFER_BYTES, 2 * HASH_BUFFER_BYTES + 5])
def test_a_file_is_listed_as_it_was_read_whatever_length_it_had_before(
    folder: Writer, monkeypatch: pytest.MonkeyPatch, seen: int, length: int
) -> None:
    root = folder("dist", {"index.html": b"x" * seen})
    real = os.open

    def grown(path: str, flags: int) -> int:
        Path(path).write_bytes(bytes(number % 251 for number in range(length)))
        return real(path, flags)

    with open_source(root) as source:
        monkeypatch.setattr(os, "open", grown)
        (file,) = source.listing()
    data = (root / "index.html").read_bytes()
    assert (file.size, file.sha256) == (length, hashlib.sha256(data).hexdigest())


def test_a_read_that_is_cut_short_is_gone_on_with(folder: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder("dist", {"index.html": b"<p>" * 1000})
    real = os.read
    monkeypatch.setattr(os, "read", lambda stream, wanted: real(stream, min(wanted, 700)))
    with open_source(root) as source:
        (file,) = source.listing()
    assert (file.size, file.sha256) == (3000, hashlib.sha256(b"<p>" * 1000).hexdigest())


@pytest.mark.skipif(os.getuid() == 0, reason="permissions do not stop root")
def test_an_unreadable_folder(folder: Writer) -> None:
    root = folder("dist", {"index.html": "<p>", "locked/a.js": "x"})
    (root / "locked").chmod(0)
    try:
        assert "'locked/' cannot be read" in refused(root)
    finally:
        (root / "locked").chmod(0o755)


def test_a_file_that_changes_after_it_was_listed(folder: Writer) -> None:
    root = folder("dist", {"index.html": "<p>"})
    with open_source(root) as source:
        (file,) = source.listing()
        (root / "index.html").write_text("longer")
        with pytest.raises(FileChanged, match=r"had 3 bytes and has 6 now"):
            source.open(file)
        (root / "index.html").unlink()
        with pytest.raises(FileChanged, match="no longer be read"):
            source.open(file)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../up.html", "climbs out"),
        ("a/../../up.html", "climbs out"),
        ("/etc/passwd", "climbs out"),
        ("a\\..\\..\\up.html", r"'\'"),
        ("C:\\x.html", r"'\'"),
        ("a//b.html", "empty or '.' segment"),
        ("./a.html", "empty or '.' segment"),
        ("a\nb.html", "control character"),
        ("what?.html", "'?'"),
        ("a#b.html", "'#'"),
        ("shared/a.js", "keeps for itself"),
        ("builds/a.js", "keeps for itself"),
        ("manifests/a.json", "keeps for itself"),
        ("_bluegreen/client.js", "keeps for itself"),
        ("x" * (PATH_MAXIMUM_BYTES + 1), "the most that an S3 key has room for"),
    ],
)
def test_names_that_cannot_be_published(archive: Writer, name: str, reason: str) -> None:
    message = refused(archive("dist.zip", {"index.html": "<p>", name: "x"}))
    assert reason in message
    assert repr(name)[:40] in message


def test_a_zero_byte_hides_no_name(tmp_path: Path) -> None:
    target = tmp_path / "dist.zip"
    with zipfile.ZipFile(target, "w") as packed:
        packed.writestr("index.htmlX../x", "<p>")
    target.write_bytes(target.read_bytes().replace(b"index.htmlX", b"index.html\0"))
    assert "control character" in refused(target)


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.html")).write_text("x")
    assert "not UTF-8" in refused(tmp_path)


def test_a_zip_with_a_link_in_it(tmp_path: Path) -> None:
    target = tmp_path / "dist.zip"
    with zipfile.ZipFile(target, "w") as packed:
        link = zipfile.ZipInfo("link.html")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(link, "/etc/passwd")
    assert "'link.html' is a link" in refused(target)


def test_a_zip_that_names_a_file_twice(tmp_path: Path) -> None:
    target = tmp_path / "dist.zip"
    with zipfile.ZipFile(target, "w") as packed:
        packed.writestr("index.html", "one")
        with pytest.warns(UserWarning, match="Duplicate"):
            packed.writestr("index.html", "two")
    assert "'index.html' is in it twice" in refused(target)


def test_a_damaged_zip(archive: Writer) -> None:
    target = archive("dist.zip", {"index.html": "<p>" * 1000})
    data = bytearray(target.read_bytes())
    data[45] ^= 0xFF
    target.write_bytes(data)
    assert "'index.html' cannot be read" in refused(target)


def test_an_encrypted_zip(archive: Writer) -> None:
    target = archive("dist.zip", {"index.html": "<p>"})
    data = bytearray(target.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    target.write_bytes(data)
    assert "encrypted" in refused(target)


def test_a_file_too_large_for_one_request() -> None:
    assert check_size("video.mp4", 5 * 1024**3, "build") == 5 * 1024**3
    with pytest.raises(InvalidBuild, match=r"video\.mp4.*the most that one object takes"):
        check_size("video.mp4", 5 * 1024**3 + 1, "build")


@given(st.text(max_size=40))
def test_no_accepted_path_leaves_its_place(path: str) -> None:
    try:
        check_path(path, "build")
    except InvalidBuild:
        return
    assert not path.startswith("/")
    assert not {"", ".", ".."} & set(path.split("/"))
    assert os.path.normpath(path) == path
    assert len(f"builds/{'x' * 64}/{path}.br".encode()) <= 1024


@given(
    st.from_regex(r"(shared/|builds/)?[A-Za-z0-9_./-]{1,24}", fullmatch=True) | st.text(max_size=24),
    st.sampled_from([1, 400]),
)
def test_the_short_way_with_paths_never_lets_a_bad_one_pass(path: str, times: int) -> None:
    path *= times

    def refused() -> bool:
        try:
            check_path(path, "the build")
        except InvalidBuild:
            return True
        return False

    quickly = refused()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source_module, "_HARMLESS", re.compile("(?!)"))
        assert refused() is quickly
