"""The traffic sync when things go wrong: races, late and repeated events, a store that refuses, dead time."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bluegreen_cdn import defaults
from bluegreen_cdn.domain.control import OutcomeKind
from bluegreen_cdn.domain.observation import AliasTraffic, DeploymentStatus
from bluegreen_cdn.errors import CloudError, Throttled
from bluegreen_cdn.handlers import before_allow_traffic, settings, sync


def plenty() -> float:
    return 900.0


def canary(plane: Any, weight: int = 1000) -> Any:
    """A release at some weight, which the edge has followed."""
    release = plane.releases.begin("b2")
    plane.releases.shift(weight)
    sync.sync_once(plane.cloud())
    return release


# -- two syncs ------------------------------------------------------------------------------------------------------


def test_of_two_syncs_that_saw_the_same_one_writes_and_the_other_finds_it_done(plane: Any, lines: Any) -> None:
    plane.releases.begin("b2")
    plane.releases.shift(1000)

    def the_other() -> None:
        plane.store.before_update = lambda: None
        sync.sync_once(plane.cloud())

    plane.store.before_update = the_other
    written = len(plane.store.updates)
    sync.sync_once(plane.cloud())
    assert len(plane.store.updates) == written + 1
    assert (plane.routing.epoch, plane.routing.weight) == (2, 1000)
    assert [line["attempt"] for line in lines() if line["what"] == "sync lost a race"] == [1]


def test_a_sync_that_has_seen_no_alarm_cannot_undo_one_that_has(plane: Any) -> None:
    """It looked first, and writes last: its write is of an old version and fails."""
    canary(plane)
    plane.releases.shift(10_000)

    def the_other() -> None:
        plane.store.before_update = lambda: None
        plane.alarms.ringing = {"worse"}
        sync.sync_once(plane.cloud())
        plane.alarms.ringing = set()

    plane.store.before_update = the_other
    sync.sync_once(plane.cloud())
    assert plane.routing.weight == 0
    assert plane.control.is_latched("b2")


def test_a_whole_run_survives_a_run_beside_it(plane: Any) -> None:
    canary(plane)
    plane.releases.shift(5000)
    turns = iter(range(4))

    def the_other() -> None:
        if next(turns, None) is not None:
            hold, plane.store.before_update = plane.store.before_update, lambda: None
            sync.sync_once(plane.cloud())
            plane.store.before_update = hold

    plane.store.before_update = the_other
    sync.run(plane.cloud(), plenty)
    assert (plane.routing.weight, plane.routing.epoch) == (5000, 3)


# -- events ---------------------------------------------------------------------------------------------------------

ALARM_ON = {"source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change",
            "detail": {"alarmName": "worse", "state": {"value": "ALARM"}}}  # fmt: skip
SUCCEEDED = {"source": "aws.codedeploy", "detail-type": "CodeDeploy Deployment State-change Notification",
             "detail": {"deploymentId": "d-1", "state": "SUCCESS"}}  # fmt: skip


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 15_000


@pytest.mark.parametrize("event", [ALARM_ON, SUCCEEDED, {}, {"detail-type": None, "detail": "?"}])
def test_an_event_that_is_stale_says_nothing_that_is_not_so(
    plane: Any, event: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "cloud", plane.cloud)
    canary(plane)
    before = dict(plane.store.values)
    for _ in range(3):
        sync.handler(event, Context())
    assert plane.store.values == before, "the alarm is off, and the deployment runs, whatever the event says"
    assert settings.cloud is not plane.cloud


def test_an_alarms_event_that_comes_again_and_again_is_acted_on_once(
    plane: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "cloud", plane.cloud)
    canary(plane)
    plane.alarms.ringing = {"worse"}
    for _ in range(4):
        sync.handler(ALARM_ON, Context())
    assert (plane.routing.weight, plane.routing.epoch) == (0, 3)
    assert len(plane.control.latches) == 1


# -- alarms ---------------------------------------------------------------------------------------------------------


def test_an_alarm_that_comes_on_while_the_candidate_is_checked_refuses_it(plane: Any) -> None:
    del plane.buckets["eu-west-1"].objects["builds/b2/index.html"]
    late = plane.buckets["us-east-1"].objects["builds/b2/index.html"]

    def then() -> None:
        plane.buckets["eu-west-1"].objects["builds/b2/index.html"] = late
        plane.alarms.ringing = {"worse"}

    plane.clock.on_sleep = then
    release = plane.releases.begin("b2")
    answer = before_allow_traffic.run(plane.cloud(), release.id, "e-1", plenty)
    assert "worse came on while the build was checked" in str(answer["why"])
    assert (plane.routing.weight, plane.control.latches) == (0, ())


def test_an_alarm_between_the_hook_and_the_first_weight_lets_nobody_in(plane: Any) -> None:
    release = plane.releases.begin("b2")
    assert before_allow_traffic.run(plane.cloud(), release.id, "e-1", plenty)["succeeded"] is True
    plane.alarms.ringing = {"worse"}
    sync.sync_once(plane.cloud())
    plane.releases.shift(1000)
    sync.sync_once(plane.cloud())
    assert plane.routing.weight == 0
    assert plane.control.is_latched("b2")


def test_an_alarm_that_clears_because_nobody_is_left_does_not_let_anybody_in_again(plane: Any) -> None:
    """With weight 0 no candidate reports anything, so the alarm goes off by itself."""
    canary(plane)
    plane.alarms.ringing = {"worse"}
    sync.sync_once(plane.cloud())
    plane.alarms.ringing = set()
    for weight in (2000, 5000, 10_000):
        plane.releases.shift(weight)
        sync.sync_once(plane.cloud())
        assert plane.routing.weight == 0
    plane.releases.end(DeploymentStatus.FAILED)
    sync.sync_once(plane.cloud())
    assert (plane.routing.stable, plane.routing.candidate) == ("a1", None)
    assert plane.control.is_latched("b2"), "the alias has not let go of it"
    plane.releases.begin("a1", is_rollback=True)
    plane.releases.traffic = AliasTraffic(primary="a1")
    sync.sync_once(plane.cloud())
    plane.releases.end(DeploymentStatus.SUCCEEDED)
    sync.sync_once(plane.cloud())
    assert (plane.routing.stable, plane.control.latches) == ("a1", ())


# -- a store, or a cloud, that refuses ------------------------------------------------------------------------------


def throttled() -> CloudError:
    return Throttled("cloudfront-keyvaluestore failed: ThrottlingException", service="kvs", operation="GetKey")


def failing(original: Callable[..., Any], times: int, *, after: bool = False) -> Callable[..., Any]:
    """A call that fails some times, before or after its effect."""
    left = iter(range(times))

    def call(*arguments: Any, **named: Any) -> Any:
        fails = next(left, None) is not None
        if fails and not after:
            raise throttled()
        result = original(*arguments, **named)
        if fails:
            raise throttled()
        return result

    return call


@pytest.mark.parametrize("call", ["read", "update"])
def test_an_alarm_is_followed_within_seconds_though_the_store_throttles(plane: Any, lines: Any, call: str) -> None:
    """The run goes on looking: the next one would come up to a minute later."""
    canary(plane)
    plane.alarms.ringing = {"worse"}
    setattr(plane.store, call, failing(getattr(plane.store, call), 2))
    began, followed = plane.clock.now(), []
    plane.clock.on_sleep = lambda: plane.routing.weight == 0 and followed.append(plane.clock.now() - began)
    sync.run(plane.cloud(), plenty)
    assert followed[0] <= 15
    told = lines()
    assert [line["look"] for line in told if line.get("what") == "sync could not look"] == [1, 2]
    assert [line["SyncHeartbeat"] for line in told if "_aws" in line] == [1]


@pytest.mark.parametrize("port", ["releases.deployments", "releases.alias", "alarms.on"])
def test_any_other_service_may_refuse_for_a_moment(plane: Any, port: str) -> None:
    canary(plane)
    plane.releases.shift(5000)
    name, method = port.split(".")
    setattr(getattr(plane, name), method, failing(getattr(getattr(plane, name), method), 1))
    sync.run(plane.cloud(), plenty)
    assert plane.routing.weight == 5000


def test_a_store_that_refuses_for_good_changes_nothing_and_gives_no_heartbeat(plane: Any, lines: Any) -> None:
    canary(plane)
    plane.releases.shift(5000)
    before = dict(plane.store.values)
    plane.store.update = failing(plane.store.update, 99)
    with pytest.raises(Throttled):
        sync.run(plane.cloud(), plenty)
    assert plane.store.values == before, "the edge keeps its last state"
    assert not [line for line in lines() if "_aws" in line], "the alarm about a dead sync must come on"


def test_a_write_whose_answer_is_lost_is_not_made_twice(plane: Any) -> None:
    canary(plane)
    plane.releases.shift(5000)
    plane.store.update = failing(plane.store.update, 1, after=True)
    sync.run(plane.cloud(), plenty)
    assert (plane.routing.weight, plane.routing.epoch) == (5000, 3)


def test_a_write_that_the_store_shows_late_is_no_reason_for_another(plane: Any) -> None:
    """Then it says that it did not keep it, though it did."""
    canary(plane)
    plane.alarms.ringing = {"worse"}
    update = plane.store.update

    def late(*arguments: Any, **named: Any) -> Any:
        update(*arguments, **named)
        plane.store.update = update
        raise CloudError("the KeyValueStore took a write of routing and does not show it", code="NotKept")

    plane.store.update = late
    sync.run(plane.cloud(), plenty)
    assert (plane.routing.weight, plane.routing.epoch, len(plane.control.latches)) == (0, 3, 1)


# -- deployments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [1000, 10_000])
def test_a_deployment_stopped_by_hand_without_rollback_gets_nobody(plane: Any, weight: int) -> None:
    """CodeDeploy's console offers that: the alias stays where it was, between two builds or wholly on the new one."""
    canary(plane, weight)
    plane.releases.end(DeploymentStatus.STOPPED)
    sync.sync_once(plane.cloud())
    assert (plane.routing.stable, plane.routing.weight) == ("a1", 0)
    assert plane.control.is_latched("b2")
    assert (plane.outcome.kind, plane.outcome.reason) == (
        OutcomeKind.WITHDRAWN, f"build b2 kept out: deployment {plane.releases.history[0].id} stopped",
    )  # fmt: skip
    plane.clock.sleep(3600)
    sync.sync_once(plane.cloud())
    assert plane.routing.weight == 0


def test_a_second_deploy_finds_the_first_in_progress_and_disturbs_nothing(plane: Any) -> None:
    """CloudFormation refuses it; were it another stack's, or CodeDeploy's console, the hook does."""
    first = canary(plane)
    second = plane.releases.begin("c3")
    plane.releases.history[:] = [replace(second, created=1.0), first]
    answer = before_allow_traffic.run(plane.cloud(), second.id, "e-2", plenty)
    assert answer["succeeded"] is False
    assert f"deployment {first.id} of build b2 is in progress" in str(answer["why"])
    assert plane.releases.answers == {(second.id, "e-2"): False}


# -- ten dead minutes -----------------------------------------------------------------------------------------------


def test_the_edge_keeps_its_state_while_the_sync_is_dead_and_catches_up_at_once(plane: Any) -> None:
    canary(plane)
    plane.clock.sleep(600)
    plane.releases.shift(10_000)
    assert plane.routing.weight == 1000, "nobody has told it"
    sync.sync_once(plane.cloud())
    assert plane.routing.weight == 10_000


def test_a_release_that_failed_and_came_back_meanwhile_leaves_nothing_behind(plane: Any) -> None:
    canary(plane)
    plane.alarms.ringing = {"worse"}
    plane.releases.end(DeploymentStatus.FAILED)
    plane.releases.begin("a1", is_rollback=True)
    plane.releases.traffic = AliasTraffic(primary="a1")
    plane.releases.end(DeploymentStatus.SUCCEEDED)
    plane.alarms.ringing = set()
    plane.clock.sleep(600)
    sync.sync_once(plane.cloud())
    assert (plane.routing.stable, plane.routing.candidate, plane.routing.weight) == ("a1", None, 0)
    assert plane.control.latches == ()


def test_an_alarm_in_dead_time_takes_the_candidate_out_at_the_first_look(plane: Any) -> None:
    canary(plane)
    plane.releases.shift(10_000)
    plane.alarms.ringing = {"worse"}
    plane.clock.sleep(600)
    sync.sync_once(plane.cloud())
    assert plane.routing.weight == 0, "it was at 10 % and the alias says 100: it is not let in first"


# -- formats --------------------------------------------------------------------------------------------------------


def test_a_state_of_the_format_before_is_steered_in_that_format(plane: Any) -> None:
    """So an edge that is one format older than the sync goes on being understood."""
    old = json.loads(plane.store.values[defaults.ROUTING_KEY]) | {"format": 0}
    plane.store.write({defaults.ROUTING_KEY: json.dumps(old)})
    canary(plane)
    written = json.loads(plane.store.values[defaults.ROUTING_KEY])
    assert (written["format"], written["weight"]) == (0, 1000)
