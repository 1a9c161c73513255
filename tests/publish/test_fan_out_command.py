"""`bluegreen publish` to several buckets: regions of a site, and stores of another make by their endpoint."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen_cdn.aws.key_value_store import CloudFrontKeyValueStore
from bluegreen_cdn.aws.session import client
from bluegreen_cdn.cli.main import run
from bluegreen_cdn.local.cloud import LocalCloud

REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-2")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("cloud")) as started, pytest.MonkeyPatch.context() as patch:
        for name, value in started.environment().items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        patch.delenv("AWS_PROFILE", raising=False)
        yield started


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return f"n{abs(hash(request.node.nodeid)) % 10**10}"


@pytest.fixture
def other(seaweedfs: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store of another make, with credentials in a profile of their own."""
    found = seaweedfs.environment()
    config = tmp_path / "aws-config"
    config.write_text(
        f"[profile other]\naws_access_key_id = {found['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key = {found['AWS_SECRET_ACCESS_KEY']}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    seaweedfs.client().create_bucket(Bucket=name)
    return f"other=s3://{name}?endpoint={seaweedfs.endpoint}&region=auto&profile=other"


@pytest.fixture
def site(cloud: LocalCloud, name: str) -> str:
    """A deployed site with three regions, as far as publishing sees one."""
    arn = client("cloudfront").create_key_value_store(Name=f"bluegreen-{name}")["KeyValueStore"]["ARN"]
    for region in REGIONS:
        client("s3").create_bucket(Bucket=f"bluegreen-{name}-{arn.split(':')[4]}-{region}")
    for part, value in {"key-value-store-arn": arn, "regions": ",".join(REGIONS)}.items():
        client("ssm").put_parameter(Name=f"/bluegreen/{name}/{part}", Value=value, Type="String")
    return name


def said(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    assert run([*map(str, arguments)]) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out


@pytest.mark.cloud
def test_to_every_region_of_a_site(site: str, storefront: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "publish", storefront, "--site", site, "--fan-out", "--build-id", "one", "--json")
    result = json.loads(out)
    assert [one["target"] for one in result["targets"]] == list(REGIONS)
    assert {one["files"] for one in result["targets"]} == {6}
    assert "is complete" in said(capsys, "verify", "one", "--site", site)
    arn = client("ssm").get_parameter(Name=f"/bluegreen/{site}/key-value-store-arn")["Parameter"]["Value"]
    assert CloudFrontKeyValueStore(arn).read("build/one").values["build/one"] == '{"format":1}'
    again = said(capsys, "publish", storefront, "--site", site, "--fan-out", "--build-id", "one")
    assert again.endswith("already: nothing to do\n")


@pytest.mark.cloud
def test_a_region_that_comes_later_is_planned_and_filled(
    site: str, storefront: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "publish", storefront, "--site", site, "--build-id", "one")
    (storefront / "index.html").write_text("<p>two")
    options = ["publish", storefront, "--site", site, "--fan-out", "--build-id", "two"]
    planned = said(capsys, *options, "--dry-run")
    assert planned.count("2 of earlier builds that it lacks (44 B)") == 2
    assert "2 to reuse" in planned
    plan = json.loads(said(capsys, *options, "--dry-run", "--json"))
    assert [one["fill_files"] for one in plan["targets"]] == [0, 2, 2]
    done = said(capsys, *options)
    assert done.count("6 objects written") == 2
    assert done.count("2 of them from the first (44 B)") == 2
    assert "is complete" in said(capsys, "verify", "two", "--site", site)


@pytest.mark.cloud
def test_a_published_build_is_brought_to_regions_that_come_later(
    site: str, storefront: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "publish", storefront, "--site", site, "--build-id", "one")
    done = said(capsys, "publish", storefront, "--site", site, "--fan-out", "--build-id", "one")
    assert "and was brought to those that lacked it" in done
    assert "us-east-1 (s3://" in done
    assert done.count("6 of them from the first") == 2
    assert "is complete" in said(capsys, "verify", "one", "--site", site)


@pytest.mark.cloud
def test_to_a_site_and_a_store_of_another_make(
    site: str, other: str, storefront: Path, seaweedfs: Any, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = said(capsys, "publish", storefront, "--site", site, "--fan-out", "--target", other, "--build-id", "one")
    assert f"other (s3://{name} at {seaweedfs.endpoint}): 6 objects written" in out
    s3 = seaweedfs.client()
    assert s3.get_object(Bucket=name, Key="builds/one/index.html")["Metadata"]["build-id"] == "one"
    answer = s3.head_object(Bucket=name, Key="shared/assets/cart-Dk3fP0_x.js", ChecksumMode="ENABLED")
    assert answer["ChecksumSHA256"]
    assert answer["CacheControl"] == "public, max-age=31536000, immutable"


@pytest.mark.cloud
def test_to_a_store_of_another_make_alone(
    cloud: LocalCloud, other: str, storefront: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = said(capsys, "publish", storefront, "--target", other, "--build-id", "one")
    assert "6 files uploaded" in out
    assert "already: nothing to do" in said(capsys, "publish", storefront, "--target", other, "--build-id", "one")


@pytest.mark.cloud
def test_verify_sees_every_target_and_mends_one_from_the_other(
    site: str,
    other: str,
    storefront: Path,
    seaweedfs: Any,
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said(capsys, "publish", storefront, "--site", site, "--fan-out", "--target", other, "--build-id", "one")
    s3 = seaweedfs.client()
    s3.delete_object(Bucket=name, Key="builds/one/favicon.ico")
    page = s3.get_object(Bucket=name, Key="builds/one/index.html")
    s3.put_object(Bucket=name, Key="builds/one/index.html", Body=page["Body"].read(), Metadata=page["Metadata"])
    primary = client("s3")
    bucket = f"bluegreen-{name}-111122223333-us-east-1"
    primary.delete_object(Bucket=bucket, Key="shared/assets/index-B3x9aZ0q.js")
    options = ["verify", "one", "--site", site, "--target", other]
    assert run([*options]) == 1
    found = capsys.readouterr().out
    assert "other: builds/one/favicon.ico: missing" in found
    assert "other: builds/one/index.html: Cache-Control is" in found
    assert "us-east-1: shared/assets/index-B3x9aZ0q.js: missing" in found
    assert "3 mended" in said(capsys, *options, "--repair")
    assert "is complete" in said(capsys, *options)
    assert s3.get_object(Bucket=name, Key="builds/one/favicon.ico")["Body"].read() == b"\0\1"
    # From the other store alone: what no store of the same make has comes through this machine.
    for region in REGIONS:
        primary.delete_object(Bucket=bucket.replace("us-east-1", region), Key="builds/one/favicon.ico")
    assert "3 mended" in said(capsys, *options, "--repair")
    assert primary.get_object(Bucket=bucket, Key="builds/one/favicon.ico")["Body"].read() == b"\0\1"


@pytest.mark.cloud
def test_one_that_does_not_answer_is_named_before_anything_is_written(
    cloud: LocalCloud, name: str, storefront: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from bluegreen_cdn.aws import session

    monkeypatch.setattr(session, "AWS_RETRY_ATTEMPTS", 1)
    client("s3").create_bucket(Bucket=name)
    down = f"down=s3://{name}?endpoint=http://127.0.0.1:9"
    options = ["--bucket", name, "--target", down, "--fan-out", "--build-id", "one"]
    message = said(capsys, "publish", storefront, *options, code=1)
    assert f"target 'down' (s3://{name} at http://127.0.0.1:9) failed" in message
    assert client("s3").list_objects_v2(Bucket=name)["KeyCount"] == 0


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--bucket", "a", "--bucket", "b"], "these are 2 buckets (a, b): pass --fan-out"),
        (["--bucket", "a", "--fan-out"], "--fan-out publishes to several buckets, and that is one"),
        (["--bucket", "a", "--bucket", "a", "--fan-out"], "two targets are called 'a'"),
        (["--bucket", "a", "--bucket", "b", "--region", "eu-west-1"], "goes with one --bucket"),
        (["--target", "r2=s3://front?secret=x"], "a part 'secret'; there are region, endpoint, profile"),
        (["--target", "front"], "has no s3://BUCKET"),
        (["--site", "shop", "--target", "s3://front?x=y"], "a part 'x'"),
        (["--site", "shop", "--bucket", "a"], "pass either --site NAME or --bucket NAME"),
        (["--target", "s3://front?profile=no-such-profile"], "no-such-profile"),
    ],
)
def test_mistakes_are_said_before_anything_is_asked(
    storefront: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    complaint: str,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    code = run(["publish", str(storefront), *options])
    assert code in (1, 2)
    assert complaint in capsys.readouterr().err
