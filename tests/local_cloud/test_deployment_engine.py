"""The story of a deployment against a fake cloud, at ten minutes a millisecond's pace."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from bluegreen_cdn.local.cloud.clock import ScaledClock
from bluegreen_cdn.local.cloud.deployment_config import DeploymentConfig
from bluegreen_cdn.local.cloud.deployment_engine import DeploymentEngine
from bluegreen_cdn.local.cloud.deployment_model import Deployment, Group, Revision, Scope
from bluegreen_cdn.local.cloud.deployment_port import DeploymentRunningError
from bluegreen_cdn.local.cloud.timeline import Timeline

from .conftest import eventually

SCOPE = Scope(account="111122223333", region="us-east-1")
CANARY = DeploymentConfig(name="canary", kind="TimeBasedCanary", percent=10, interval_minutes=5)
ENDLESS = DeploymentConfig(name="endless", kind="TimeBasedCanary", percent=10, interval_minutes=2880 * 1000)
ALL_EVENTS = frozenset({"DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"})


class FakeCloud:
    """Keeps one alias; hooks answer what `answers` says."""

    def __init__(self) -> None:
        self.engine: DeploymentEngine
        self.alias: tuple[str, dict[str, float]] = ("1", {})
        self.versions = {"1", "2"}
        self.alarms: set[str] = set()
        self.answers: dict[str, str] = {}
        self.weights: list[tuple[str, dict[str, float]]] = []
        self.states: list[tuple[str, str]] = []
        self.shifted = threading.Event()

    def read_alias(self, scope: Scope, function: str, alias: str) -> tuple[str, Mapping[str, float]]:
        if function != "release":
            raise LookupError(f"Function not found: {function}:{alias}")
        return self.alias

    def write_alias(self, scope: Scope, function: str, alias: str, version: str, weights: Mapping[str, float]) -> None:
        self.alias = (version, dict(weights))
        self.weights.append(self.alias)
        self.shifted.set()

    def version_exists(self, scope: Scope, function: str, version: str) -> bool:
        return version in self.versions

    def call_hook(self, scope: Scope, function: str, payload: Mapping[str, str]) -> None:
        if function in self.answers:
            deployment = self.engine.deployments[payload["DeploymentId"]]
            assert self.engine.report_hook(deployment, payload["LifecycleEventHookExecutionId"], self.answers[function])

    def alarms_on(self, scope: Scope, names: Sequence[str]) -> list[str]:
        return [name for name in names if name in self.alarms]

    def send_event(self, scope: Scope, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str]) -> None:
        self.states.append((detail["deploymentId"], detail["state"]))


@pytest.fixture
def cloud() -> FakeCloud:
    fake = FakeCloud()
    fake.engine = DeploymentEngine(fake, ScaledClock(time_scale=36_000), Timeline())
    return fake


def start(
    cloud: FakeCloud,
    config: DeploymentConfig = CANARY,
    *,
    events: frozenset[str] = ALL_EVENTS,
    hooks: Mapping[str, str] | None = None,
    current: str = "1",
    target: str = "2",
    function: str = "release",
) -> Deployment:
    group = Group(
        scope=SCOPE, application="app", name="group", alarms=("verdict",), alarms_enabled=True, rollback_events=events
    )
    revision = Revision(
        function=function, alias="live", current_version=current, target_version=target, hooks=hooks or {}
    )
    return cloud.engine.create(group, revision, config)


def rollback_of(cloud: FakeCloud, deployment: Deployment) -> Deployment:
    return cloud.engine.deployments[deployment.rollback_info["rollbackDeploymentId"]]


def states(cloud: FakeCloud, deployment: Deployment) -> list[str]:
    return [state for identifier, state in cloud.states if identifier == deployment.deployment_id]


def test_a_canary_goes_by_its_steps(cloud: FakeCloud) -> None:
    deployment = cloud.engine.wait(start(cloud))
    assert (deployment.status, deployment.percent) == ("Succeeded", 100)
    assert cloud.weights == [("1", {"2": 0.1}), ("2", {})]
    eventually(lambda: states(cloud, deployment) == ["START", "SUCCESS"])  # told just after those who wait go on
    assert deployment.describe()["deploymentOverview"]["Succeeded"] == 1


def test_a_linear_one_too(cloud: FakeCloud) -> None:
    config = DeploymentConfig(name="linear", kind="TimeBasedLinear", percent=30, interval_minutes=1)
    cloud.engine.wait(start(cloud, config))
    assert cloud.weights == [("1", {"2": 0.3}), ("1", {"2": 0.6}), ("1", {"2": 0.9}), ("2", {})]


def test_an_alarm_stops_it_and_the_rollback_is_a_new_deployment(cloud: FakeCloud) -> None:
    deployment = start(cloud, ENDLESS)
    assert cloud.shifted.wait(60)
    cloud.alarms.add("verdict")
    cloud.engine.wait(deployment)
    rollback = rollback_of(cloud, deployment)
    assert (deployment.status, deployment.error_code) == ("Stopped", "ALARM_ACTIVE")
    assert (rollback.status, rollback.creator) == ("Succeeded", "codeDeployRollback")
    assert rollback.describe()["rollbackInfo"] == {"rollbackTriggeringDeploymentId": deployment.deployment_id}
    assert cloud.alias == ("1", {}), "the rollback goes through though the alarm is still on"
    assert states(cloud, deployment) == ["START", "STOP"]


def test_an_alarm_that_is_on_already_lets_nothing_in(cloud: FakeCloud) -> None:
    cloud.alarms.add("verdict")
    deployment = cloud.engine.wait(start(cloud))
    assert deployment.error_code == "ALARM_ACTIVE"
    assert ("1", {"2": 0.1}) not in cloud.weights


def test_another_alarm_is_none_of_its_business(cloud: FakeCloud) -> None:
    cloud.alarms.add("other")
    assert cloud.engine.wait(start(cloud)).status == "Succeeded"


def test_a_stop_without_rollback_leaves_the_alias_where_it_is(cloud: FakeCloud) -> None:
    deployment = start(cloud, ENDLESS)
    assert cloud.shifted.wait(60)
    cloud.engine.stop(deployment, roll_back=False)
    cloud.engine.wait(deployment)
    assert (deployment.status, deployment.error_code, deployment.rollback_info) == ("Stopped", "MANUAL_STOP", {})
    assert cloud.alias == ("1", {"2": 0.1})


def test_a_failure_is_rolled_back_only_if_the_group_says_so(cloud: FakeCloud) -> None:
    cloud.answers = {"before": "Failed"}
    deployment = cloud.engine.wait(start(cloud, events=frozenset(), hooks={"BeforeAllowTraffic": "before"}))
    assert (deployment.status, deployment.rollback_info) == ("Failed", {})
    assert deployment.lifecycle == {"BeforeAllowTraffic": "Failed"}


def test_hooks_stand_around_the_shift(cloud: FakeCloud) -> None:
    cloud.answers = {"before": "Succeeded", "after": "Failed"}
    hooks = {"BeforeAllowTraffic": "before", "AfterAllowTraffic": "after"}
    deployment = cloud.engine.wait(start(cloud, hooks=hooks))
    assert deployment.lifecycle == {
        "BeforeAllowTraffic": "Succeeded",
        "AllowTraffic": "Succeeded",
        "AfterAllowTraffic": "Failed",
    }
    assert cloud.weights == [("1", {"2": 0.1}), ("2", {}), ("1", {})]
    assert rollback_of(cloud, deployment).revision.hooks == {}, "a rollback asks nobody"


def test_a_hook_that_never_answers_fails_after_an_hour(cloud: FakeCloud) -> None:
    deployment = cloud.engine.wait(start(cloud, hooks={"BeforeAllowTraffic": "silent"}))
    assert deployment.error_code == "HOOK_EXECUTION_FAILURE"
    assert "one hour" in deployment.error_message
    (execution,) = deployment.hooks
    assert not cloud.engine.report_hook(deployment, execution, "Succeeded"), "too late"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"current": "0"}, "INVALID_LAMBDA_CONFIGURATION"),
        ({"target": "9"}, "INVALID_LAMBDA_FUNCTION"),
        ({"function": "nobody"}, "INVALID_LAMBDA_FUNCTION"),
    ],
)
def test_what_cannot_begin_touches_nothing(cloud: FakeCloud, changed: dict[str, str], code: str) -> None:
    deployment = cloud.engine.wait(start(cloud, **changed))  # type: ignore[arg-type]
    assert (deployment.status, deployment.error_code) == ("Failed", code)
    assert cloud.weights == []
    assert deployment.rollback_info == {}


def test_one_at_a_time_per_group(cloud: FakeCloud) -> None:
    deployment = start(cloud, ENDLESS)
    with pytest.raises(DeploymentRunningError, match=deployment.deployment_id):
        start(cloud)
    cloud.engine.stop(deployment, roll_back=True)
    cloud.engine.wait(deployment)
    assert cloud.engine.wait(start(cloud)).status == "Succeeded"
