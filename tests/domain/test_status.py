import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.domain.control import ControlState, HookKind, Latch, Outcome, OutcomeKind, PendingHook, Pin
from bluegreen_cdn.domain.observation import Alarm, AliasTraffic, Deployment, DeploymentStatus, Observed
from bluegreen_cdn.domain.operations_log import OperationsLog, TakenBack
from bluegreen_cdn.domain.routing import RoutingState
from bluegreen_cdn.domain.status import SiteStatus, site_status
from bluegreen_cdn.domain.status_rates import ErrorRate, wilson_interval
from bluegreen_cdn.domain.status_releases import UNKNOWN_BUILD, DeploymentRecord, Schedule, next_step, release_history

RUNNING = Deployment(id="d-2", target="b", previous="a", status=DeploymentStatus.RUNNING, created=900)
CANARY = Schedule(step_basis_points=1000, interval_minutes=5)
LINEAR = Schedule(step_basis_points=3000, interval_minutes=2, linear=True)


@pytest.mark.parametrize(
    ("bad", "number", "interval"),
    [
        # From the literature (Newcombe 1998, method 3; Agresti and Coull).
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_the_interval_is_wilsons(bad: int, number: int, interval: tuple[float, float]) -> None:
    assert wilson_interval(bad, number) == pytest.approx(interval, abs=5e-5)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_rate_lies_in_its_interval(errors: int, loads: int) -> None:
    rate = ErrorRate(page_loads=loads, errors=errors)
    low, high = rate.interval
    assert 0 <= low < high <= 1 or (low, high) == (0, 1)
    assert rate.rate is None if loads == 0 else low <= rate.rate <= high  # type: ignore[operator]


def test_the_next_step_of_a_release() -> None:
    def say(weight: int, schedule: Schedule | None = CANARY, hook: PendingHook | None = None) -> str:
        return next_step(RUNNING, weight, schedule, hook, 1000)

    assert say(0) == "checks before any traffic, then 10 %"
    assert say(1000) == "100 %, 5 min after 10 % began"
    assert say(6000, LINEAR) == "90 %, 2 min after 60 % began"
    assert say(9000, LINEAR) == "100 %, 2 min after 90 % began"
    assert say(1000, None) == "the next step of its rollout"
    assert say(10_000).startswith("bake at full weight")
    hook = PendingHook(deployment="d-2", execution="e", kind=HookKind.AFTER, until=1060)
    assert say(10_000, hook=hook) == "bakes; promoted in 60 s unless an alarm comes on"


def status(**changes: object) -> SiteStatus:
    seen = Observed(
        routing=RoutingState(epoch=7, stable="a", candidate="b", weight=1000),
        control=ControlState(latches=(Latch("b", "d-2"),)),
        alias=AliasTraffic(primary="a", additional="b", additional_weight=1000),
        deployments=(RUNNING,),
        alarms=(Alarm(name="worse"),),
        holdout=500,
        now=1000,
    )
    values: dict[str, object] = {
        "site": "shop",
        "seen": seen,
        "outcome": None,
        "published": {"us-east-1": ("a", "b", "c"), "eu-west-1": ("a", "b")},
        "retained": {"a", "b"},
        "missing_alarms": (),
        "own_alarms": (),
        "rates": {"stable": ErrorRate(page_loads=90, errors=0), "candidate": ErrorRate(page_loads=0, errors=0)},
        "window_seconds": 300,
        "schedule": CANARY,
    }
    return site_status(**{**values, **changes})  # type: ignore[arg-type]


def test_builds_are_told_with_role_and_replication() -> None:
    a, b, c = status().builds
    assert (a.role, a.retained, a.missing_regions) == ("stable", True, ())
    assert (b.role, b.latched) == ("candidate", True)
    assert (c.role, c.retained, c.missing_regions) == ("other", False, ("eu-west-1",))


def test_a_sync_that_has_still_to_follow_is_drift_and_so_is_a_pin() -> None:
    assert "has still to follow" in status().drift[0]
    assert "1000" not in status().drift[0]
    pinned = Observed(
        routing=RoutingState(epoch=7, stable="a"),
        control=ControlState(pin=Pin(build="a", after="-")),
        alias=AliasTraffic(primary="b"),
        holdout=500,
        now=1000,
    )
    assert status(seen=pinned).drift == ("the edge has build a by its pin, the alias has build b",)


def test_the_json_says_it_all() -> None:
    outcome = Outcome(build="b", deployment="d-2", kind=OutcomeKind.WITHDRAWN, reason="worse", at=950)
    value = json.loads(json.dumps(status(outcome=outcome).to_json()))
    assert value["edge"] == {
        "epoch": 7,
        "stable": "a",
        "candidate": "b",
        "weight": 1000,
        "holdout": 500,
        "regions_out": [],
    }
    assert value["deployment"]["next"] == "100 %, 5 min after 10 % began"
    assert value["alarms"]["on"] == ["worse"]
    assert value["rates"]["candidate"] == {"page_loads": 0, "bad": 0, "rate": None, "low": 0.0, "high": 1.0}
    assert value["outcome"]["result"] == "withdrawn"


def record(number: int, status: DeploymentStatus, message: str = "", *, is_rollback: bool = False) -> DeploymentRecord:
    made = Deployment(id=f"d-{number}", target="b", previous="a", status=status, is_rollback=is_rollback)
    return DeploymentRecord(deployment=made, ended=1.0, message=message)


def test_the_history_takes_each_reason_from_who_knows_it() -> None:
    records = [
        record(5, DeploymentStatus.FAILED),
        record(4, DeploymentStatus.SUCCEEDED, is_rollback=True),
        record(3, DeploymentStatus.STOPPED, "an alarm"),
        record(2, DeploymentStatus.SUCCEEDED),
        record(1, DeploymentStatus.SUCCEEDED),
    ]
    outcome = Outcome(build="b", deployment="d-5", kind=OutcomeKind.REFUSED, reason="index.html: missing", at=1)
    log = OperationsLog((TakenBack(build="b", deployment="d-2", to="a", at=1),))
    gone = Deployment(id="d-0", target=UNKNOWN_BUILD, previous=UNKNOWN_BUILD, status=DeploymentStatus.FAILED)
    unknown, refused = DeploymentRecord(deployment=gone), replace(outcome, build="z", deployment="d-0")
    lines = release_history([*records, unknown], {"d-5": outcome, "d-0": refused}, log)
    assert [(line.deployment, line.result, line.reason) for line in lines] == [
        ("d-5", "refused", "index.html: missing"),
        ("d-3", "stopped", "an alarm"),
        ("d-2", "withdrawn", "rolled back by hand, to build a"),
        ("d-1", "promoted", ""),
        ("d-0", "refused", "index.html: missing"),
    ]
    assert lines[-1].build == "z"


def test_a_release_that_ended_before_anybody_looked_is_known_by_the_note_on_its_beginning() -> None:
    begun = Outcome(build="b", deployment="d-1", kind=OutcomeKind.BEGUN, reason="its checks have begun", at=1)
    gone = Deployment(id="d-1", target=UNKNOWN_BUILD, previous="a", status=DeploymentStatus.STOPPED)
    (line,) = release_history(
        [DeploymentRecord(deployment=gone, ended=1.0, message="an alarm")], {"d-1": begun}, OperationsLog()
    )
    assert (line.build, line.result, line.reason) == ("b", "stopped", "an alarm")


def test_a_promotion_noted_before_the_end_is_not_believed_of_a_deployment_that_failed() -> None:
    outcome = Outcome(build="b", deployment="d-1", kind=OutcomeKind.PROMOTED, reason="build b is stable", at=1)
    (line,) = release_history([record(1, DeploymentStatus.FAILED)], {"d-1": outcome}, OperationsLog())
    assert line.result == "failed"


def test_a_build_that_came_to_no_deployment_is_in_the_history_by_its_moment() -> None:
    first, second = (record(number, DeploymentStatus.SUCCEEDED) for number in (1, 2))
    records = [
        replace(made, deployment=replace(made.deployment, created=at)) for made, at in ((second, 20.0), (first, 10.0))
    ]
    refused = Outcome(build="c", deployment="check-3", kind=OutcomeKind.REFUSED, reason="index.html: missing", at=15)
    lines = release_history(records, {}, OperationsLog(), [refused])
    assert [line.deployment for line in lines] == ["d-2", "check-3", "d-1"]
    told = lines[1]
    assert (told.build, told.previous, told.result, told.reason) == (
        "c",
        UNKNOWN_BUILD,
        "refused",
        "index.html: missing",
    )
    assert (told.began, told.ended) == (15, 15)
