"""The release check of the stack; what it looks at is the hook's, and tested with it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from bluegreen_cdn import defaults
from bluegreen_cdn.domain.control import CHECKS, OutcomeKind, outcome_key
from bluegreen_cdn.domain.expressions import Role
from bluegreen_cdn.domain.observation import AliasTraffic, DeploymentStatus
from bluegreen_cdn.domain.verdict import SCRIPT_ERRORS
from bluegreen_cdn.errors import (
    AccessDenied,
    BlueGreenError,
    CloudError,
    NotFound,
    ReleaseError,
    ReleaseInProgress,
    VerificationFailed,
)
from bluegreen_cdn.handlers import before_allow_traffic, check
from bluegreen_cdn.handlers.custom_resource import ResourceRequest

MISSING = "shared/assets/page-b2b2b2b2.js"


def updating(stack: str) -> str:
    assert stack == "arn:stack"
    return "UPDATE_IN_PROGRESS"


def ask(
    plane: Any,
    build: str = "b2",
    *,
    kind: str = "Update",
    status: Callable[[str], str] = updating,
    left: Callable[[], float] = lambda: 900.0,
) -> str:
    request = ResourceRequest(type=kind, properties={"BuildId": build}, physical_id="check-shop", stack_id="arn:stack")
    return check.run(plane.cloud(), request, status, left).physical_id


def looked(plane: Any) -> bool:
    return any(bucket.faults.calls for bucket in plane.buckets.values()) or bool(plane.edge.asked)


def test_a_complete_build_passes_and_nothing_is_written(plane: Any) -> None:
    before = dict(plane.store.values)
    assert ask(plane) == "check-shop"
    assert looked(plane)
    assert plane.edge.asked
    assert plane.store.values == before, "the alias has not been touched: nothing is to be done at the edge"


def test_what_one_replica_lacks_is_said_in_the_hooks_words(plane: Any) -> None:
    del plane.buckets["eu-west-1"].objects[MISSING]
    with pytest.raises(VerificationFailed) as refused:
        ask(plane)
    assert f"eu-west-1: {MISSING}: missing" in str(refused.value)
    assert (plane.outcome.kind, plane.outcome.build, plane.outcome.deployment) == (OutcomeKind.REFUSED, "b2", CHECKS[0])
    assert plane.outcome.reason == str(refused.value)
    release = plane.releases.begin("b2")
    told = before_allow_traffic.run(plane.cloud(), release.id, "e-1", lambda: 900.0)
    assert told["why"] == str(refused.value)


def test_what_the_edge_does_not_serve_is_said(plane: Any) -> None:
    plane.edge.down = True
    with pytest.raises(VerificationFailed, match="build b2 does not come through the distribution"):
        ask(plane)


def test_a_late_replica_is_waited_for(plane: Any) -> None:
    replica = plane.buckets["eu-west-1"]
    late = {key: replica.objects.pop(key) for key in list(replica.objects) if "b2" in key}
    began = plane.clock.now()
    plane.clock.on_sleep = lambda: plane.clock.now() - began > 100 and replica.objects.update(late)
    ask(plane)
    assert 100 < plane.clock.now() - began < 120


def test_waiting_ends_at_the_limit(plane: Any) -> None:
    del plane.buckets["eu-west-1"].objects[MISSING]
    began = plane.clock.now()
    with pytest.raises(VerificationFailed):
        ask(plane)
    waited = plane.clock.now() - began
    assert defaults.VERIFY_WAIT_MINUTES * 60 - 10 < waited <= defaults.VERIFY_WAIT_MINUTES * 60


def test_the_last_refusals_are_kept_without_a_deployment(plane: Any) -> None:
    plane.edge.down = True
    for number in range(len(CHECKS) + 1):
        plane.clock.time += 1000
        with pytest.raises(VerificationFailed):
            ask(plane, ("b2", "c3")[number % 2])
    kept = [json.loads(plane.store.values[outcome_key(slot)]) for slot in CHECKS]
    assert kept[0]["at"] == max(note["at"] for note in kept), "the newest took the oldest's place"
    assert len({note["at"] for note in kept}) == len(CHECKS)


def test_the_first_deploy_is_let_through_unseen(plane: Any) -> None:
    ask(plane, kind="Create", status=lambda stack: pytest.fail("nobody needs to know"))
    plane.releases.alias = lambda: (_ for _ in ()).throw(NotFound("no alias", operation="GetAlias"))
    ask(plane)
    assert not looked(plane)


def unknown(stack: str) -> str:
    raise CloudError("cloudformation DescribeStacks failed")


@pytest.mark.parametrize("status", [lambda stack: "UPDATE_ROLLBACK_IN_PROGRESS", unknown])
def test_nothing_stands_in_the_way_of_a_stack_that_goes_back(plane: Any, status: Callable[[str], str]) -> None:
    """Whatever the alias carries by now, and whether or not anything can be read."""
    for bucket in plane.buckets.values():
        bucket.objects.clear()
    plane.store.write({defaults.ROUTING_KEY: '{"format":2,"epoch":1}'})
    plane.releases.alias = lambda: (_ for _ in ()).throw(CloudError("lambda GetAlias failed"))
    ask(plane, status=status)
    assert not looked(plane)
    assert plane.outcome is None


@pytest.mark.parametrize("live", ["alias", "edge"])
def test_what_is_live_already_is_not_looked_at(plane: Any, live: str) -> None:
    """As after a release that has failed, and for a build that an operator has pinned."""
    if live == "alias":
        plane.releases.traffic = AliasTraffic(primary="b2")
    else:
        plane.seed(epoch=2, stable="b2")
    plane.edge.down = True
    ask(plane)
    assert not looked(plane)


def test_another_release_in_progress_refuses_and_a_rollback_in_progress_does_not(plane: Any) -> None:
    plane.releases.begin("c3")
    with pytest.raises(ReleaseInProgress, match=r"b2 cannot be let in: deployment .* of build c3 is in progress"):
        ask(plane)
    assert not looked(plane)
    plane.releases.end(DeploymentStatus.FAILED)
    plane.releases.begin("a1", is_rollback=True)
    ask(plane)


def test_it_is_quiet_before_the_alias_is_touched(plane: Any, lines: Any) -> None:
    """While a hook waits, the last candidate's reports may set an alarm off once more, which ends the release."""
    began = plane.clock.now()
    plane.reports.reports.append((began - 10, Role.CANDIDATE, SCRIPT_ERRORS, 3))
    plane.alarms.ringing = {"worse"}
    plane.clock.on_sleep = lambda: plane.clock.now() - began > 60 and plane.alarms.ringing.clear()
    ask(plane)
    assert plane.clock.now() - began >= 350, "five minutes after the last report, and one for whole minutes"
    said = [line["why"] for line in lines() if line["what"] == "waiting for quiet"]
    assert "worse in alarm before the release has begun" in said[0]
    assert "3 page loads and errors of an earlier candidate" in said[-1]
    assert plane.outcome is None


def test_what_does_not_become_quiet_is_said(plane: Any) -> None:
    plane.alarms.ringing = {"worse"}
    with pytest.raises(
        ReleaseError, match="worse in alarm before the release has begun; deploy again when it is quiet"
    ):
        ask(plane)
    assert plane.outcome.reason.startswith("worse in alarm")


def test_what_cannot_be_read_on_the_way_forward_refuses_and_says_so(plane: Any) -> None:
    plane.releases.alias = lambda: (_ for _ in ()).throw(CloudError("lambda GetAlias failed"))
    with pytest.raises(BlueGreenError, match="GetAlias failed"):
        ask(plane)
    assert plane.outcome.reason == "lambda GetAlias failed"


def test_rights_that_the_deploy_has_just_given_are_waited_for_and_not_for_long(plane: Any) -> None:
    replica, began = plane.buckets["eu-west-1"], plane.clock.now()
    head = replica.head

    def not_yet(key: str) -> Any:
        if plane.clock.now() - began < 30:
            raise AccessDenied("s3 HeadObject failed")
        return head(key)

    replica.head = not_yet
    ask(plane)
    assert 30 <= plane.clock.now() - began < 40
    began = float("inf")
    with pytest.raises(AccessDenied):
        ask(plane)


def test_for_a_right_on_alarms_no_object_is_looked_at_again(plane: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    began, proofs, ringing = plane.clock.now(), [], plane.alarms.on

    def not_yet() -> Any:
        if plane.clock.now() - began < 30:
            raise AccessDenied("cloudwatch DescribeAlarms failed")
        return ringing()

    prove = check.prove
    monkeypatch.setattr(check, "prove", lambda *given: proofs.append(given) or prove(*given))
    plane.alarms.on = not_yet
    ask(plane)
    assert 30 <= plane.clock.now() - began < 40
    assert len(proofs) == 1


def test_cloudformation_is_told_the_reason_and_before_its_own_watchdog(
    plane: Any, formation: Any, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    del plane.buckets["eu-west-1"].objects[MISSING]
    monkeypatch.setattr(check, "cloud", plane.cloud)
    monkeypatch.setattr(check, "stack_status", lambda stack: "UPDATE_IN_PROGRESS")
    began, limit = plane.clock.now(), 60

    class Shrinking:
        def get_remaining_time_in_millis(self) -> int:
            return int((limit - (plane.clock.now() - began)) * 1000)

    check.handler(formation.event("Update", ResourceProperties={"BuildId": "b2"}), Shrinking())
    assert formation.answer["Status"] == "FAILED"
    assert f"eu-west-1: {MISSING}: missing" in formation.answer["Reason"]
    assert plane.clock.now() - began < limit - defaults.CUSTOM_RESOURCE_MARGIN_SECONDS


def test_a_delete_asks_nobody(formation: Any, context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "cloud", lambda: pytest.fail("there may be no site any more"))
    check.handler(formation.event("Delete"), context())
    assert formation.answer["Status"] == "SUCCESS"
