"""Clients and the translation of the SDK's errors."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, NoRegionError, ProfileNotFound

from bluegreen_cdn.aws.session import client, translate_errors
from bluegreen_cdn.errors import AccessDenied, BlueGreenError, CloudError, NotFound, PreconditionFailed, Throttled


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """An identity that is nobody's, and an endpoint that nothing listens at."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_DISABLE_HOST_PREFIX_INJECTION", raising=False)


def raised(code: str, status: int = 400, message: str = "Something is wrong.") -> CloudError:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    with pytest.raises(CloudError) as caught, translate_errors("s3", "PutObject", "s3://b/key"):
        raise ClientError(answer, "PutObject")  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("NoSuchKey", 404, NotFound),
        ("404", 404, NotFound),
        ("ResourceNotFoundException", 404, NotFound),
        ("DeploymentDoesNotExistException", 400, NotFound),
        ("ParameterNotFound", 400, NotFound),
        ("PreconditionFailed", 412, PreconditionFailed),
        ("ConditionalRequestConflict", 409, PreconditionFailed),
        ("ConflictException", 409, PreconditionFailed),
        ("AccessDenied", 403, AccessDenied),
        ("403", 403, AccessDenied),
        ("ExpiredToken", 400, AccessDenied),
        ("SlowDown", 503, Throttled),
        ("TooManyRequestsException", 429, Throttled),
        ("BadDigest", 400, CloudError),
        ("InternalError", 500, CloudError),
    ],
)
def test_each_refusal_has_its_class(code: str, status: int, kind: type[CloudError]) -> None:
    error = raised(code, status)
    assert type(error) is kind
    assert (error.service, error.operation, error.code) == ("s3", "PutObject", code)
    assert str(error).startswith(f"s3 PutObject of s3://b/key failed: {code}: Something is wrong")
    assert not str(error).endswith(".")


def test_an_expired_identity_says_what_to_do() -> None:
    assert "log in again" in str(raised("ExpiredToken"))


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (NoCredentialsError(), AccessDenied, "log in"),
        (NoRegionError(), CloudError, "AWS_REGION"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:9"), CloudError, "http://127.0.0.1:9"),
        (ProfileNotFound(profile="nobody"), CloudError, "nobody"),
    ],
)
def test_what_goes_wrong_before_the_call(error: Exception, kind: type[CloudError], said: str) -> None:
    with pytest.raises(kind, match=said), translate_errors("s3", "PutObject"):
        raise error


def test_nothing_else_is_touched() -> None:
    with pytest.raises(KeyError), translate_errors("s3", "PutObject"):
        raise KeyError("ours")
    with pytest.raises(BlueGreenError, match="ours") as caught, translate_errors("s3", "PutObject"):
        raise BlueGreenError("ours")
    assert type(caught.value) is BlueGreenError


def sent_url(made: Any, call: str, **arguments: Any) -> str:
    urls: list[str] = []

    def stop(request: Any, **_: Any) -> None:
        urls.append(request.url)
        raise InterruptedError

    made.meta.events.register("before-send.*", stop)
    with pytest.raises(InterruptedError):
        getattr(made, call)(**arguments)
    return urls[0]


def test_the_key_value_stores_account_is_no_part_of_a_custom_host() -> None:
    made = client("cloudfront-keyvaluestore", "us-east-1")
    arn = "arn:aws:cloudfront::123456789012:key-value-store/abc"
    assert sent_url(made, "get_key", KvsARN=arn, Key="routing").startswith("http://127.0.0.1:9/key-value-stores/arn")


def test_but_of_the_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    made = client("cloudfront-keyvaluestore", "us-east-1")
    arn = "arn:aws:cloudfront::123456789012:key-value-store/abc"
    assert sent_url(made, "get_key", KvsARN=arn, Key="routing").startswith("https://123456789012.cloudfront-kvs.")


def test_a_bucket_is_a_path_at_a_custom_host_and_a_host_at_the_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:9")
    assert sent_url(client("s3", "us-east-1"), "head_object", Bucket="bucket", Key="k") == "http://localhost:9/bucket/k"
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert sent_url(client("s3", "eu-west-1"), "head_object", Bucket="bucket", Key="k").startswith(
        "https://bucket.s3.eu-west-1."
    )


def test_another_identity_gets_its_own_session(monkeypatch: pytest.MonkeyPatch) -> None:
    first = client("s3", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "other")
    second = client("s3", "us-east-1")
    # There is no public way to ask a client for its credentials.
    assert first._request_signer._credentials.access_key == "test"
    assert second._request_signer._credentials.access_key == "other"


def test_a_missing_region_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(CloudError, match="AWS_REGION"):
        client("ssm")
