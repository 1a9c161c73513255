import datetime
from typing import Any

import pytest

from bluegreen_cdn.aws.fakes import FakeReleases
from bluegreen_cdn.aws.release_records import CodeDeployRecords
from bluegreen_cdn.domain.observation import AliasTraffic, DeploymentStatus
from bluegreen_cdn.domain.status_releases import Schedule

ENDED = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)


class Stub:
    """CodeDeploy with some deployments."""

    def __init__(self, infos: list[dict[str, Any]], routing: dict[str, Any] | None = None) -> None:
        self.infos = {info["deploymentId"]: info for info in infos}
        self.routing = routing
        self.asked: list[int] = []

    def get_paginator(self, operation: str) -> "Stub":
        assert operation == "list_deployments"
        return self

    def paginate(self, **call: Any) -> list[dict[str, Any]]:
        assert call == {"applicationName": "app", "deploymentGroupName": "group"}, "no limit of time"
        return [{"deployments": [id_]} for id_ in self.infos]

    def batch_get_deployments(self, *, deploymentIds: list[str]) -> dict[str, Any]:  # noqa: N803
        self.asked.append(len(deploymentIds))
        return {"deploymentsInfo": [self.infos[id_] for id_ in deploymentIds]}

    def get_deployment_group(self, **call: Any) -> dict[str, Any]:
        return {"deploymentGroupInfo": {"deploymentConfigName": "config"}}

    def get_deployment_config(self, *, deploymentConfigName: str) -> dict[str, Any]:  # noqa: N803
        assert deploymentConfigName == "config"
        return {"deploymentConfigInfo": {"trafficRoutingConfig": self.routing}}


def info(number: int) -> dict[str, Any]:
    created = ENDED + datetime.timedelta(minutes=number)
    return {"deploymentId": f"d-{number}", "createTime": created, "completeTime": ENDED}


def records(stub: Stub, releases: FakeReleases) -> CodeDeployRecords:
    return CodeDeployRecords(application="app", group="group", releases=releases, codedeploy=stub)


def test_all_that_can_still_be_told_newest_first() -> None:
    releases = FakeReleases(traffic=AliasTraffic(primary="a"))
    for number in range(30):
        releases.begin("b", created=number)
        releases.end(DeploymentStatus.FAILED)
    infos = [info(number) for number in range(1, 31)]
    infos[-1]["errorInformation"] = {"code": "ALARM_ACTIVE", "message": " an alarm "}
    # One whose version of the release function is gone: it cannot be told in builds.
    stub = Stub([*infos, {"deploymentId": "d-99", "createTime": ENDED, "status": "Stopped"}])
    found = records(stub, releases).newest(100)
    assert [record.deployment.id for record in found] == [f"d-{number}" for number in range(30, 0, -1)] + ["d-99"]
    assert (found[-1].deployment.target, found[-1].deployment.status) == ("?", DeploymentStatus.STOPPED)
    assert (found[0].message, found[0].ended, found[1].message) == ("an alarm", ENDED.timestamp(), "")
    assert stub.asked == [25, 6]
    assert [record.deployment.id for record in records(stub, releases).newest(2)] == ["d-30", "d-29"]


@pytest.mark.parametrize(
    ("routing", "schedule"),
    [
        (
            {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 10, "canaryInterval": 5}},
            Schedule(step_basis_points=1000, interval_minutes=5),
        ),
        (
            {"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 20, "linearInterval": 1}},
            Schedule(step_basis_points=2000, interval_minutes=1, linear=True),
        ),
        ({"type": "AllAtOnce"}, Schedule(step_basis_points=10_000)),
        (None, None),
    ],
)
def test_the_rollout(routing: dict[str, Any] | None, schedule: Schedule | None) -> None:
    assert records(Stub([], routing), FakeReleases()).schedule() == schedule
