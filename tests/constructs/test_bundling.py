import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bluegreen_cdn.constructs import bundling
from bluegreen_cdn.constructs.bundling import edge_archive, handlers_archive
from bluegreen_cdn.errors import BlueGreenError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "bluegreen-cdn"


def members(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def test_the_handlers_bring_what_they_import_and_nothing_else(cache: Path) -> None:
    names = members(handlers_archive(with_libraries=False).path)
    assert {"bluegreen_cdn/__init__.py", "bluegreen_cdn/errors.py", "bluegreen_cdn/handlers/sync.py"} <= set(names)
    assert {"bluegreen_cdn/_edge_handler/client.js", "bluegreen_cdn/_edge_handler/client.mjs"} <= set(names)
    folders = {name.split("/")[1] for name in names if name.count("/") > 1}
    assert folders == {"domain", "publish", "aws", "handlers", "_edge_handler"}
    assert not [name for name in names if name.endswith(".pyc") or "__pycache__" in name]


def test_the_libraries_lie_beside_them_for_lambdas_platform(cache: Path) -> None:
    names = members(handlers_archive().path)
    packer = "_vendor/_brotli.cpython-313-x86_64-linux-gnu.so"
    assert {"_vendor/_awscrt.abi3.so", "_vendor/awscrt/__init__.py", packer, "_vendor/brotli.py"} <= set(names)
    assert {name.split("/")[1] for name in names if name.startswith("_vendor/")} == {
        *("awscrt", "_awscrt.abi3.so"),
        *("brotli.py", packer.removeprefix("_vendor/")),
    }
    with zipfile.ZipFile(handlers_archive().path) as archive:
        for member in ("_vendor/_awscrt.abi3.so", packer):
            library = archive.read(member)
            assert archive.getinfo(member).external_attr >> 16 == 0o100755
            assert library[:4] == b"\x7fELF"
            assert int.from_bytes(library[18:20], "little") == 62, "x86-64"


def test_the_edge_handler_is_alone_and_small(cache: Path) -> None:
    archive = edge_archive()
    assert members(archive.path) == ["origin_request.py"]
    assert archive.path.stat().st_size < 30_000


def test_the_same_sources_give_the_same_bytes(cache: Path) -> None:
    first = handlers_archive(with_libraries=False)
    before = first.path.read_bytes()
    first.path.unlink()
    second = handlers_archive(with_libraries=False)
    assert (second.digest, second.path.read_bytes()) == (first.digest, before)
    with zipfile.ZipFile(second.path) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_hash_says_which_sources_and_which_libraries(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = {handlers_archive(with_libraries=False).digest}
    for version in ("0.1.0", "0.2.0"):
        monkeypatch.setattr(bundling.importlib.metadata, "version", lambda name, version=version: version)
        monkeypatch.setattr(bundling, "_library_files", lambda library, version: {f"{library}.py": version.encode()})
        digests.add(handlers_archive().digest)
    assert len(digests) == 3


def test_a_kept_archive_is_not_made_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = handlers_archive(with_libraries=False).path
    monkeypatch.setattr(bundling, "_write_zip", lambda *_: pytest.fail("made again"))
    assert handlers_archive(with_libraries=False).path == path


def test_on_another_platform_the_library_is_fetched_for_lambdas(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def pip(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        wheel = Path(command[command.index("--dest") + 1]) / "awscrt.whl"
        wheel.parent.mkdir(parents=True)
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("_awscrt.abi3.so", b"lambda's")
            archive.writestr("awscrt-1.dist-info/METADATA", b"")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(bundling.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(bundling.subprocess, "run", pip)
    version = bundling.importlib.metadata.version("awscrt")
    assert bundling._library_files("awscrt", version) == {"_awscrt.abi3.so": b"lambda's"}
    assert bundling._library_files("awscrt", version) == {"_awscrt.abi3.so": b"lambda's"}, "kept for the next time"
    (command,) = calls
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {f"awscrt=={version}", "manylinux2014_x86_64", "3.13", "--only-binary=:all:"} <= set(command)


def test_without_it_the_reason_is_said(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: retrying\nERROR: no network")
    monkeypatch.setattr(bundling.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(bundling.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(BlueGreenError, match=r"could not be fetched \(ERROR: no network\)"):
        bundling._library_files("awscrt", "0.36.0")


def test_an_interrupted_synth_leaves_no_half_archive(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundling.zipfile.ZipFile, "writestr", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        handlers_archive(with_libraries=False)
    assert list(cache.iterdir()) == []


def test_the_bundle_can_be_imported_where_nothing_is_installed(cache: Path, tmp_path: Path) -> None:
    """What Lambda does first; the SDK, which Lambda has, is the only thing lent to it."""
    with zipfile.ZipFile(handlers_archive().path) as archive:
        archive.extractall(tmp_path / "task")
    import boto3

    program = (
        "import importlib, sys; sys.path[:0] = [sys.argv[1]]; sys.path.append(sys.argv[2])\n"
        "for name in ('publish', 'seed', 'check', 'sync', "
        "'before_allow_traffic', 'after_allow_traffic', 'client_metrics'):\n"
        "    assert callable(importlib.import_module('bluegreen_cdn.handlers.' + name).handler)\n"
        "assert importlib.import_module('bluegreen_cdn').__file__.startswith(sys.argv[1])\n"
        "assert not {'aws_cdk', 'click', 'rich'} & set(sys.modules)\n"
    )
    site_packages = str(Path(boto3.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-S", "-c", program, str(tmp_path / "task"), site_packages],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
