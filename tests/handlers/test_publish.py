"""The custom resource that publishes, against S3 and a KeyValueStore on this machine."""

import functools
import gzip
import io
import json
import random
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from bluegreen_cdn.aws.key_value_store import CloudFrontKeyValueStore
from bluegreen_cdn.aws.object_reader import ObjectReader, RangedFile
from bluegreen_cdn.aws.object_store import S3ObjectStore
from bluegreen_cdn.aws.session import client
from bluegreen_cdn.defaults import RANGE_BYTES
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.healing import EdgeRules
from bluegreen_cdn.domain.retention import KeySet
from bluegreen_cdn.handlers import publish as handlers_publish
from bluegreen_cdn.handlers.publish import handler
from bluegreen_cdn.local.cloud import LocalCloud
from bluegreen_cdn.publish.collect_condemned import Sweep, keys_key, marker_key, write_note
from bluegreen_cdn.publish.compress import Compression
from bluegreen_cdn.publish.heal import unhealed_paths
from bluegreen_cdn.publish.plan import plan_publish
from bluegreen_cdn.publish.publisher import publish
from bluegreen_cdn.publish.source import SourceFile
from bluegreen_cdn.publish.zip_source import ZipSource

pytestmark = pytest.mark.cloud


@pytest.fixture(scope="module", autouse=True)
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """AWS on this machine, as the handler's environment has it."""
    with LocalCloud(tmp_path_factory.mktemp("cloud")) as started, pytest.MonkeyPatch.context() as patch:
        for name, value in started.environment().items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        patch.delenv("AWS_PROFILE", raising=False)
        yield


class Site(NamedTuple):
    """A bucket and a KeyValueStore of one test."""

    bucket: str
    arn: str

    @property
    def keys(self) -> list[str]:
        return list(S3ObjectStore(self.bucket).list_keys(""))

    def retained(self, build_id: str) -> str | None:
        return CloudFrontKeyValueStore(self.arn).read(f"build/{build_id}").values[f"build/{build_id}"]

    def properties(self, build_id: str, **values: Any) -> dict[str, Any]:
        return {
            "ServiceToken": "arn:aws:lambda:us-east-1:111122223333:function:publish",
            "Site": "shop",
            "BuildId": build_id,
            "Bucket": self.bucket,
            "KeyValueStoreArn": self.arn,
            "Rules": json.dumps(ClassificationRules.default().to_json()),
            "Mode": "spa",
            **values,
        }


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Site:
    name = f"site-{abs(hash(request.node.name)) % 10**10}"
    client("s3").create_bucket(Bucket=name)
    arn = client("cloudfront").create_key_value_store(Name=name)["KeyValueStore"]["ARN"]
    return Site(name, arn)


@pytest.fixture
def asset(site: Site) -> Callable[..., dict[str, str]]:
    """Uploads a zip as the CDK does, and gives the properties that name it."""

    def upload(files: dict[str, bytes]) -> dict[str, str]:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, data in files.items():
                archive.writestr(path, data)
        bucket = f"{site.bucket}-assets"
        client("s3").create_bucket(Bucket=bucket)
        client("s3").put_object(Bucket=bucket, Key="asset.zip", Body=packed.getvalue())
        return {"SourceBucket": bucket, "SourceKey": "asset.zip"}

    return upload


BUILD = {"index.html": b"<p>", "assets/index-B3x9aZ0q.js": b"x" * 2_000_000, "favicon.ico": b"i"}


def test_an_asset_becomes_a_build(site: Site, asset: Any, formation: Any, context: Any) -> None:
    handler(formation.event(ResourceProperties=site.properties("one", **asset(BUILD))), context())
    assert formation.answer["Status"] == "SUCCESS", formation.answer
    assert formation.answer["PhysicalResourceId"] == "build-shop-one"
    assert formation.answer["Data"] == {"BuildId": "one", "ManifestKey": "manifests/one.json"}
    assert site.keys == [
        "builds/one/favicon.ico",
        "builds/one/index.html",
        "manifests/one.claim",
        "manifests/one.json",
        "shared/assets/index-B3x9aZ0q.js",
    ]
    assert json.loads(site.retained("one") or "") == {"format": 1}


def test_text_gets_variants_where_the_edge_asks_for_them(site: Site, asset: Any, formation: Any, context: Any) -> None:
    source = asset({"index.html": b"<p>", "assets/index-B3x9aZ0q.js": b"x" * 100_000, "logo.png": b"p"})
    handler(formation.event(ResourceProperties=site.properties("one", Precompress="true", **source)), context())
    assert formation.answer["Status"] == "SUCCESS", formation.answer
    script = "shared/assets/index-B3x9aZ0q.js"
    assert [key for key in site.keys if key.endswith((".br", ".gz"))] == [
        *("builds/one/index.html.br", "builds/one/index.html.gz"),
        *(f"{script}.br", f"{script}.gz"),
    ]
    assert gzip.decompress(S3ObjectStore(site.bucket).get(f"{script}.gz")) == b"x" * 100_000
    formation.answers.clear()
    handler(formation.event(ResourceProperties=site.properties("two", Precompress="maybe", **source)), context())
    assert "property Precompress of the custom resource is 'maybe'" in formation.answer["Reason"]


@pytest.mark.parametrize(
    ("seconds", "effort", "said"),
    [(400, "best", "taking the best one"), (100, "fast", "taking the fast one"), (4, "fast", "too little time")],
)
def test_it_compresses_as_hard_as_there_is_time_for(
    seconds: float, effort: str, said: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = Compression.BEST.bytes_per_second * 180
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769")
    files = (SourceFile(path="index.html", size=size, sha256="a" * 64),)
    plan = plan_publish("one", files, rules=ClassificationRules.default(), mode="spa", precompress=True)
    with caplog.at_level("INFO"):
        assert handlers_publish._effort(plan, seconds) == effort
    assert said in caplog.text
    assert handlers_publish._effort(replace(plan, variants=()), 0) == "best", "nothing takes no time"


def test_a_build_of_other_rules_is_put_where_the_edge_looks(
    site: Site, asset: Any, formation: Any, context: Any
) -> None:
    source = asset(BUILD)
    handler(formation.event(ResourceProperties=site.properties("one", **source)), context())
    rules = ClassificationRules.preset("vite", unhashed=("assets/*",), hashed=("favicon.ico",))
    changed = {"Rules": json.dumps(rules.to_json()), "Precompress": "true"}
    for files in ({}, source):
        formation.answers.clear()
        handler(formation.event(ResourceProperties=site.properties("one", **changed, **files)), context())
        assert formation.answer["Status"] == "SUCCESS", formation.answer
        edge = EdgeRules(rules=rules, precompress=True)
        assert list(unhealed_paths(S3ObjectStore(site.bucket), "one", edge)) == []
        assert {"shared/favicon.ico.br", "builds/one/assets/index-B3x9aZ0q.js.gz"} <= set(site.keys)


def test_header_rules_and_what_may_be_missing(site: Site, asset: Any, formation: Any, context: Any) -> None:
    source = asset({"index.html": b"<script src=a.js></script><img src=b.png>", "a.js": b"", "a.js.map": b"{}"})
    handler(formation.event(ResourceProperties=site.properties("one", **source)), context())
    assert formation.answer["Status"] == "FAILED"
    assert "'b.png' in 'index.html'" in formation.answer["Reason"]
    formation.answers.clear()
    rules = json.dumps({"rules": [{"glob": "a.js", "cache": "max-age=60"}]})
    values = site.properties("one", Headers=rules, AllowMissing=["*.png"], **source)
    handler(formation.event(ResourceProperties=values), context())
    assert formation.answer["Status"] == "SUCCESS", formation.answer
    script = S3ObjectStore(site.bucket).head("builds/one/a.js")
    assert script is not None
    assert script.headers.cache_control == "public, max-age=60"
    assert "builds/one/a.js.map" not in site.keys


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"Headers": "{"}, "property Headers of the custom resource is not JSON"),
        ({"Headers": '{"rules": [{"glob": "**", "cache": "immutable"}]}'}, "would make browsers keep"),
        ({"AllowMissing": "*.png"}, "must be a list of globs"),
    ],
)
def test_properties_that_are_none(
    site: Site, asset: Any, formation: Any, context: Any, values: dict[str, str], complaint: str
) -> None:
    handler(formation.event(ResourceProperties=site.properties("one", **asset(BUILD), **values)), context())
    assert formation.answer["Status"] == "FAILED"
    assert complaint in formation.answer["Reason"]


def test_the_next_build_and_the_delete_of_the_former_keep_both(
    site: Site, asset: Any, formation: Any, context: Any
) -> None:
    source = asset(BUILD)
    first = site.properties("one", **source)
    handler(formation.event(ResourceProperties=first), context())
    second = site.properties("two", **source)
    update = formation.event(
        "Update", ResourceProperties=second, OldResourceProperties=first, PhysicalResourceId="build-shop-one"
    )
    handler(update, context())
    after_update = site.keys
    handler(formation.event("Delete", ResourceProperties=first, PhysicalResourceId="build-shop-one"), context())
    assert [answer["Status"] for answer in formation.answers] == ["SUCCESS"] * 3
    assert [answer["PhysicalResourceId"] for answer in formation.answers] == [
        "build-shop-one",
        "build-shop-two",
        "build-shop-one",
    ]
    assert site.keys == after_update
    assert {"manifests/one.json", "manifests/two.json"} <= set(after_update)
    assert site.retained("one")
    assert site.retained("two")


def test_without_an_asset_the_build_must_exist(site: Site, asset: Any, formation: Any, context: Any) -> None:
    handler(formation.event(ResourceProperties=site.properties("one")), context())
    assert formation.answers[-1]["Status"] == "FAILED"
    assert "build 'one' is not in s3://" in formation.answers[-1]["Reason"]
    assert "bluegreen publish" in formation.answers[-1]["Reason"]
    assert site.retained("one") is None

    handler(formation.event(ResourceProperties=site.properties("one", **asset(BUILD))), context())
    handler(formation.event(ResourceProperties=site.properties("one")), context())
    assert [answer["Status"] for answer in formation.answers] == ["FAILED", "SUCCESS", "SUCCESS"]


def test_a_build_that_retention_has_condemned_is_refused_early(
    site: Site, asset: Any, formation: Any, context: Any
) -> None:
    source = asset(BUILD)
    handler(formation.event(ResourceProperties=site.properties("one", **source)), context())
    store, keys = S3ObjectStore(site.bucket), KeySet()
    keys.add("manifests/one.json")
    keys.add("builds/one/index.html")
    time.sleep(1.1)  # S3 tells seconds
    write_note(store, keys_key("sweep"), keys.to_bytes())
    write_note(store, marker_key("sweep"), Sweep(id="sweep", builds=()).to_json_bytes())
    handler(formation.event(ResourceProperties=site.properties("one")), context())
    reason = formation.answers[-1]["Reason"]
    for part in ("'one'", site.bucket, "retention has condemned it", "bluegreen publish", "verify one --repair"):
        assert part in reason
    # With its files along it is put again, and may be released again.
    handler(formation.event(ResourceProperties=site.properties("one", **source)), context())
    handler(formation.event(ResourceProperties=site.properties("one")), context())
    assert [answer["Status"] for answer in formation.answers] == ["SUCCESS", "FAILED", "SUCCESS", "SUCCESS"]


def test_a_build_published_to_the_bucket_alone_is_made_known_to_the_edge(
    site: Site, asset: Any, formation: Any, context: Any
) -> None:
    properties = site.properties("one", **asset(BUILD))
    with ZipSource(
        io.BytesIO(client("s3").get_object(Bucket=properties["SourceBucket"], Key="asset.zip")["Body"].read())
    ) as source:
        publish(source, S3ObjectStore(site.bucket), build_id="one")
    assert site.retained("one") is None
    handler(formation.event(ResourceProperties=site.properties("one")), context())
    assert formation.answer["Status"] == "SUCCESS"
    assert site.retained("one")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"BuildId": "../up"}, "build id '../up' is not acceptable"),
        ({"Mode": "SPA"}, "mode 'SPA' is unknown"),
        ({"Rules": "no json"}, "property Rules"),
        ({"Rules": "[]"}, "rules"),
        ({"Bucket": ""}, "property Bucket"),
        ({"SourceKey": "missing.zip"}, "missing.zip does not exist"),
    ],
)
def test_bad_properties_fail_with_the_reason(
    site: Site, asset: Any, formation: Any, context: Any, change: dict[str, str], reason: str
) -> None:
    handler(formation.event(ResourceProperties={**site.properties("one", **asset(BUILD)), **change}), context())
    assert formation.answer["Status"] == "FAILED"
    assert reason in formation.answer["Reason"]
    assert site.keys == []


def test_an_asset_that_is_no_build(site: Site, asset: Any, formation: Any, context: Any) -> None:
    handler(formation.event(ResourceProperties=site.properties("one", **asset({"a.txt": b""}))), context())
    assert "has no document" in formation.answer["Reason"]
    assert "asset s3://" in formation.answer["Reason"]
    assert site.keys == []


def test_an_asset_larger_than_the_disk_is_read_by_ranges(
    site: Site, asset: Any, formation: Any, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = {
        **BUILD,
        **{f"pages/{number}.html": b"<p>%d" % number * 50 for number in range(300)},
        "video.mp4": random.Random(1).randbytes(12_000_000),
    }
    source = asset(build)
    size = client("s3").head_object(Bucket=source["SourceBucket"], Key="asset.zip")["ContentLength"]
    asked: list[tuple[int, int | None]] = []
    pieces = ObjectReader.pieces

    def counted(reader: ObjectReader, start: int = 0, end: int | None = None, **more: int) -> Iterator[bytes]:
        if reader.name.endswith("/asset.zip"):
            asked.append((start, end))
        return pieces(reader, start, end, **more)

    monkeypatch.setattr(ObjectReader, "pieces", counted)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 0))  # type: ignore[attr-defined]
    monkeypatch.setattr(handlers_publish.tempfile, "TemporaryFile", None)
    handler(formation.event(ResourceProperties=site.properties("one", **source)), context())
    assert formation.answer["Status"] == "SUCCESS", formation.answer
    for path, data in build.items():
        key = f"shared/{path}" if path.startswith("assets/") else f"builds/one/{path}"
        assert S3ObjectStore(site.bucket).get(key) == data
    # Each range once: a few of them keep what it takes, whatever the number of files.
    assert len(asked) == len(set(asked)) == -(-size // RANGE_BYTES)


def test_a_long_asset_is_read_twice_at_most(
    site: Site, asset: Any, formation: Any, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = {**BUILD, **{f"pictures/{number}.png": random.Random(number).randbytes(70_000) for number in range(300)}}
    source = asset(build)
    size = client("s3").head_object(Bucket=source["SourceBucket"], Key="asset.zip")["ContentLength"]
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 0))  # type: ignore[attr-defined]
    small = functools.partial(RangedFile, range_bytes=500_000)
    monkeypatch.setattr(handlers_publish, "RangedFile", small)
    requests: list[str] = []
    body = ObjectReader._body

    def counted(reader: ObjectReader, start: int, end: int | None) -> Any:
        requests.append(reader.name)
        return body(reader, start, end)

    monkeypatch.setattr(ObjectReader, "_body", counted)
    handler(formation.event(ResourceProperties=site.properties("one", **source)), context())
    assert formation.answer["Status"] == "SUCCESS", formation.answer
    assert len([name for name in requests if name.endswith("/asset.zip")]) <= 2 * -(-size // 500_000) + 2
