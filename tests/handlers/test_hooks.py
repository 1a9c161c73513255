from dataclasses import replace
from typing import Any

import pytest

from bluegreen_cdn import defaults
from bluegreen_cdn.domain.control import ControlState, Latch, Outcome, OutcomeKind
from bluegreen_cdn.domain.expressions import Role
from bluegreen_cdn.domain.observation import AliasTraffic, DeploymentStatus
from bluegreen_cdn.domain.verdict import PAGE_LOADS, SCRIPT_ERRORS
from bluegreen_cdn.errors import CloudError
from bluegreen_cdn.handlers import after_allow_traffic, before_allow_traffic, sync


def plenty() -> float:
    return 900.0


def before(plane: Any, build: str = "b2", **settings: Any) -> dict[str, object]:
    release = plane.releases.begin(build)
    return before_allow_traffic.run(plane.cloud(**settings), release.id, "e-1", plenty)


def test_a_complete_build_may_be_let_in(plane: Any) -> None:
    assert before(plane) == {"succeeded": True, "why": ""}
    assert list(plane.releases.answers.values()) == [True]
    assert (plane.routing.candidate, plane.routing.weight) == ("b2", 0)
    assert plane.outcome is None  # nothing has been decided yet
    (begun,) = [text for key, text in plane.store.values.items() if key.startswith(f"{defaults.OUTCOME_KEY}/")]
    assert (Outcome.from_json(begun).build, Outcome.from_json(begun).kind) == ("b2", OutcomeKind.BEGUN)


def test_what_one_replica_lacks_is_named_with_its_region_and_nothing_has_changed(plane: Any, lines: Any) -> None:
    key = "shared/assets/page-b2b2b2b2.js"
    del plane.buckets["eu-west-1"].objects[key]
    answer = before(plane)
    assert answer["succeeded"] is False
    assert f"eu-west-1: {key}: missing" in str(answer["why"])
    assert list(plane.releases.answers.values()) == [False]
    assert plane.routing.stable == "a1"
    assert plane.routing.weight == 0
    assert (plane.outcome.kind, plane.outcome.build) == (OutcomeKind.REFUSED, "b2")
    assert key in plane.outcome.reason
    assert [line for line in lines() if line["what"] == "release refused" and key in line["why"]]


def test_a_late_replica_is_waited_for(plane: Any) -> None:
    replica = plane.buckets["eu-west-1"]
    late = {key: replica.objects.pop(key) for key in list(replica.objects) if "b2" in key}
    began = plane.clock.now()
    plane.clock.on_sleep = lambda: plane.clock.now() - began > 100 and replica.objects.update(late)
    assert before(plane)["succeeded"] is True
    assert 100 < plane.clock.now() - began < 120


def test_waiting_ends_at_the_limit_and_asks_only_for_what_is_missing(plane: Any) -> None:
    replica = plane.buckets["eu-west-1"]
    del replica.objects["builds/b2/index.html"]
    began = plane.clock.now()
    assert before(plane)["succeeded"] is False
    assert plane.clock.now() - began <= defaults.VERIFY_WAIT_MINUTES * 60
    asked = [call for call in replica.faults.calls if call.startswith("head ")]
    assert asked.count("head shared/assets/app-B3x9aZ0q.js") == 1
    assert asked.count("head builds/b2/index.html") > 10


def test_waiting_ends_before_the_function_does(plane: Any) -> None:
    del plane.buckets["eu-west-1"].objects["builds/b2/index.html"]
    release = plane.releases.begin("b2")
    end = plane.clock.now() + 60
    answer = before_allow_traffic.run(plane.cloud(), release.id, "e", lambda: end - plane.clock.now())
    assert answer["succeeded"] is False
    assert plane.clock.now() < end


@pytest.mark.parametrize(
    ("change", "message"),
    [({"size": 3}, "3 bytes instead of"), ({"metadata": {"sha256": "0" * 64}}, "another digest")],
)
def test_an_object_that_differs_is_named(plane: Any, change: dict[str, Any], message: str) -> None:
    objects = plane.buckets["eu-west-1"].objects
    stored, data = objects["builds/b2/index.html"]
    objects["builds/b2/index.html"] = (replace(stored, **change), data)
    assert message in str(before(plane)["why"])


def test_a_build_without_a_manifest_is_not_published(plane: Any) -> None:
    for bucket in plane.buckets.values():
        del bucket.objects["manifests/b2.json"]
    assert "build b2 has no manifest in us-east-1" in str(before(plane)["why"])


def test_a_manifest_that_one_region_lacks_is_missed(plane: Any) -> None:
    del plane.buckets["eu-west-1"].objects["manifests/b2.json"]
    assert "eu-west-1: manifests/b2.json: missing" in str(before(plane)["why"])


def test_a_manifest_of_a_newer_format_is_refused(plane: Any) -> None:
    objects = plane.buckets["us-east-1"].objects
    stored, data = objects["manifests/b2.json"]
    objects["manifests/b2.json"] = (stored, data.replace(b'"format":1', b'"format":2'))
    assert "format 2" in str(before(plane)["why"])


def test_a_second_candidate_is_refused_while_one_is_in_progress(plane: Any) -> None:
    plane.releases.begin("c3")
    plane.releases.shift(1000)
    answer = before(plane)
    assert "b2 cannot be let in" in str(answer["why"])
    assert "c3 is in progress" in str(answer["why"])
    running = next(made for made in plane.releases.history if made.target == "c3")
    assert running.id in str(answer["why"])
    assert "bluegreen rollback --site shop" in str(answer["why"]), "the mend can be copied"


def test_a_candidate_that_nobody_deploys_is_not_pushed_aside(plane: Any) -> None:
    """The alias was moved by hand, and CodeDeploy's list does not show the new deployment yet."""
    release = plane.releases.begin("b2")
    plane.releases.deployments = tuple
    plane.releases.traffic = AliasTraffic(primary="a1", additional="c3", additional_weight=1000)
    answer = before_allow_traffic.run(plane.cloud(), release.id, "e-1", plenty)
    assert "build c3 is still being let in, at 10 %" in str(answer["why"])


def test_a_state_of_a_newer_format_is_refused_and_left_alone(plane: Any) -> None:
    plane.store.write({defaults.ROUTING_KEY: '{"format":2,"epoch":1}'})
    answer = before(plane)
    assert answer["succeeded"] is False
    assert "format 2" in str(answer["why"])
    assert plane.store.values[defaults.ROUTING_KEY] == '{"format":2,"epoch":1}'


def test_an_alarm_that_is_on_is_waited_for_and_named(plane: Any) -> None:
    plane.alarms.ringing = {"worse"}
    assert "worse in alarm before the release has begun" in str(before(plane)["why"])
    plane.releases.end(DeploymentStatus.FAILED)
    began = plane.clock.now()
    plane.clock.on_sleep = lambda: plane.clock.now() - began > 60 and plane.alarms.ringing.clear()
    assert before(plane, "c3")["succeeded"] is True


def test_a_predecessors_reports_are_waited_for_until_they_have_left_the_window(plane: Any, lines: Any) -> None:
    """A hotfix right after the release of a bad build: metrics know roles, not builds."""
    began = plane.clock.now()
    for ago, metric in ((20, PAGE_LOADS), (10, SCRIPT_ERRORS)):
        plane.reports.reports.append((began - ago, Role.CANDIDATE, metric, 3))
    assert before(plane)["succeeded"] is True
    assert 350 <= plane.clock.now() - began <= 356, "five minutes after the last, and one for whole minutes"
    (first, *_) = [line for line in lines() if line["what"] == "waiting for quiet"]
    assert "6 page loads and errors of an earlier candidate are still in the verdict's window of 5 min" in first["why"]


def test_what_others_report_is_not_waited_for(plane: Any) -> None:
    began = plane.clock.now()
    plane.reports.reports = [(began, role, PAGE_LOADS, 9) for role in (Role.STABLE, Role.OTHER)]
    plane.reports.reports.append((began - 361, Role.CANDIDATE, PAGE_LOADS, 9))
    assert before(plane)["succeeded"] is True
    assert plane.clock.now() == began


def test_a_window_that_does_not_empty_refuses_the_release_and_says_so(plane: Any) -> None:
    plane.clock.on_sleep = lambda: plane.reports.reports.append((plane.clock.now(), Role.CANDIDATE, PAGE_LOADS, 1))
    plane.clock.on_sleep()
    why = str(before(plane)["why"])
    assert "would be held against this one; deploy again when it is quiet" in why
    assert plane.outcome.reason == why


def test_a_long_window_has_time_to_empty(plane: Any) -> None:
    plane.reports.reports.append((plane.clock.now(), Role.CANDIDATE, PAGE_LOADS, 1))
    began = plane.clock.now()
    assert before(plane, verdict_period_seconds=720)["succeeded"] is True
    assert plane.clock.now() - began > 720


def test_a_release_that_nobody_would_watch_is_refused(plane: Any) -> None:
    plane.alarms.unknown = {"worse"}
    assert "alarm worse does not exist" in str(before(plane)["why"])


def test_nothing_stands_in_the_way_of_a_rollback(plane: Any) -> None:
    plane.alarms.ringing = {"worse"}
    plane.buckets["eu-west-1"].objects.clear()
    release = plane.releases.begin("a1", is_rollback=True)
    assert before_allow_traffic.run(plane.cloud(), release.id, "e", plenty)["succeeded"] is True


def test_any_error_is_an_answer(plane: Any) -> None:
    assert before_allow_traffic.run(plane.cloud(), "d-none", "e", plenty)["succeeded"] is False
    assert plane.releases.answers == {("d-none", "e"): False}

    def broken() -> tuple[str, ...]:
        raise RuntimeError("bug")

    plane.alarms.missing = broken
    assert "RuntimeError: bug" in str(before(plane)["why"])


# -- after ----------------------------------------------------------------------------------------------------------


def after(plane: Any, **settings: Any) -> dict[str, object]:
    release = plane.releases.begin("b2")
    plane.releases.shift(1000)
    sync.sync_once(plane.cloud())
    plane.releases.shift(10_000)
    return after_allow_traffic.run(plane.cloud(**settings), release.id, "e-1")


def test_the_bake_is_noted_and_answered_by_the_sync(plane: Any) -> None:
    assert after(plane) == {"answered": False}
    assert plane.releases.answers == {}
    assert plane.control.hook is not None
    assert plane.control.hook.until == plane.clock.now() + 300
    plane.clock.sleep(300)
    sync.sync_once(plane.cloud())
    assert list(plane.releases.answers.values()) == [True]


def test_the_bake_follows_the_scale_of_time(plane: Any) -> None:
    plane.clock.scale = 60
    after(plane)
    assert plane.control.hook.until == plane.clock.now() + 5


def test_no_bake_is_answered_at_once(plane: Any) -> None:
    assert after(plane, bake_minutes=0) == {"answered": True}
    assert list(plane.releases.answers.values()) == [True]


def test_a_build_that_was_taken_out_fails_at_once(plane: Any) -> None:
    plane.store.write({defaults.CONTROL_KEY: ControlState(latches=(Latch("b2", "d-1"),)).to_json()})
    assert after(plane) == {"answered": True}
    assert list(plane.releases.answers.values()) == [False]
    assert plane.routing.weight == 0


def test_an_alarm_during_the_bake_fails_it(plane: Any, lines: Any) -> None:
    after(plane)
    plane.alarms.ringing = {"worse"}
    sync.sync_once(plane.cloud())
    assert not [line for line in lines() if line["what"] == "sync lost a race"], "not even against itself"
    assert list(plane.releases.answers.values()) == [False]
    assert plane.routing.weight == 0


def test_an_event_delivered_twice_does_not_begin_the_bake_anew(plane: Any) -> None:
    after(plane)
    until = plane.control.hook.until
    plane.clock.sleep(60)
    after_allow_traffic.run(plane.cloud(), plane.releases.history[0].id, "e-1")
    assert plane.control.hook.until == until


def test_a_rollback_needs_no_bake(plane: Any) -> None:
    release = plane.releases.begin("a1", is_rollback=True)
    assert after_allow_traffic.run(plane.cloud(), release.id, "e") == {"answered": True}
    assert plane.releases.answers == {(release.id, "e"): True}


def test_a_bake_that_cannot_be_noted_fails_the_release(plane: Any) -> None:
    plane.store.write({defaults.CONTROL_KEY: '{"format":9}'})
    release = plane.releases.begin("b2")
    plane.releases.shift(10_000)
    assert after_allow_traffic.run(plane.cloud(), release.id, "e") == {"answered": True}
    assert plane.releases.answers == {(release.id, "e"): False}


def test_a_bug_fails_the_release_at_once_instead_of_in_an_hour(plane: Any) -> None:
    release = plane.releases.begin("b2")
    plane.releases.shift(10_000)

    def broken() -> tuple[Any, ...]:
        raise RuntimeError("bug")

    plane.alarms.on = broken
    assert after_allow_traffic.run(plane.cloud(), release.id, "e") == {"answered": True}
    assert plane.releases.answers == {(release.id, "e"): False}


def test_a_bake_that_is_noted_is_left_to_the_next_sync_when_this_one_fails(plane: Any) -> None:
    release = plane.releases.begin("b2")
    plane.releases.shift(10_000)
    looks = iter([(), (), None])

    def on() -> tuple[Any, ...]:
        found = next(looks)
        if found is None:
            raise CloudError("cloudwatch DescribeAlarms failed")
        return found

    plane.alarms.on = on
    assert after_allow_traffic.run(plane.cloud(), release.id, "e") == {"answered": False}
    assert plane.control.hook.execution == "e"
    assert plane.releases.answers == {}


# -- a release that nobody has seen ---------------------------------------------------------------------------------


def baked(plane: Any, page_loads: int, **settings: Any) -> None:
    """A release in whose second half so many pages were opened."""
    began = plane.clock.now()
    plane.reports.reports.append((began - 1, Role.CANDIDATE, PAGE_LOADS, 999))  # of the release before
    release = plane.releases.begin("b2", created=began)
    plane.releases.shift(1000)
    sync.sync_once(plane.cloud(**settings))
    plane.releases.shift(10_000)
    after_allow_traffic.run(plane.cloud(**settings), release.id, "e-1")
    plane.clock.sleep(200)
    plane.reports.reports.append((plane.clock.now(), Role.CANDIDATE, PAGE_LOADS, page_loads))
    plane.reports.reports.append((plane.clock.now(), Role.STABLE, PAGE_LOADS, 999))
    plane.clock.sleep(100)
    sync.sync_once(plane.cloud(**settings))


def test_silence_is_consent_by_default(plane: Any) -> None:
    baked(plane, 0)
    assert list(plane.releases.answers.values()) == [True]


@pytest.mark.parametrize(("page_loads", "answer"), [(49, False), (50, True)])
def test_where_a_release_must_be_seen_too_few_page_loads_take_it_back(
    plane: Any, page_loads: int, answer: bool
) -> None:
    baked(plane, page_loads, minimum_sample=50)
    assert list(plane.releases.answers.values()) == [answer]
    assert plane.control.is_latched("b2") is not answer
    if not answer:
        assert plane.routing.weight == 0
        assert "browsers reported 49 page loads" in plane.outcome.reason


def test_metrics_that_cannot_be_read_are_waited_for_and_stop_nothing_else(plane: Any, lines: Any) -> None:
    plane.reports.failing = CloudError("cloudwatch GetMetricData failed")
    baked(plane, 60, minimum_sample=50)
    assert plane.releases.answers == {}
    assert [line for line in lines() if line["what"] == "page loads not known"]
    plane.reports.failing = None
    sync.sync_once(plane.cloud(minimum_sample=50))
    assert list(plane.releases.answers.values()) == [True]


def test_an_alarm_takes_the_candidate_out_even_while_its_page_loads_are_not_known(plane: Any) -> None:
    plane.reports.failing = CloudError("cloudwatch GetMetricData failed")
    baked(plane, 60, minimum_sample=50)
    plane.alarms.ringing = {"worse"}
    sync.sync_once(plane.cloud(minimum_sample=50))
    assert plane.routing.weight == 0
    assert list(plane.releases.answers.values()) == [False]
