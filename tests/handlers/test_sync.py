from typing import Any

import pytest

from bluegreen_cdn import defaults
from bluegreen_cdn.aws.fakes import FakeKeyValueStore
from bluegreen_cdn.domain.control import ControlState, HookKind, OutcomeKind, PendingHook
from bluegreen_cdn.domain.observation import AliasTraffic, DeploymentStatus
from bluegreen_cdn.domain.routing import RoutingState
from bluegreen_cdn.errors import ForeignState, PreconditionFailed, ReleaseError, UnsupportedFormat
from bluegreen_cdn.handlers import sync


def plenty() -> float:
    return 900.0


def test_a_quiet_site_is_looked_at_once_and_left_alone(plane: Any, lines: Any) -> None:
    before = list(plane.store.updates)
    assert sync.run(plane.cloud(), plenty) == {"looks": 1, "epoch": 1}
    assert plane.store.updates == before
    [heartbeat] = [line for line in lines() if "_aws" in line]
    assert heartbeat["SyncHeartbeat"] == 1
    assert heartbeat["Drift"] == 0
    assert heartbeat["site"] == "shop"


@pytest.mark.parametrize(("weight", "of_alias", "at_edge"), [(1000, 10, 10), (10_000, 100, 95)])
def test_both_shares_of_the_candidate_are_told_every_minute(
    plane: Any, lines: Any, weight: int, of_alias: float, at_edge: float
) -> None:
    """At the edge it is less the hold-out; and both are 0 when there is no candidate, so that the graph comes down."""
    plane.releases.begin("b2")
    plane.releases.shift(weight)
    sync.run(plane.cloud(), plenty)
    plane.releases.shift(10_000)
    plane.releases.end(DeploymentStatus.SUCCEEDED)
    sync.run(plane.cloud(), plenty)
    told = [line for line in lines() if "_aws" in line]
    shares = [(line[defaults.ALIAS_SHARE_METRIC], line[defaults.EDGE_SHARE_METRIC]) for line in told]
    assert shares == [(of_alias, at_edge), (0, 0)]
    names = {metric["Name"] for metric in told[0]["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert names == set(defaults.SYNC_METRICS)


def test_a_whole_release_is_followed_step_by_step(plane: Any) -> None:
    """Weight 0, 10 %, all but the hold-out, bake, and only then stable."""
    here = plane.cloud()
    release = plane.releases.begin("b2")
    weights: list[tuple[str, str | None, int]] = []

    def see() -> None:
        sync.sync_once(here)
        weights.append((plane.routing.stable, plane.routing.candidate, plane.routing.weight))

    see()
    plane.releases.shift(1000)
    see()
    plane.releases.shift(10_000)
    see()
    hook = PendingHook(deployment=release.id, execution="e-1", kind=HookKind.AFTER, until=int(plane.clock.now()) + 300)
    plane.store.write({defaults.CONTROL_KEY: ControlState(hook=hook).to_json()})
    see()
    assert plane.releases.answers == {}
    plane.clock.sleep(300)
    see()
    assert plane.releases.answers == {(release.id, "e-1"): True}
    assert plane.control.hook is None
    plane.releases.end(DeploymentStatus.SUCCEEDED)
    see()
    assert weights == [
        ("a1", "b2", 0), ("a1", "b2", 1000), ("a1", "b2", 10_000), ("a1", "b2", 10_000), ("a1", "b2", 10_000),
        ("b2", None, 0),
    ]  # fmt: skip
    assert plane.routing.epoch == 5
    assert plane.outcome.kind is OutcomeKind.PROMOTED


def test_an_alarm_is_followed_within_one_look(plane: Any, lines: Any) -> None:
    plane.releases.begin("b2")
    plane.releases.shift(1000)
    here = plane.cloud()
    sync.sync_once(here)
    plane.alarms.ringing = {"worse"}
    sync.sync_once(here)
    assert plane.routing.weight == 0
    assert plane.outcome.kind is OutcomeKind.WITHDRAWN
    assert any("worse is in alarm" in line.get("why", "") for line in lines())
    plane.alarms.ringing = set()
    sync.sync_once(here)
    assert plane.routing.weight == 0


def test_it_looks_every_five_seconds_while_a_deployment_runs(plane: Any) -> None:
    plane.releases.begin("b2")
    began = plane.clock.now()
    assert sync.run(plane.cloud(), plenty)["looks"] == 12
    assert plane.clock.now() - began == defaults.SYNC_RUN_SECONDS


def test_it_stops_in_time_for_its_own_end(plane: Any) -> None:
    plane.releases.begin("b2")
    end = plane.clock.now() + 30
    sync.run(plane.cloud(), lambda: end - plane.clock.now())
    assert plane.clock.now() <= end - defaults.LAMBDA_MARGIN_SECONDS


def test_another_writer_is_noticed_and_its_write_kept(plane: Any) -> None:
    plane.releases.begin("b2")
    plane.releases.shift(1000)

    def other_sync() -> None:
        plane.store.before_update = lambda: None
        plane.seed(epoch=41, stable="a1", regions_out=("eu-west-1",))

    plane.store.before_update = other_sync
    sync.sync_once(plane.cloud())
    assert plane.routing.epoch == 42
    assert plane.routing.regions_out == ("eu-west-1",)
    assert plane.routing.weight == 1000


def test_it_gives_up_on_a_writer_that_is_always_faster(plane: Any) -> None:
    plane.releases.begin("b2")
    plane.store.before_update = lambda: plane.store.write({})
    with pytest.raises(PreconditionFailed):
        sync.sync_once(plane.cloud())


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        (defaults.ROUTING_KEY, '{"format":2,"epoch":1}', UnsupportedFormat),
        (defaults.ROUTING_KEY, "blue", ForeignState),
        (defaults.CONTROL_KEY, '{"format":2}', UnsupportedFormat),
        (defaults.CONTROL_KEY, '{"pin":"a1"}', ForeignState),
    ],
)
def test_what_is_newer_or_not_ours_is_left_alone(
    plane: Any, lines: Any, key: str, value: str, error: type[Exception]
) -> None:
    plane.releases.begin("b2")
    plane.releases.shift(1000)
    plane.store.write({key: value})
    before = dict(plane.store.values)
    with pytest.raises(error):
        sync.run(plane.cloud(), plenty)
    assert plane.store.values == before
    assert not [line for line in lines() if "_aws" in line], "no heartbeat: the alarm for a dead sync must come"


def test_a_build_that_is_not_published_is_not_let_in(plane: Any) -> None:
    plane.releases.begin("unknown")
    with pytest.raises(ReleaseError, match="unknown is to be let in but is not published"):
        sync.sync_once(plane.cloud())
    assert plane.routing.candidate is None


def test_before_the_first_deploy_there_is_nothing_to_do(plane: Any) -> None:
    plane.releases.traffic = None
    assert sync.run(plane.cloud(), plenty)["epoch"] is None
    plane.store = FakeKeyValueStore()
    assert sync.run(plane.cloud(), plenty)["epoch"] is None


def test_the_answer_is_given_again_after_a_crash_between_answer_and_note(plane: Any) -> None:
    release = plane.releases.begin("b2")
    plane.releases.shift(10_000)
    here = plane.cloud()
    sync.sync_once(here)
    hook = PendingHook(deployment=release.id, execution="e-1", kind=HookKind.AFTER, until=0)
    plane.store.write({defaults.CONTROL_KEY: ControlState(hook=hook).to_json()})

    def crash() -> None:
        plane.store.before_update = lambda: None
        raise OSError

    plane.store.before_update = crash
    with pytest.raises(OSError):  # noqa: PT011
        sync.sync_once(here)
    assert plane.control.hook == hook
    sync.sync_once(here)
    assert plane.control.hook is None
    assert plane.releases.answers == {(release.id, "e-1"): True}


def test_drift_is_reported_when_a_pin_holds_the_alias_off(plane: Any, lines: Any) -> None:
    plane.store.write({defaults.CONTROL_KEY: '{"format":1,"pin":"c3","latches":[],"hook":null}'})
    sync.run(plane.cloud(), plenty)
    assert plane.routing.stable == "c3"
    assert [line["Drift"] for line in lines() if "_aws" in line] == [1]


def test_an_alias_that_moves_between_two_looks_at_codedeploy_is_looked_at_again(plane: Any) -> None:
    """Else an alias that a new deployment has moved at once would pass for one that nobody is moving."""
    releases, alias = plane.releases, plane.releases.alias

    def moved_meanwhile() -> AliasTraffic:
        if not releases.history:
            releases.begin("b2")
            releases.shift(10_000)
        return alias()

    releases.alias = moved_meanwhile
    sync.sync_once(plane.cloud())
    assert (plane.routing.stable, plane.routing.candidate) == ("a1", "b2")


def test_the_routing_state_keeps_within_the_stores_kilobyte(plane: Any) -> None:
    long = "x" * 64
    plane.store.write({f"build/{long}": "{}"})
    plane.releases.begin(long)
    plane.releases.shift(1000)
    sync.sync_once(plane.cloud())
    assert RoutingState.from_json(plane.store.values["routing"]).candidate == long
