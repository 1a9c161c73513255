import json
from collections.abc import Iterator

import pytest

from bluegreen_cdn.aws.clock import TIME_SCALE_VARIABLE
from bluegreen_cdn.errors import InvalidInput
from bluegreen_cdn.handlers.settings import Settings, cloud

ENVIRONMENT = {
    "SITE": "shop",
    "KEY_VALUE_STORE_ARN": "arn:aws:cloudfront::123456789012:key-value-store/1",
    "RELEASE_FUNCTION": "shop-release",
    "ALIAS": "live",
    "CODEDEPLOY_APPLICATION": "app",
    "CODEDEPLOY_GROUP": "group",
    "ALARM_NAMES": '["worse","slow"]',
    "BUCKETS": '{"us-east-1":"one","eu-west-1":"two"}',
    "BAKE_MINUTES": "5",
    "HOLDOUT_BASIS_POINTS": "500",
    "DISTRIBUTION_DOMAIN": "d111111abcdef8.cloudfront.net",
    "SMOKE_FETCH": "true",
    "VERDICT_PERIOD_SECONDS": "300",
    "MINIMUM_SAMPLE": "0",
}


def test_the_environment_is_read() -> None:
    found = Settings.from_environment(ENVIRONMENT)
    assert found.alarm_names == ("worse", "slow")
    assert list(found.buckets) == ["us-east-1", "eu-west-1"]
    assert (found.bake_minutes, found.holdout_basis_points) == (5, 500)
    assert (found.smoke_fetch, found.verdict_period_seconds) == (True, 300)


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_what_is_missing_is_named(name: str) -> None:
    for environment in ({**ENVIRONMENT, name: " "}, {key: value for key, value in ENVIRONMENT.items() if key != name}):
        with pytest.raises(InvalidInput, match=f"{name} is not set"):
            Settings.from_environment(environment)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALARM_NAMES", "worse"),
        ("ALARM_NAMES", '{"a":1}'),
        ("ALARM_NAMES", "[1]"),
        ("BUCKETS", "[]"),
        ("BUCKETS", "{}"),
        ("BUCKETS", '{"us-east-1":""}'),
        ("BAKE_MINUTES", "-1"),
        ("BAKE_MINUTES", "5.5"),
        ("BAKE_MINUTES", "56"),
        ("HOLDOUT_BASIS_POINTS", "10001"),
        ("SMOKE_FETCH", "yes"),
        ("VERDICT_PERIOD_SECONDS", "3601"),
    ],
)
def test_what_is_wrong_is_named_with_its_value(name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=name) as caught:
        Settings.from_environment({**ENVIRONMENT, name: value})
    assert value[:5] in str(caught.value) or repr(json.loads(value)) in str(caught.value)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {**ENVIRONMENT, "AWS_REGION": "us-east-1", TIME_SCALE_VARIABLE: "60"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    cloud.cache_clear()
    yield
    cloud.cache_clear()


def test_the_cloud_is_made_once_with_the_environments_scale(environment: None) -> None:
    here = cloud()
    assert here is cloud()
    assert here.clock.minutes(1) == 1
    assert list(here.buckets) == ["us-east-1", "eu-west-1"]
