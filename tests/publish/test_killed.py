"""Publishers killed at any moment: no reader sees half a build, and a repeated publish completes it."""

import hashlib
import multiprocessing
import os
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bluegreen_cdn.defaults import SMALL_FILE_BYTES
from bluegreen_cdn.domain.manifest import MANIFEST_PREFIX, Manifest, build_of_manifest_key

BUCKET = "killed"
FIRST_BUCKET, OTHER_BUCKET = "killed-first", "killed-beside"
SEED = 20_240_229
# A child that has everything imported starts in milliseconds, so that most kills meet it at work.
_children = multiprocessing.get_context("forkserver")
_children.set_forkserver_preload(
    [
        "boto3",
        "brotli",
        "obstore",
        "bluegreen_cdn.aws.targets",
        "bluegreen_cdn.publish.fan_out_plan",
        "bluegreen_cdn.publish.publisher",
    ]
)


def publish_one(path: str, build_id: str, environment: dict[str, str], effort: str) -> None:
    """What a child does."""
    from bluegreen_cdn.aws.bulk_store import open_bucket
    from bluegreen_cdn.publish.compress import Compression
    from bluegreen_cdn.publish.publisher import publish
    from bluegreen_cdn.publish.source import open_source

    os.environ.update(environment)
    with open_source(Path(path)) as source:
        publish(source, open_bucket(BUCKET, "us-east-1"), build_id=build_id, workers=8, compression=Compression(effort))


def publish_to_both(path: str, build_id: str, environment: dict[str, str], effort: str) -> None:
    """What a child does that publishes to two buckets."""
    from bluegreen_cdn.aws.targets import open_targets
    from bluegreen_cdn.domain.targets import TargetSpec
    from bluegreen_cdn.publish.compress import Compression
    from bluegreen_cdn.publish.execute import execute
    from bluegreen_cdn.publish.fan_out_plan import open_everywhere
    from bluegreen_cdn.publish.publisher import plan_for
    from bluegreen_cdn.publish.source import open_source

    os.environ.update(environment)
    specs = [TargetSpec(name=name, bucket=name, region="us-east-1") for name in (FIRST_BUCKET, OTHER_BUCKET)]
    targets = open_targets(specs, connections=8)
    with open_source(Path(path)) as source:
        plan = plan_for(source, targets[0].store, build_id=build_id, precompress=True)
        everywhere = open_everywhere(plan, targets, workers=8)
        execute(plan, source, everywhere, workers=8, compression=Compression(effort))


class Reader:
    """Looks for manifests all the time, and checks every file and variant of each as soon as it sees it.

    A build of the first bucket must be in all of them by then.
    """

    def __init__(self, s3: Any, buckets: tuple[str, ...]) -> None:
        self._s3 = s3
        self._buckets = buckets
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.checked: dict[str, set[str]] = {bucket: set() for bucket in buckets}
        self.missing: list[str] = []
        self.variants = 0

    def __enter__(self) -> "Reader":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(timeout=60)

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            self.look()

    def look(self) -> None:
        for bucket in self._buckets:
            checked = self.checked[bucket]
            # Listed from the newest name on: the earlier builds were checked before.
            after = f"{MANIFEST_PREFIX}{max(checked)}.json" if checked else ""
            found = self._s3.list_objects_v2(Bucket=bucket, Prefix=MANIFEST_PREFIX, StartAfter=after)
            for item in found.get("Contents", ()):
                build_id = build_of_manifest_key(item["Key"])
                if build_id is not None:
                    for each in self._buckets if bucket == self._buckets[0] else (bucket,):
                        self._check(each, item["Key"])
                    checked.add(build_id)

    def _check(self, bucket: str, manifest: str) -> None:
        body = self._read(bucket, manifest)
        for file in Manifest.from_json_bytes(body).files if body else ():
            for key, one in ((file.key, file), *zip(file.variant_keys(), file.encodings, strict=True)):
                data = self._read(bucket, key)
                if data is not None and hashlib.sha256(data).hexdigest() != one.sha256:
                    self.missing.append(f"{bucket}/{key} with other bytes")
            self.variants += len(file.encodings)

    def _read(self, bucket: str, key: str) -> bytes | None:
        try:
            data: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except self._s3.exceptions.NoSuchKey:
            self.missing.append(f"{bucket}/{key}")
            return None
        return data


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """Large enough that a kill has something to meet."""
    for number in range(30):
        (tmp_path / f"page{number}.html").write_text(os.urandom(10_000).hex())
    (tmp_path / "index.html").write_text("<p>")
    (tmp_path / "large.bin").write_bytes(os.urandom(SMALL_FILE_BYTES + 1))  # goes through boto3
    (tmp_path / "assets").mkdir()
    return tmp_path


@pytest.mark.cloud
@pytest.mark.parametrize(
    ("publisher", "buckets", "default_kills"),
    [(publish_one, (BUCKET,), 10), (publish_to_both, (FIRST_BUCKET, OTHER_BUCKET), 5)],
    ids=["one bucket", "two buckets"],
)
def test_killed_at_random_moments(
    seaweedfs: Any, build: Path, publisher: Any, buckets: tuple[str, ...], default_kills: int
) -> None:
    kills = int(os.environ.get("BLUEGREEN_KILLS", default_kills))
    s3, environment, choice = seaweedfs.client(), seaweedfs.environment(), random.Random(SEED)
    for bucket in buckets:
        s3.create_bucket(Bucket=bucket)

    def start(build_id: str, effort: str = "best") -> Any:
        child = _children.Process(target=publisher, args=(str(build), build_id, environment, effort))
        child.start()
        return child

    for build_id in ("a-first", "a-second"):  # the first one waits for the imports
        began = time.monotonic()
        whole = start(build_id)
        whole.join(timeout=60)
        assert whole.exitcode == 0
        seconds = time.monotonic() - began
    killed = 0
    with Reader(s3, buckets) as reader:
        for number in range(kills):
            build_id = f"build-{number:03}"
            for name in range(3):
                (build / "assets" / f"chunk{name}-{number:08}.js").write_text(os.urandom(15_000).hex())
            began = time.monotonic()
            child = start(build_id)
            child.join(timeout=choice.uniform(0, seconds))
            if not child.is_alive():  # what was measured was a machine that had other things to do
                seconds = min(seconds, time.monotonic() - began)
            child.kill()
            child.join(timeout=60)
            killed += child.exitcode == -9
            again = start(build_id, "fast")  # other bytes than what the killed one has put there
            again.join(timeout=60)
            assert again.exitcode == 0, f"{build_id} was not completed"
    reader.look()
    assert reader.missing == []
    assert [len(checked) for checked in reader.checked.values()] == [kills + 2] * len(buckets)
    assert reader.variants > 2 * 31 * (kills + 2), "every page and every chunk has its variants"
    assert killed >= kills // 2, "the kills came too late to meet anything"
