"""A fan-out to two buckets of a strict S3 server: everything is there, with what the server itself verified."""

import hashlib
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bluegreen_cdn.aws.targets import open_targets, open_versioned
from bluegreen_cdn.defaults import COPY_MINIMUM_BYTES, SMALL_FILE_BYTES
from bluegreen_cdn.domain.targets import TargetSpec
from bluegreen_cdn.errors import BlueGreenError, BuildConflict
from bluegreen_cdn.publish.execute import PublishResult, execute
from bluegreen_cdn.publish.fan_out_plan import open_everywhere
from bluegreen_cdn.publish.publisher import find_manifest, plan_for
from bluegreen_cdn.publish.source import open_source
from bluegreen_cdn.publish.verify import Verifier

Writer = Callable[[str, Mapping[str, str | bytes]], Path]


@pytest.fixture
def specs(seaweedfs: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[TargetSpec]:
    """Two new buckets, asked what they keep as a store of another make is."""
    for name, value in seaweedfs.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    digest = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    made = [
        TargetSpec(name=name, bucket=f"{name}-{digest}", region="us-east-1", endpoint=seaweedfs.endpoint)
        for name in ("first", "other")
    ]
    for spec in made:
        seaweedfs.client().create_bucket(Bucket=spec.bucket)
    return made


def run(path: Path, specs: list[TargetSpec], build_id: str = "one") -> PublishResult:
    targets = open_targets(specs, connections=8)
    with open_source(path) as source:
        plan = plan_for(source, targets[0].store, build_id=build_id)
        return execute(plan, source, open_everywhere(plan, targets, workers=8), workers=8)


def contents(s3: Any, bucket: str) -> dict[str, tuple[str, str]]:
    """Every object's ETag and the checksum that the server has computed."""
    found = {}
    for item in s3.list_objects_v2(Bucket=bucket).get("Contents", ()):
        there = s3.head_object(Bucket=bucket, Key=item["Key"], ChecksumMode="ENABLED")
        found[item["Key"]] = (item["ETag"], there.get("ChecksumSHA256", ""))
    return found


@pytest.mark.cloud
def test_two_buckets_are_whole_and_alike_build_after_build(
    specs: list[TargetSpec], storefront: Path, seaweedfs: Any
) -> None:
    s3 = seaweedfs.client()
    (storefront / "film.mp4").write_bytes(os.urandom(max(COPY_MINIMUM_BYTES, SMALL_FILE_BYTES) + 1))
    first = run(storefront, specs)
    assert (first.uploaded_files, first.copied_files) == (7, 0)
    (storefront / "index.html").write_text("<p>two")
    second = run(storefront, specs, "two")
    assert (second.copied_files, second.reused_files) == (1, 2)
    for build_id in ("one", "two"):
        found = Verifier(build_id, open_versioned(specs)).look()
        assert (found.complete, found.objects) == (True, 2 * 8), found.findings
    first_bucket, other_bucket = (contents(s3, spec.bucket) for spec in specs)
    assert first_bucket == other_bucket
    assert all(checksum for _, checksum in other_bucket.values()), "each was verified, copies as well"
    film = s3.get_object(Bucket=specs[1].bucket, Key="builds/two/film.mp4")
    assert film["Body"].read() == (storefront / "film.mp4").read_bytes()
    assert film["Metadata"]["build-id"] == "two"


@pytest.mark.cloud
def test_of_two_publishers_one_wins_in_both_buckets(specs: list[TargetSpec], folder: Writer, seaweedfs: Any) -> None:
    paths = [folder(side, {"index.html": side, f"{side}.txt": side}) for side in ("left", "right")]
    outcomes: list[PublishResult | BlueGreenError] = []
    barrier = threading.Barrier(2)

    def one(path: Path) -> None:
        barrier.wait(timeout=10)
        try:
            outcomes.append(run(path, specs))
        except BlueGreenError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=one, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert {type(outcome) for outcome in outcomes} == {PublishResult, BuildConflict}, outcomes
    assert Verifier("one", open_versioned(specs)).look().complete
    first, other = (contents(seaweedfs.client(), spec.bucket) for spec in specs)
    assert first == other
    assert len([key for key in first if key.endswith(".txt")]) == 1, "the loser wrote nothing"


@pytest.mark.cloud
def test_a_bucket_that_is_gone_publishes_nothing(specs: list[TargetSpec], storefront: Path, seaweedfs: Any) -> None:
    seaweedfs.client().delete_bucket(Bucket=specs[1].bucket)
    with pytest.raises(BlueGreenError, match=r"target 'other' \(s3://other-.*NoSuchBucket"):
        run(storefront, specs)
    assert find_manifest(open_targets(specs, connections=1)[0].store, "one") is None
    assert contents(seaweedfs.client(), specs[0].bucket) == {}
