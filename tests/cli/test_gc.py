"""The commands gc and verify, on buckets in memory."""

import json
from pathlib import Path

import pytest

from bluegreen_cdn.cli import gc as gc_command
from bluegreen_cdn.cli import main as command
from bluegreen_cdn.cli import verify as verify_command
from bluegreen_cdn.domain.retention import InUse, RetentionPolicy
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
        self.used = MemoryUsedBuilds(used=InUse(live=frozenset({"c"}), rollback_targets=frozenset({"b", "c"})))
        for build in "abc":
            (folder / "index.html").write_text(build)
            with open_source(folder) as source:
                publish(source, self.store, build_id=build, registry=self.used)
            self.time += 30 * DAY


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    made = Bucket(tmp_path)

    def collector(site: str, policy: RetentionPolicy, wait_hours: float) -> Collector:
        return Collector({"us-east-1": made.store}, made.used, policy, wait_hours=wait_hours)

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


def test_verify_says_what_is_missing_and_fails(bucket: Bucket, capsys: pytest.CaptureFixture[str]) -> None:
    del bucket.store.objects["builds/b/index.html"]
    assert command.run(["verify", "b", "--site", "shop"]) == 1
    assert "us-east-1: builds/b/index.html: missing" in capsys.readouterr().out
    assert command.run(["verify", "b"]) == 2


def test_a_wait_shorter_than_a_publish_is_refused(bucket: Bucket) -> None:
    assert command.run(["gc", "--site", "shop", "--wait-hours", "2"]) == 2
