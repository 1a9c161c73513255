import asyncio
from typing import Any

from invented import BAD, SECOND

from bluegreen_cdn.errors import LocalCloudError
from bluegreen_cdn.local.rehearsal.releases import Outcome, Release
from bluegreen_cdn.local.rehearsal.watch import Watch


def status(candidate: str | None, weight: int) -> dict[str, Any]:
    routing = {"format": 1, "epoch": 4, "stable": SECOND, "candidate": candidate, "weight": weight, "holdout": 500}
    return {"locations": {"us-east-1": {"routing": routing}, "eu-west-1": {"routing": routing}}}


class World:
    """A cloud and an edge that say what they are told to."""

    def __init__(self) -> None:
        self.time = 0.0
        self.status: dict[str, Any] = {"locations": {"us-east-1": {"routing": None}}}
        self.events: list[dict[str, Any]] = []
        self.release = Release(name="bad build", build_id=BAD, expected=Outcome.ROLLED_BACK)
        self.watch = Watch(
            edge_status=lambda: self.status,
            cloud_events=lambda since: [event for event in self.events if event["sequence"] > since],
            now=lambda: self.time,
            from_wall=lambda wall: wall - 1000,
        )
        self.watch.release = self.release

    def happens(self, at: float, kind: str, **more: object) -> None:
        self.events.append({"sequence": len(self.events) + 1, "time": at + 1000, "kind": kind, **more})

    def look(self, at: float) -> None:
        self.time = at
        asyncio.run(self.watch.look())


def test_a_rollback_as_it_is_seen_from_outside() -> None:
    world = World()
    world.look(1)
    assert not world.watch.without(BAD)
    world.status = status(BAD, 1000)
    world.look(2)
    world.happens(5, "alarm", alarm="worse", new="ALARM")
    world.happens(5.5, "deployment", status="Stopped", creator="user", error="ALARM_ACTIVE", message="an alarm is on")
    world.happens(5.6, "deployment", status="Failed", creator="codeDeployRollback", message="not this one")
    world.look(6)
    assert world.watch.alarms_on == {"worse"}
    world.status = status(None, 0)
    world.happens(7, "alarm", alarm="worse", new="OK")
    world.look(7)
    release = world.release
    assert (release.alarm_name, release.alarm_at, release.rollback_at) == ("worse", 5, 5.5)
    assert release.seconds_from_alarm_to_weight_zero == 2
    assert world.watch.without(BAD)
    assert world.watch.everywhere(SECOND)
    assert world.watch.alarms_on == set()


def test_an_alarm_before_anybody_was_let_in_is_not_this_releases() -> None:
    world = World()
    world.happens(1, "alarm", alarm="drift", new="ALARM")
    world.look(1)
    world.status = status(BAD, 1000)
    world.look(2)
    assert world.release.alarm_at is None


def test_events_of_an_earlier_release_are_not_this_ones() -> None:
    world = World()
    world.release.started = 10
    world.happens(5, "deployment", status="Stopped", creator="user")
    world.look(11)
    assert world.release.rollback_at is None


def test_a_simulator_that_does_not_answer_is_asked_again() -> None:
    world = World()

    def broken() -> dict[str, Any]:
        raise LocalCloudError("the edge simulator does not answer")

    watch = Watch(edge_status=broken, cloud_events=lambda _: [], now=lambda: 0, from_wall=lambda wall: wall)
    asyncio.run(watch.look())
    assert "does not answer" in watch.problem
    world.look(1)
    assert world.watch.problem == ""


def test_events_of_other_sites_are_not_ours() -> None:
    world = World()
    world.watch = Watch(
        edge_status=lambda: world.status,
        cloud_events=lambda since: [event for event in world.events if event["sequence"] > since],
        now=lambda: world.time,
        from_wall=lambda wall: wall - 1000,
        site="shop",
    )
    world.happens(1, "alarm", alarm="bluegreen-take2-shop-verdict", new="ALARM")
    world.happens(2, "deployment", deployment="d-1", group="take2-shop-Group", status="InProgress")
    world.happens(3, "deployment", deployment="d-2", group="shop-Group", status="InProgress")
    world.happens(4, "hook_called", deployment="d-1", event="BeforeAllowTraffic")
    world.happens(5, "hook_called", deployment="d-2", event="BeforeAllowTraffic")
    world.happens(6, "alarm", alarm="bluegreen-shop-verdict", new="ALARM")
    world.look(7)
    assert world.watch.alarms_on == {"bluegreen-shop-verdict"}
    assert [event["at"] for event in world.watch.seen] == [3, 5, 6]
    called = world.watch.last("hook_called", event="BeforeAllowTraffic")
    assert called is not None
    assert called["deployment"] == "d-2"
    assert world.watch.last("hook_called", event="AfterAllowTraffic") is None


def test_a_weight_counts_when_all_locations_have_it() -> None:
    world = World()
    world.status = status(BAD, 1000)
    world.look(1)
    assert world.watch.weight_everywhere(BAD) == 1000
    world.status["locations"]["us-east-1"] = status(None, 0)["locations"]["us-east-1"]
    world.look(2)
    assert world.watch.weight_everywhere(BAD) is None
