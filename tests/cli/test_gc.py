"""The commands gc and verify, on buckets in memory."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from bluegreen_cdn.cli import gc as gc_command
from bluegreen_cdn.cli import main as command
from bluegreen_cdn.cli import verify as verify_command
from bluegreen_cdn.domain.retention import InUse, RetentionPolicy
from bluegreen_cdn.domain.targets import TargetSpec
from bluegreen_cdn.publish.collect import Collector
from bluegreen_cdn.publish.collect_memory import MemoryUsedBuilds, MemoryVersionedStore
from bluegreen_cdn.publish.publisher import publish
from bluegreen_cdn.publish.source import open_source

DAY = 86_400


class Bucket:
    """A bucket with three builds, a month apart; the last is live."""

    def __init__(self, folder: Path) -> None:
        self.time = 1_000_000.0
        self.store = MemoryVersionedStore(clock=lambda: self.time)
        self.others = {"front": MemoryVersionedStore(clock=lambda: self.time, name="front")}
        self.used = MemoryUsedBuilds(used=InUse(live=frozenset({"c"}), rollback_targets=frozenset({"b", "c"})))
        for build in "abc":
            (folder / "index.html").write_text(build)
            with open_source(folder) as source:
                publish(source, self.store, build_id=build, registry=self.used)
            self.time += 30 * DAY


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    made = Bucket(tmp_path)

    def collector(site: str, named: Sequence[TargetSpec], policy: RetentionPolicy, wait_hours: float) -> Collector:
        stores = {"us-east-1": made.store, **{spec.name: made.others[spec.bucket] for spec in named}}
        return Collector(stores, made.used, policy, wait_hours=wait_hours)

    monkeypatch.setattr(gc_command, "_collector", collector)
    monkeypatch.setattr(verify_command, "_stores", lambda site, buckets, workers: {"us-east-1": made.store})
    return made


def test_a_dry_run_says_what_and_why_and_changes_nothing(bucket: Bucket, capsys: pytest.CaptureFixture[str]) -> None:
    before = dict(bucket.store.objects)
    assert command.run(["gc", "--site", "shop", "--keep", "1"]) == 0
    said = capsys.readouterr().out
    assert "remove  a" in said
    assert "its function version is gone: no rollback target" in said
    assert "keep    b" in said
    assert "nothing was changed" in said
    assert bucket.store.objects == before


def test_two_runs_remove_a_build_with_its_claim(bucket: Bucket, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(["gc", "--site", "shop", "--keep", "1", "--apply", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["condemned"]["builds"] == ["a"]
    assert bucket.used.builds == {"b", "c"}
    assert "manifests/a.json" in bucket.store.objects
    bucket.time += 25 * 3600
    assert command.run(["gc", "--site", "shop", "--keep", "1", "--apply"]) == 0
    assert "removed a: 3 objects" in capsys.readouterr().out
    assert not [key for key in bucket.store.objects if "/a" in key or key.startswith("condemned/")]
    assert command.run(["verify", "c", "--site", "shop"]) == 0


def test_a_target_beside_the_site_is_collected_from_too(
    bucket: Bucket, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    other = bucket.others["front"]
    for build in "ac":
        (tmp_path / "index.html").write_text(build)
        with open_source(tmp_path) as source:
            publish(source, other, build_id=build)
    options = ["gc", "--site", "shop", "--keep", "1", "--target", "minio=s3://front?endpoint=http://127.0.0.1:9000"]
    assert command.run([*options, "--apply"]) == 0
    bucket.time += 25 * 3600
    assert command.run([*options, "--apply"]) == 0
    assert "removed a: 6 objects" in capsys.readouterr().out
    assert sorted(other.objects) == ["builds/c/index.html", "manifests/c.claim", "manifests/c.json"]
    assert command.run(["gc", "--site", "shop", "--target", "minio=front"]) == 2
    other.versioned = False
    assert command.run([*options, "--apply"]) == 2
    assert "memory://front keeps no versions" in capsys.readouterr().err


def test_verify_says_what_is_missing_and_fails(bucket: Bucket, capsys: pytest.CaptureFixture[str]) -> None:
    del bucket.store.objects["builds/b/index.html"]
    assert command.run(["verify", "b", "--site", "shop"]) == 1
    assert "us-east-1: builds/b/index.html: missing" in capsys.readouterr().out
    assert command.run(["verify", "b"]) == 2


def test_a_wait_shorter_than_a_publish_is_refused(bucket: Bucket) -> None:
    assert command.run(["gc", "--site", "shop", "--wait-hours", "2"]) == 2
