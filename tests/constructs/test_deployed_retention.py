"""Verification, repair and retention of a site that the real CDK command has deployed to two regions."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deployed import CDK, COMMAND, QUICKLY, ROOT, Site, deployed_site, two_builds

REGIONS = ("us-east-1", "eu-west-1")

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.scale,
    pytest.mark.skipif(not CDK.exists(), reason="the CDK command is not installed: make setup"),
]

# Retention as a stack may ask for it: nothing is kept but what is in use, and the newest build.
RETENTION_APP = """
import functools, json, sys
from bluegreen_cdn.constructs import Retention, app
retention = Retention(keep_last=1, skew_days=0, every_hours=744)
app.BlueGreenSite = functools.partial(app.BlueGreenSite, retention=retention)
app.main(json.load(open({context!r}))["context"])
"""
# The wait between the sweeps is hours: here it is a second, and no publish takes longer.
SHORT_WAIT = "import bluegreen_cdn.publish.collect as c; c.PUBLISH_MAXIMUM_HOURS = 0; " + COMMAND
GC = ("gc", "--keep", "1", "--skew-days", "0", "--wait-hours", "0.0003")


@pytest.fixture
def builds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return two_builds(tmp_path_factory.mktemp)


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory, builds: dict[str, Path]) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("retention")
    with deployed_site(folder, builds, regions=REGIONS) as site:
        yield site
    shutil.rmtree(folder, ignore_errors=True)


def test_verification_repair_and_retention_of_a_deployed_site(
    site: Site, builds: dict[str, Path], tmp_path: Path
) -> None:
    s3 = site.client("s3")

    def keys(region: str) -> set[str]:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=site.bucket(region))
        return {item["Key"] for page in pages for item in page.get("Contents", ())}

    def wait_until_whole(build: str) -> None:
        """Replication has had its time."""
        end = time.monotonic() + 60
        while site.command("verify", build).returncode != 0 and time.monotonic() < end:
            time.sleep(0.5)
        assert "is complete" in site.bluegreen("verify", build)

    def retained(*names: str) -> list[str]:
        arn = site.client("ssm").get_parameter(Name="/bluegreen/shop/key-value-store-arn")["Parameter"]["Value"]
        program = (
            "import sys; from bluegreen_cdn.aws.key_value_store import CloudFrontKeyValueStore as Store\n"
            "found = Store(sys.argv[1]).read(*('build/' + name for name in sys.argv[2:])).values\n"
            "print(*(key.removeprefix('build/') for key, value in found.items() if value is not None))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, arn, *names],
            env=site.environment, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        return done.stdout.split()

    # The second release, with scheduled retention in the stack.
    app_file = tmp_path / "app.py"
    app_file.write_text(RETENTION_APP.format(context=str(ROOT / "cdk.json")))
    done = site.deploy(f"build={builds['two']}", "build_id=two", QUICKLY, app_file=app_file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert site.live() == ("two", {})

    # Two that nobody was ever let into; the older one shares a file with the live build and has one of its own.
    shared, own = "assets/index-C4y0bA1r.js", "assets/old-D5z1cB2s.js"
    for name in ("old", "newest"):
        folder = tmp_path / name
        shutil.copytree(builds["two"], folder)
        (folder / own.replace("old", name)).write_text(f"console.log('{name}')")
        site.bluegreen("publish", str(folder), "--build-id", name)
        time.sleep(1.1)  # S3 tells seconds, and the next one comes later
    for name in ("two", "old", "newest"):
        wait_until_whole(name)

    # An object that is gone from the replica: found, mended, whole.
    s3.delete_object(Bucket=site.bucket("eu-west-1"), Key="builds/two/index.html")
    said = site.bluegreen("verify", "two", code=1)
    assert "wrong   eu-west-1: builds/two/index.html: missing" in said
    assert "build two is not complete: 1 in eu-west-1 missing or wrong" in said
    assert "mended  eu-west-1: builds/two/index.html" in site.bluegreen("verify", "two", "--repair")
    assert "build two is complete" in site.bluegreen("verify", "two")

    # What would go, and why the others stay; nothing changes.
    before = {region: keys(region) for region in REGIONS}
    said = site.bluegreen(*GC, program=SHORT_WAIT)
    fates = {line.split()[1]: line for line in said.splitlines() if line.startswith(("keep", "remove"))}
    assert {name: line.split()[0] for name, line in fates.items()} == {
        "one": "keep", "two": "keep", "old": "remove", "newest": "keep"
    }  # fmt: skip
    assert "live" in fates["two"]
    assert "rollback" in fates["one"]
    assert "no rollback target" in fates["old"]
    assert "nothing was changed" in said
    assert {region: keys(region) for region in REGIONS} == before

    # The function on the schedule condemns. It deletes nothing before its wait is over.
    functions = site.client("lambda").list_functions(MaxItems=100)["Functions"]
    (collector,) = (one["FunctionName"] for one in functions if one["Description"] == "shop: removes old builds")

    def collect() -> dict[str, Any]:
        answer = site.client("lambda").invoke(FunctionName=collector, Payload=b"{}")
        found: dict[str, Any] = json.load(answer["Payload"])
        assert "FunctionError" not in answer, found
        return found

    first = collect()
    assert first["condemned"]["builds"] == ["old"]
    assert (collect()["deleted_versions"], first["complete"]) == (0, True)
    # The edge forgets a build before anything of it goes.
    assert set(retained("one", "two", "old", "newest")) == {"one", "two", "newest"}
    for region in REGIONS:
        assert {key for key in keys(region) if not key.startswith("condemned/")} == before[region]
    assert "condemned by retention" in site.bluegreen("verify", "old", code=1)
    refused = site.deploy("build_id=old", QUICKLY, app_file=app_file)
    assert refused.returncode != 0
    assert "retention has condemned it" in refused.stdout + refused.stderr
    assert site.live() == ("two", {})

    # The next run after the wait deletes those versions, and what a kept build names stays.
    time.sleep(2.1)
    said = site.bluegreen(*GC, "--apply", program=SHORT_WAIT)
    assert "removed old: " in said
    for region in REGIONS:
        gone = {"manifests/old.json", "builds/old/index.html", f"shared/{own}"}
        assert not keys(region) & gone
        assert before[region] - keys(region) >= gone
        assert {"manifests/one.json", "manifests/two.json", f"shared/{shared}"} <= keys(region)
        assert not {key for key in keys(region) if "/old" in key}
    for name in ("one", "two", "newest"):
        assert "is complete" in site.bluegreen("verify", name)
    assert "nothing to condemn" in site.bluegreen(*GC, "--apply", program=SHORT_WAIT)
    assert "would condemn 0 files" in site.bluegreen(*GC, program=SHORT_WAIT)
    # The build before is still there to go back to.
    assert "build one" in site.bluegreen("rollback", "--yes")
    site.bluegreen("unpin", "--yes")
