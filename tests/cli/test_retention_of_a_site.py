"""The commands verify and gc, and the scheduled function, with everything of a site that they ask: buckets in two
regions with replication, the release function with its versions and alias, and the KeyValueStore.
"""

import io
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bluegreen_cdn import defaults
from bluegreen_cdn.aws.key_value_store import CloudFrontKeyValueStore
from bluegreen_cdn.aws.session import client
from bluegreen_cdn.cli.main import run
from bluegreen_cdn.domain.routing import RoutingState
from bluegreen_cdn.handlers.collect import handler
from bluegreen_cdn.handlers.settings import Settings
from bluegreen_cdn.local.cloud import LocalCloud
from bluegreen_cdn.publish import collect

pytestmark = pytest.mark.cloud
REGIONS = ("us-east-1", "eu-west-1")
ROLE = "arn:aws:iam::111122223333:role/x"
SHARED, OWN = "shared/assets/app-B3x9aZ0q.js", "shared/assets/old-D5z1cB2s.js"
GC = ["gc", "--site", "shop", "--keep", "1", "--skew-days", "0", "--wait-hours", "0.0003"]


class Shop:
    """The site: build `one` was released, then `two`; `old` and `newest` were published and never let in."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder, self._capsys = folder, capsys
        store = client("cloudfront").create_key_value_store(Name="bluegreen-shop")["KeyValueStore"]["ARN"]
        account = store.split(":")[4]
        self.buckets = {region: f"bluegreen-shop-{account}-{region}" for region in REGIONS}
        self.store = CloudFrontKeyValueStore(store)
        self.s3 = client("s3")
        for bucket in self.buckets.values():
            self.s3.create_bucket(Bucket=bucket)
            self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        rule = {
            "ID": "all", "Priority": 1, "Status": "Enabled", "Filter": {"Prefix": ""},
            "DeleteMarkerReplication": {"Status": "Disabled"},
            "Destination": {"Bucket": f"arn:aws:s3:::{self.buckets['eu-west-1']}"},
        }  # fmt: skip
        self.s3.put_bucket_replication(
            Bucket=self.buckets["us-east-1"], ReplicationConfiguration={"Role": ROLE, "Rules": [rule]}
        )
        for part, value in {
            "key-value-store-arn": store, "alias": "shop-release:live", "regions": ",".join(REGIONS), "mode": "spa",
        }.items():  # fmt: skip
            client("ssm").put_parameter(Name=f"/bluegreen/shop/{part}", Value=value, Type="String")
        self._release("one", "two")
        for build in ("one", "two", "old", "newest"):
            self.publish(build)

    def _release(self, *builds: str) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("index.py", "def handler(event, context):\n    return None\n")
        functions, version = client("lambda"), ""
        functions.create_function(
            FunctionName="shop-release", Runtime="python3.13", Handler="index.handler", Role=ROLE,
            Code={"ZipFile": packed.getvalue()},
        )  # fmt: skip
        for build in builds:
            functions.update_function_configuration(
                FunctionName="shop-release", Environment={"Variables": {"BUILD_ID": build}}
            )
            version = functions.publish_version(FunctionName="shop-release")["Version"]
        functions.create_alias(FunctionName="shop-release", Name="live", FunctionVersion=version)
        etag = self.store.read(defaults.ROUTING_KEY).etag
        self.store.update({defaults.ROUTING_KEY: RoutingState(epoch=1, stable=builds[-1]).to_json()}, etag=etag)

    def publish(self, build: str) -> None:
        root = self._folder / build
        (root / "assets").mkdir(parents=True)
        (root / "index.html").write_text(f"<p>{build}<script src=/assets/app-B3x9aZ0q.js></script>")
        (root / "assets" / "app-B3x9aZ0q.js").write_text("the same in all")
        (root / "assets" / f"{build}-D5z1cB2s.js").write_text(build)
        self.run("publish", str(root), "--site", "shop", "--build-id", build)
        time.sleep(1.1)  # S3 tells seconds, and a build is older than the next

    def run(self, *arguments: str, code: int = 0) -> str:
        """What a command says, which must end with the code."""
        found = run(arguments)
        said = self._capsys.readouterr()
        assert found == code, said.out + said.err
        return said.out + said.err

    def verify(self, build: str, *options: str, code: int = 0) -> str:
        return self.run("verify", build, "--site", "shop", *options, code=code)

    def wait_for_replication(self) -> None:
        end = time.monotonic() + 30
        while self.keys("us-east-1") != self.keys("eu-west-1"):
            assert time.monotonic() < end, "it was never replicated"
            time.sleep(0.1)

    def keys(self, region: str) -> set[str]:
        """What is in a bucket, without retention's own notes."""
        listed = self.s3.list_objects_v2(Bucket=self.buckets[region]).get("Contents", ())
        return {item["Key"] for item in listed if not item["Key"].startswith(defaults.CONDEMNED_PREFIX)}

    def retained(self) -> set[str]:
        """The builds that the edge knows."""
        names = {f"{defaults.BUILD_KEY_PREFIX}{build}": build for build in ("one", "two", "old", "newest")}
        return {names[key] for key, value in self.store.read(*names).values.items() if value is not None}


@pytest.fixture
def shop(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> Iterator[Shop]:
    with LocalCloud(tmp_path_factory.mktemp("cloud"), time_scale=60) as cloud, pytest.MonkeyPatch.context() as patch:
        for name, value in cloud.environment().items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        patch.delenv("AWS_PROFILE", raising=False)
        patch.setattr(collect, "PUBLISH_MAXIMUM_HOURS", 0)  # no publish takes longer than the short wait
        made = Shop(tmp_path, capsys)
        settings = SimpleNamespace(
            key_value_store_arn=made.store.arn, release_function="shop-release", alias="live", buckets=made.buckets
        )
        patch.setattr(Settings, "from_environment", lambda: settings)
        patch.setenv("KEEP_LAST", "1")
        patch.setenv("SKEW_DAYS", "0")
        yield made


class Context:
    """What Lambda tells a function."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 600_000


def test_from_a_lost_replica_to_a_build_that_is_gone(shop: Shop) -> None:
    shop.wait_for_replication()
    for build in ("one", "two", "old", "newest"):
        assert "is complete" in shop.verify(build)

    # An object is gone from the replica: found, mended, whole.
    shop.s3.delete_object(Bucket=shop.buckets["eu-west-1"], Key="builds/two/index.html")
    said = shop.verify("two", code=1)
    assert "wrong   eu-west-1: builds/two/index.html: missing" in said
    assert "build two is not complete: 1 in eu-west-1 missing or wrong" in said
    assert "mended  eu-west-1: builds/two/index.html" in shop.verify("two", "--repair")
    assert "build two is complete" in shop.verify("two")

    # What would go, and why the others stay; nothing changes.
    before = {region: shop.keys(region) for region in REGIONS}
    said = shop.run(*GC)
    fates = {line.split()[1]: line for line in said.splitlines() if line.startswith(("keep ", "remove "))}
    assert {build: line.split()[0] for build, line in fates.items()} == {
        "one": "keep", "two": "keep", "old": "remove", "newest": "keep"
    }  # fmt: skip
    assert "live" in fates["two"]
    assert "rollback target" in fates["one"]
    assert "no rollback target" in fates["old"]
    assert "one of the last" in fates["newest"]
    assert "nothing was changed" in said
    assert {region: shop.keys(region) for region in REGIONS} == before

    # The function on the schedule condemns: the edge forgets the build before anything of it goes.
    first: Any = handler({}, Context())
    assert first["condemned"]["builds"] == ["old"]
    assert shop.retained() == {"one", "two", "newest"}
    again: Any = handler({}, Context())
    assert (again["deleted_versions"], again["condemned"], again["complete"]) == (0, None, True), "a day has not passed"
    assert {region: shop.keys(region) for region in REGIONS} == before
    assert "condemned by retention" in shop.verify("old", code=1)

    # A run after the wait deletes what it names and no other build does, in every region.
    time.sleep(2.1)
    assert "removed old: " in shop.run(*GC, "--apply")
    for region in REGIONS:
        gone = before[region] - shop.keys(region)
        assert {key.removesuffix(".br").removesuffix(".gz") for key in gone} == {
            "manifests/old.json", "builds/old/index.html", OWN, *(gone & {"manifests/old.claim"}),
        }  # fmt: skip
        assert SHARED in shop.keys(region)
    for build in ("one", "two", "newest"):
        assert "is complete" in shop.verify(build)
    assert "would condemn 0 files" in shop.run(*GC)
    assert "has no manifest in us-east-1" in shop.verify("old", code=1)
