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
SEED = 20_240_229
# A child that has everything imported starts in milliseconds, so that most kills meet it at work.
_children = multiprocessing.get_context("forkserver")
_children.set_forkserver_preload(
    ["boto3", "obstore", "bluegreen_cdn.aws.bulk_store", "bluegreen_cdn.publish.publisher"]
)


def publish_one(path: str, build_id: str, environment: dict[str, str]) -> None:
    """What a child does."""
    from bluegreen_cdn.aws.bulk_store import open_bucket
    from bluegreen_cdn.publish.publisher import publish
    from bluegreen_cdn.publish.source import open_source

    os.environ.update(environment)
    with open_source(Path(path)) as source:
        publish(source, open_bucket(BUCKET, "us-east-1"), build_id=build_id, workers=8)


class Reader:
    """Looks for manifests all the time, and checks every file of each as soon as it sees it."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.checked: set[str] = set()
        self.missing: list[str] = []

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
        # Listed from the newest name on: the earlier builds were checked before.
        after = f"{MANIFEST_PREFIX}{max(self.checked)}.json" if self.checked else ""
        for item in self._s3.list_objects_v2(Bucket=BUCKET, Prefix=MANIFEST_PREFIX, StartAfter=after).get(
            "Contents", ()
        ):
            build_id = build_of_manifest_key(item["Key"])
            if build_id is None:
                continue
            body = self._s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()
            for file in Manifest.from_json_bytes(body).files:
                try:
                    data = self._s3.get_object(Bucket=BUCKET, Key=file.key)["Body"].read()
                except self._s3.exceptions.NoSuchKey:
                    self.missing.append(file.key)
                else:
                    if hashlib.sha256(data).hexdigest() != file.sha256:
                        self.missing.append(f"{file.key} with other bytes")
            self.checked.add(build_id)


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """Large enough that a kill has something to meet."""
    for number in range(30):
        (tmp_path / f"page{number}.html").write_bytes(os.urandom(20_000))
    (tmp_path / "index.html").write_text("<p>")
    (tmp_path / "large.bin").write_bytes(os.urandom(SMALL_FILE_BYTES + 1))  # goes through boto3
    (tmp_path / "assets").mkdir()
    return tmp_path


@pytest.mark.cloud
def test_killed_at_random_moments(seaweedfs: Any, build: Path) -> None:
    kills = int(os.environ.get("BLUEGREEN_KILLS", "10"))
    s3, environment, choice = seaweedfs.client(), seaweedfs.environment(), random.Random(SEED)
    s3.create_bucket(Bucket=BUCKET)

    def start(build_id: str) -> Any:
        child = _children.Process(target=publish_one, args=(str(build), build_id, environment))
        child.start()
        return child

    for build_id in ("a-first", "a-second"):  # the first one waits for the imports
        began = time.monotonic()
        whole = start(build_id)
        whole.join(timeout=60)
        assert whole.exitcode == 0
        seconds = time.monotonic() - began
    killed = 0
    with Reader(s3) as reader:
        for number in range(kills):
            build_id = f"build-{number:03}"
            for name in range(3):
                (build / "assets" / f"chunk{name}-{number:08}.js").write_bytes(os.urandom(30_000))
            child = start(build_id)
            time.sleep(choice.uniform(0, seconds))
            child.kill()
            child.join(timeout=60)
            killed += child.exitcode == -9
            again = start(build_id)
            again.join(timeout=60)
            assert again.exitcode == 0, f"{build_id} was not completed"
    reader.look()
    assert reader.missing == []
    assert len(reader.checked) == kills + 2
    assert killed >= kills // 2, "the kills came too late to meet anything"
