"""Targets as the command line says them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.domain.targets import TargetSpec, check_targets
from bluegreen_cdn.errors import InvalidInput

R2 = "https://0123456789abcdef.r2.cloudflarestorage.com"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("s3://front", TargetSpec(name="front", bucket="front")),
        ("s3://front.example.test", TargetSpec(name="front-example-test", bucket="front.example.test")),
        ("eu=s3://front-eu?region=eu-west-1", TargetSpec(name="eu", bucket="front-eu", region="eu-west-1")),
        (
            f"r2=s3://front?endpoint={R2}/&region=auto&profile=r2",
            TargetSpec(name="r2", bucket="front", region="auto", endpoint=R2, profile="r2"),
        ),
        (
            "minio=s3://front?endpoint=http%3A%2F%2F127.0.0.1%3A9000",
            TargetSpec(name="minio", bucket="front", endpoint="http://127.0.0.1:9000"),
        ),
    ],
)
def test_what_is_written_is_read(text: str, wanted: TargetSpec) -> None:
    assert TargetSpec.parse(text) == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("front", "has no s3://BUCKET"),
        ("r2:s3://front", "has no s3://BUCKET"),
        ("s3://", "has no s3://BUCKET"),
        ("r2=s3://Front", "which no bucket is called"),
        ("r2=s3://front/folder", "which no bucket is called"),
        ("R2=s3://front", "is called 'R2'"),
        ("a=b=s3://front", "is called 'a=b'"),
        ("r2=s3://front?region", "not KEY=VALUE"),
        ("r2=s3://front?secret=hidden", "has a part 'secret'; there are region, endpoint, profile"),
        ("r2=s3://front?region=", "without a value"),
        ("r2=s3://front?region=a&region=b", "twice"),
        ("r2=s3://front?endpoint=host", "an endpoint that is not https://HOST"),
        ("r2=s3://front?endpoint=https://key:hidden@host", "credentials come from an AWS profile"),
        ("r2=s3://front?endpoint=https://host/front", "the bucket stands before the ?"),
        ("r2=s3://front?endpoint=https://host:99999", "an endpoint that is not"),
        ("r2=s3://front?endpoint=ftp://host", "an endpoint that is not"),
    ],
)
def test_mistakes_are_said_without_repeating_what_may_be_secret(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        TargetSpec.parse(text)
    assert said in str(caught.value)
    assert "hidden" not in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for candidate in (text, f"a=s3://front?{text}", f"a=s3://{text}", f"{text}=s3://front"):
        try:
            TargetSpec.parse(candidate)
        except InvalidInput:
            continue


def test_buckets_by_region() -> None:
    assert TargetSpec.of_bucket("eu-west-1=front") == TargetSpec(name="eu-west-1", bucket="front", region="eu-west-1")
    assert TargetSpec.of_bucket("front", "eu-west-1") == TargetSpec(name="front", bucket="front", region="eu-west-1")
    for text in ("", "eu-west-1=", "s3://front"):
        with pytest.raises(InvalidInput, match="is none"):
            TargetSpec.of_bucket(text)


def test_targets_must_be_told_apart() -> None:
    first = TargetSpec(name="a", bucket="front")
    other = TargetSpec(name="b", bucket="front", endpoint=R2)
    assert check_targets([first, other]) == [first, other]
    with pytest.raises(InvalidInput, match="two targets are called 'a'"):
        check_targets([first, TargetSpec(name="a", bucket="back")])
    with pytest.raises(InvalidInput, match="targets 'a' and 'c' are the same bucket, s3://front"):
        check_targets([first, other, TargetSpec(name="c", bucket="front", region="eu-west-1")])
