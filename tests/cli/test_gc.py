"""The commands gc and verify, on buckets in memory."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from bluegreen_cdn.aws import targets
from bluegreen_cdn.cli import gc as gc_command
from bluegreen_cdn.cli import main as command
from bluegreen_cdn.cli import verify as verify_command
from bluegreen_cdn.domain.retention import InUse, RetentionPolicy
from bluegreen_cdn.domain.targets import TargetSpec
from bluegreen_cdn.publish.collect import Collector
from bluegreen_cdn.publish.collect_memory import MemoryUsedBuilds, MemoryVersionedStore
from bluegreen_cdn.publish.publisher import publish
from bluegreen_cdn.publish.source import open_source
from bluegreen_cdn.publish.targets import Target

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
    target = Target(name="us-east-1", place="s3://shop", store=made.store)
    monkeypatch.setattr(targets, "open_targets", lambda specs, connections: [target])
    monkeypatch.setattr(verify_command, "_specs", lambda site, named: [])
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


def test_a_condemned_build_is_published_again_and_that_is_said(
    bucket: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "index.html").write_text("a")
    publish_it = ["publish", str(tmp_path), "--bucket", "shop", "--build-id", "a"]
    assert command.run(["gc", "--site", "shop", "--keep", "1", "--apply"]) == 0
    capsys.readouterr()
    assert command.run([*publish_it, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "again         1 B  index.html -> builds/a/index.html (retention has condemned it)" in said
    assert "is published already and would be put again, because retention has condemned it" in said
    assert "nothing to do" not in said
    assert command.run([*publish_it, "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out).items() >= {"published": True, "revives": True}.items()
    bucket.time += 3600
    assert command.run(publish_it) == 0
    assert (
        "retention had condemned it: its manifest and 1 files (1 B) are put again and stay" in capsys.readouterr().out
    )
    assert command.run([*publish_it, "--dry-run", "--json"]) == 0
    bucket.time += 24 * 3600
    assert command.run(["gc", "--site", "shop", "--keep", "1", "--apply"]) == 0
    assert command.run(["verify", "a", "--site", "shop"]) == 0
