"""What environment variables alone say about S3, and when that is not enough."""

from pathlib import Path

import pytest

from bluegreen_cdn.aws.environment import PlainEnvironment, plain_environment

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "eu-west-1"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without the SDK's files."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_what_a_ci_job_has() -> None:
    found = plain_environment(None, {**KEYS, "AWS_SESSION_TOKEN": "token", "PATH": "/bin"})
    assert found == PlainEnvironment(
        region="eu-west-1", endpoint=None, access_key="AKID", secret_key="secret", token="token"
    )
    assert vars(found.credentials()) == {"access_key": "AKID", "secret_key": "secret", "token": "token"}


def test_the_callers_region_and_the_endpoint_of_s3_come_first() -> None:
    found = plain_environment("us-east-1", {**KEYS, "AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_S3": "http://b"})
    assert found is not None
    assert (found.region, found.endpoint) == ("us-east-1", "http://b")


@pytest.mark.parametrize("name", KEYS)
def test_something_is_missing(name: str) -> None:
    assert plain_environment(None, {**KEYS, name: ""}) is None


@pytest.mark.parametrize(
    "name",
    [
        "AWS_PROFILE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_OF_TOMORROW",
    ],
)
def test_what_only_the_sdk_understands(name: str) -> None:
    assert plain_environment(None, {**KEYS, name: "x"}) is None


@pytest.mark.parametrize("region", ["cn-north-1", "us-iso-east-1", "eusc-de-east-1", "nowhere"])
def test_regions_whose_hosts_have_other_names(region: str) -> None:
    assert plain_environment(region, KEYS) is None


@pytest.mark.parametrize("region", ["us-east-1", "us-gov-west-1", "ap-southeast-4", "me-central-1", "il-central-1"])
def test_regions_as_they_are_called(region: str) -> None:
    assert plain_environment(region, KEYS) is not None


@pytest.mark.parametrize("file", ["config", "credentials"])
def test_files_of_the_sdk(home: Path, file: str) -> None:
    (home / ".aws").mkdir()
    (home / ".aws" / file).write_text("")
    assert plain_environment(None, KEYS) is None


def test_the_sdk_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    session = boto3.Session()
    found, theirs = plain_environment(None, KEYS), session.get_credentials().get_frozen_credentials()
    assert found is not None
    assert (found.access_key, found.secret_key, found.token) == (theirs.access_key, theirs.secret_key, theirs.token)
    assert session.client("s3").meta.region_name == found.region
