"""Builds that cannot be published, to the whole command: one clear line, and the store is not even asked."""

import io
import os
import resource
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bluegreen_cdn.cli.main import run
from bluegreen_cdn.errors import PublishError
from bluegreen_cdn.publish import execute as execute_module
from bluegreen_cdn.publish.memory_source import MemorySource
from bluegreen_cdn.publish.memory_store import MemoryStore
from bluegreen_cdn.publish.publisher import publish

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def dist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build that could be published, if there were a store."""
    for name, value in {
        "AWS_ENDPOINT_URL": NOBODY, "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    root = tmp_path / "dist"
    root.mkdir()
    (root / "index.html").write_text("<p>")
    return root


def unreadable(root: Path) -> Path:
    (root / "secret.js").symlink_to(root / "missing.js")
    return root


def leaving(root: Path) -> Path:
    (root.parent / "passwords.txt").write_text("x")
    (root / "passwords.txt").symlink_to("../passwords.txt")
    return root


def unfit_for_urls(root: Path) -> Path:
    (root / "what?.html").write_text("x")
    return root


def same_but_for_case(root: Path) -> Path:
    (root / "Logo.png").write_text("x")
    (root / "logo.png").write_text("y")
    if len(list(root.iterdir())) < 3:
        pytest.skip("this file system takes them for the same")
    return root


def zipped(root: Path, name: str, data: bytes) -> Path:
    target = root.with_suffix(".zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("index.html", "<p>")
        packed.writestr(name, data)
    return target


def climbing(root: Path) -> Path:
    return zipped(root, "../../home/.ssh/authorized_keys", b"x")


def bomb(root: Path) -> Path:
    return zipped(root, "zeros.bin", bytes(150 * 1024**2))


def no_archive(root: Path) -> Path:
    (root.parent / "dist.bin").write_bytes(b"neither")
    return root.parent / "dist.bin"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (unreadable, "'secret.js' cannot be read"),
        (leaving, "'passwords.txt' leaves the folder"),
        (unfit_for_urls, "'what?.html' has a control character"),
        (same_but_for_case, "differ in case or accents only"),
        (climbing, "climbs out of the build"),
        (bomb, "as zip bombs do"),
        (no_archive, "is not a zip file that can be read"),
    ],
)
def test_it_is_refused_in_one_line(
    dist: Path, make: Callable[[Path], Path], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["publish", str(make(dist)), "--bucket", "shop", "--build-id", "one"])
    said = capsys.readouterr()
    assert code == 2, said.err
    assert reason in said.err
    assert (said.out, len(said.err.strip().splitlines())) == ("", 1)
    assert "127.0.0.1" not in said.err, "the store was not asked"


def test_a_disk_that_is_full_while_a_tar_is_unpacked(dist: Path, tmp_path: Path) -> None:
    """The system itself refuses to write on: a file of this process may not become longer than a megabyte."""
    archive = tmp_path / "dist.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(dist, ".")
        member = tarfile.TarInfo("video.bin")
        member.size = 5_000_000
        packed.addfile(member, io.BytesIO(os.urandom(member.size)))
    done = subprocess.run(
        [sys.executable, "-m", "bluegreen_cdn.cli.main", "publish", str(archive), "--bucket", "shop"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)),
        env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert f"cannot be unpacked into '{tmp_path}'" in done.stderr
    assert "set TMPDIR to a folder with room for it" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("dist", "dist.tar.gz")] == []


def test_a_disk_that_is_full_when_the_manifest_is_put_by(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def __init__(self, max_size: int) -> None:
            super().__init__()

        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(execute_module.tempfile, "SpooledTemporaryFile", Full)
    store = MemoryStore()
    with pytest.raises(PublishError, match=r"No space left on device.*set TMPDIR"):
        publish(MemorySource({"index.html": "<p>"}), store, build_id="one")
    assert "manifests/one.json" not in store.objects
    monkeypatch.undo()
    publish(MemorySource({"index.html": "<p>"}), store, build_id="one")
    assert "manifests/one.json" in store.objects
