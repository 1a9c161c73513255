"""Memory of a publish: within its limit for 100,000 files or one of 5 GB, from every source, as the real command."""

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LIMIT_MEGABYTES = 200
FILES = 100_000
LARGE_BYTES = 5_000_000_000
BYTES_PER_FILE = 850
BYTES_PER_PRECOMPRESSED_FILE = 1_050
"""What a file of a build may cost, without variants and with two; 100,000 of them leave room for the program itself."""

# A process begins with the peak of the one that started it, so a small one stands between.
MEASURED = """
import json, os, subprocess, sys
started = subprocess.Popen(sys.argv[1:], stdout=sys.stderr)
_, status, usage = os.wait4(started.pid, 0)
print(json.dumps({"code": os.waitstatus_to_exitcode(status), "megabytes": usage.ru_maxrss / 1024}))
"""

# A build of ever so many files that nobody has to write, to a bucket that keeps their keys alone.
PROGRAM = """
import hashlib, io, json, sys
from bluegreen_cdn.publish.compress import Compression
from bluegreen_cdn.publish.memory_store import MemoryStore
from bluegreen_cdn.publish.object_store import PutOutcome
from bluegreen_cdn.publish.publisher import publish
from bluegreen_cdn.publish.source import SourceFile

def text(path): return f"<p>{path}".encode()

class Made:
    name = "the build"
    def listing(self):
        paths = ["index.html", *(f"assets/chunks/{n // 500:03}/file-{n:08}AbCd.js" for n in range(int(sys.argv[1])))]
        return tuple(SourceFile(path=path, size=len(text(path)), sha256=hashlib.sha256(text(path)).hexdigest())
            for path in sorted(paths))
    def place(self, file): return 0
    def open(self, file): return io.BytesIO(text(file.path))

class Keys(MemoryStore):
    def head(self, key): return None
    def put_if_absent(self, new, body):
        if new.key.startswith("manifests/"):
            self.manifest = sum(len(line) for line in iter(body.readline, b""))
        return PutOutcome.CREATED

store = Keys()
compression = Compression(sys.argv[2]) if len(sys.argv) > 2 else None
done = publish(Made(), store, build_id="one", compression=compression)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(json.dumps({"peak": int(peak.split()[1]) * 1024, "files": done.uploaded_files, "manifest": store.manifest}))
"""


def peak_of_a_build(files: int, *compression: str) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(files), *compression],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    found: dict[str, int] = json.loads(done.stdout)
    assert found["files"] == files + 1
    return found


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for the peak")
@pytest.mark.parametrize(
    ("compression", "files", "limit"),
    [((), 10_000, BYTES_PER_FILE), (("fast",), 5_000, BYTES_PER_PRECOMPRESSED_FILE)],
    ids=["plain", "variants"],
)
def test_what_a_file_costs(compression: tuple[str, ...], files: int, limit: int) -> None:
    few, many = peak_of_a_build(files, *compression), peak_of_a_build(4 * files, *compression)
    assert many["manifest"] > 4 * files * (500 if compression else 200)
    assert (many["peak"] - few["peak"]) / (3 * files) < limit


# What the stack's publish function does with a build that does not fit its disk.
ASSET_PROGRAM = """
import json, shutil, sys, types
shutil.disk_usage = lambda path: types.SimpleNamespace(free=0)
from bluegreen_cdn.aws.object_store import S3ObjectStore
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.handlers import publish
from bluegreen_cdn.handlers.custom_resource import ResourceRequest
from bluegreen_cdn.publish.memory_store import MemoryRegistry
bucket, key, build = sys.argv[1:]
properties = {"Rules": json.dumps(ClassificationRules.default().to_json()), "Mode": "spa",
    "SourceBucket": bucket, "SourceKey": key}
request = ResourceRequest(type="Create", properties=properties)
publish._publish_asset(request, build, S3ObjectStore(bucket), MemoryRegistry(), lambda: 840.0)
"""


class Bucket:
    """A bucket that the command publishes to, and the command's peak."""

    def __init__(self, server: Any, name: str) -> None:
        self.s3, self.name, self._environment = server.client(), name, server.environment()
        self.s3.create_bucket(Bucket=name)

    def publish(self, path: Path, *options: str) -> float:
        """Publish, and say the megabytes that it took."""
        command = ["-m", "bluegreen_cdn.cli.main", "publish", str(path), "--bucket", self.name, *options, "--json"]
        return self._measured(f"{path.name} {' '.join(options)}", command)

    def publish_asset(self, path: Path, build_id: str) -> float:
        """Publish a zip in S3 by ranges, and say the megabytes that it took."""
        self.s3.upload_file(str(path), self.name, f"assets/{path.name}")
        return self._measured(f"{path.name} in S3", ["-c", ASSET_PROGRAM, self.name, f"assets/{path.name}", build_id])

    def _measured(self, what: str, arguments: list[str]) -> float:
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, sys.executable, *arguments],
            env={**os.environ, **self._environment}, capture_output=True, text=True, timeout=1500, check=True,
        )  # fmt: skip
        found = json.loads(done.stdout)
        assert found["code"] == 0, done.stderr[-2000:]
        print(f"{what}: {found['megabytes']:.0f} MB")
        return float(found["megabytes"])

    def size(self, key: str) -> int:
        return int(self.s3.head_object(Bucket=self.name, Key=key)["ContentLength"])


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of very many small files, half of them hashed."""
    root = tmp_path_factory.mktemp("many") / "dist"
    (root / "assets").mkdir(parents=True)
    (root / "index.html").write_text("<!doctype html><p>")
    for number in range(FILES - 1):
        folder = root / "assets" / f"group-{number // 500:03}"
        if number % 500 == 0:
            folder.mkdir()
        name = f"chunk-{number:08}AbCd.js" if number % 2 else f"page-{number:08}.html"
        (folder / name).write_text(f"export default {number}\n" if number % 2 else f"<p>{number}")
    return root


def packed(root: Path, kind: str) -> Path:
    """A folder as an archive."""
    target = root.with_suffix(f".{kind}")
    if kind == "zip":
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files_below(root):
                archive.write(path, path.relative_to(root))
    else:
        with tarfile.open(target, "w:gz", compresslevel=1) as archive:
            archive.add(root, ".")
    return target


def files_below(root: Path) -> Iterator[Path]:
    return (path for path in root.rglob("*") if path.is_file())


@pytest.mark.scale
def test_very_many_files(seaweedfs: Any, many: Path) -> None:
    bucket = Bucket(seaweedfs, "many-files")
    plain = "--no-precompress"  # the same three times over, and a third of the objects
    peaks = {
        "plan": bucket.publish(many, "--build-id", "folder", "--dry-run"),
        "folder": bucket.publish(many, "--build-id", "folder", plain),
        "again": bucket.publish(many, "--build-id", "folder", plain),
        "plan beside another": bucket.publish(many, "--build-id", "other", "--dry-run"),
        "zip": bucket.publish(packed(many, "zip"), "--build-id", "as.zip", plain),
        "tar.gz": bucket.publish(packed(many, "tar.gz"), "--build-id", "as.gz", plain),
        "variants": bucket.publish(many, "--build-id", "variants", "--compression", "fast"),
    }
    assert bucket.size("manifests/as.zip.json") > FILES * 200
    assert bucket.size("manifests/as.gz.json") > FILES * 200
    assert max(peaks.values()) < LIMIT_MEGABYTES, peaks


@pytest.mark.scale
def test_a_very_large_file(seaweedfs: Any, tmp_path: Path) -> None:
    root = tmp_path / "dist"
    root.mkdir()
    (root / "index.html").write_text("<!doctype html><p>")
    with open(root / "video.mp4", "wb") as video:
        video.truncate(LARGE_BYTES)  # a sparse file, so that writing it costs nothing
    bucket = Bucket(seaweedfs, "large-file")
    peaks = {"folder": bucket.publish(root, "--build-id", "folder")}
    assert bucket.size("builds/folder/video.mp4") == LARGE_BYTES
    bucket.s3.delete_object(Bucket=bucket.name, Key="builds/folder/video.mp4")
    bucket.s3.delete_object(Bucket=bucket.name, Key="manifests/folder.json")
    with zipfile.ZipFile(tmp_path / "dist.zip", "w", zipfile.ZIP_STORED) as archive:
        for path in files_below(root):
            archive.write(path, path.relative_to(root))
    (root / "video.mp4").unlink()
    peaks["zip"] = bucket.publish(tmp_path / "dist.zip", "--build-id", "zip")
    assert bucket.size("builds/zip/video.mp4") == LARGE_BYTES
    assert max(peaks.values()) < LIMIT_MEGABYTES, peaks


@pytest.mark.scale
def test_very_many_files_of_an_asset_in_s3(seaweedfs: Any, many: Path) -> None:
    bucket = Bucket(seaweedfs, "many-in-an-asset")
    archive = many.with_suffix(".zip")
    assert bucket.publish_asset(archive if archive.exists() else packed(many, "zip"), "asset") < LIMIT_MEGABYTES
    assert bucket.size("manifests/asset.json") > FILES * 200


@pytest.mark.scale
def test_a_very_large_file_of_an_asset_in_s3(seaweedfs: Any, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "large.zip", "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("index.html", "<!doctype html><p>")
        with archive.open(zipfile.ZipInfo("video.mp4"), "w", force_zip64=True) as video:
            for _ in range(LARGE_BYTES // 1_000_000):
                video.write(bytes(1_000_000))
    bucket = Bucket(seaweedfs, "large-asset")
    assert bucket.publish_asset(tmp_path / "large.zip", "asset") < LIMIT_MEGABYTES
    assert bucket.size("builds/asset/video.mp4") == LARGE_BYTES
