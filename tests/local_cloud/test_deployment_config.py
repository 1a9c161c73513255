"""Schedules, AppSpecs, weights, calendar: the pure parts of deployments."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.local.cloud.clock import ScaledClock
from bluegreen_cdn.local.cloud.deployment_config import InvalidConfigError, parse_routing, predefined
from bluegreen_cdn.local.cloud.deployment_model import InvalidRevisionError, Revision, parse_revision
from bluegreen_cdn.local.cloud.weighted_alias import choose_version

percents = st.integers(1, 99)
intervals = st.integers(1, 2880)


@given(percents, intervals)
def test_every_schedule_ends_with_everything_and_never_goes_back(percent: int, interval: int) -> None:
    for kind, holder, first in (
        ("TimeBasedCanary", "timeBasedCanary", "canary"),
        ("TimeBasedLinear", "timeBasedLinear", "linear"),
    ):
        routing = {"type": kind, holder: {f"{first}Percentage": percent, f"{first}Interval": interval}}
        config = parse_routing("mine", routing)
        minutes, shares = zip(*config.steps(), strict=True)
        assert (minutes[0], shares[0], shares[-1]) == (0, percent, 100)
        assert list(minutes) == sorted(set(minutes))
        assert list(shares) == sorted(set(shares))
        assert config.routing() == routing


@pytest.mark.parametrize(
    "routing",
    [
        {"type": "Sudden"},
        {"type": "TimeBasedCanary"},
        {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 100, "canaryInterval": 1}},
        {"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 10, "linearInterval": 2881}},
        {"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 0, "linearInterval": 1}},
    ],
)
def test_what_codedeploy_cannot_do_is_refused(routing: dict[str, object]) -> None:
    with pytest.raises(InvalidConfigError):
        parse_routing("mine", routing)


def test_aws_own_configurations_are_there() -> None:
    known = predefined()
    assert known["CodeDeployDefault.LambdaCanary10Percent5Minutes"].steps() == ((0, 10), (5, 100))
    assert known["CodeDeployDefault.LambdaLinear10PercentEvery1Minute"].steps()[:2] == ((0, 10), (1, 20))
    assert known["CodeDeployDefault.LambdaAllAtOnce"].steps() == ((0, 100),)


def test_an_appspec_survives_the_api() -> None:
    revision = Revision(
        function="release", alias="live", current_version="1", target_version="2", hooks={"BeforeAllowTraffic": "hook"}
    )
    assert parse_revision(revision.describe()) == revision


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", json.dumps({"Resources": []}), json.dumps({"Resources": [{"a": {"Properties": {"Name": "x"}}}]})],
)
def test_another_appspec_is_refused(content: str) -> None:
    with pytest.raises(InvalidRevisionError, match="AppSpec"):
        parse_revision({"revisionType": "AppSpecContent", "appSpecContent": {"content": content}})


def test_an_unknown_hook_is_refused() -> None:
    revision = Revision(function="f", alias="a", current_version="1", target_version="2", hooks={"AfterInstall": "x"})
    with pytest.raises(InvalidRevisionError, match="AfterInstall"):
        parse_revision(revision.describe())


@given(st.floats(0, 1), st.floats(0, 1, exclude_max=True))
def test_the_weight_is_the_share_of_draws(weight: float, draw: float) -> None:
    assert choose_version("1", {"2": weight}, draw) == ("2" if draw < weight else "1")


@given(st.floats(1, 1000), st.integers(0, 10**6))
def test_the_clouds_calendar_and_ours_translate(scale: float, seconds: int) -> None:
    clock = ScaledClock(time_scale=scale, started=1_700_000_000)
    moment = datetime.fromtimestamp(1_700_000_000 + seconds, tz=UTC)
    assert abs((clock.to_real(clock.to_cloud(moment)) - moment).total_seconds()) < 0.01
    assert clock.real_minutes(1) == pytest.approx(60 / scale)
