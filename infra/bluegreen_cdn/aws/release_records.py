"""What CodeDeploy remembers of releases long ended, and the schedule of one that runs."""

import datetime
from typing import Any

from bluegreen_cdn.aws.ports import Releases
from bluegreen_cdn.aws.releases import is_rollback, status_of
from bluegreen_cdn.aws.session import client, translate_errors
from bluegreen_cdn.domain.observation import Deployment
from bluegreen_cdn.domain.status_releases import UNKNOWN_BUILD, DeploymentRecord, Schedule
from bluegreen_cdn.errors import ForeignState, NotFound

_PER_CALL = 25


class CodeDeployRecords:
    """All deployments of one group, and its rollout.

    Args:
        application: CodeDeploy application.
        group: Its deployment group.
        releases: Reads one deployment in builds.
        region: Where they are. Default: what the environment says.
        codedeploy: A client to use instead of a new one. Default: a new one.
    """

    def __init__(
        self,
        *,
        application: str,
        group: str,
        releases: Releases,
        region: str | None = None,
        codedeploy: Any | None = None,
    ) -> None:
        self._application, self._group, self._releases = application, group, releases
        self._codedeploy = codedeploy or client("codedeploy", region)

    def newest(self, count: int) -> tuple[DeploymentRecord, ...]:
        """The newest deployments, newest first.

        Args:
            count: How many to look at: each costs two calls or so.
        """
        with translate_errors("codedeploy", "ListDeployments", self._application):
            pages = self._codedeploy.get_paginator("list_deployments").paginate(
                applicationName=self._application, deploymentGroupName=self._group
            )
            ids = [deployment_id for page in pages for deployment_id in page.get("deployments", ())]
        infos: list[dict[str, Any]] = []
        for start in range(0, len(ids), _PER_CALL):
            with translate_errors("codedeploy", "BatchGetDeployments", self._application):
                answer = self._codedeploy.batch_get_deployments(deploymentIds=ids[start : start + _PER_CALL])
            infos += answer["deploymentsInfo"]
        # The order of the list is promised nowhere.
        infos.sort(key=lambda info: _epoch(info.get("createTime")) or 0.0, reverse=True)
        return tuple(self._record(info) for info in infos[:count])

    def schedule(self) -> Schedule | None:
        """The rollout of the group; None for a kind that is not known here."""
        with translate_errors("codedeploy", "GetDeploymentGroup", self._group):
            info = self._codedeploy.get_deployment_group(
                applicationName=self._application, deploymentGroupName=self._group
            )["deploymentGroupInfo"]
        name = info["deploymentConfigName"]
        with translate_errors("codedeploy", "GetDeploymentConfig", name):
            config = self._codedeploy.get_deployment_config(deploymentConfigName=name)["deploymentConfigInfo"]
        routing = config.get("trafficRoutingConfig") or {}
        canary, linear = routing.get("timeBasedCanary"), routing.get("timeBasedLinear")
        if canary:
            return Schedule(
                step_basis_points=canary["canaryPercentage"] * 100, interval_minutes=canary["canaryInterval"]
            )
        if linear:
            return Schedule(
                step_basis_points=linear["linearPercentage"] * 100,
                interval_minutes=linear["linearInterval"],
                linear=True,
            )
        return Schedule(step_basis_points=10_000) if routing.get("type") == "AllAtOnce" else None

    def _record(self, info: dict[str, Any]) -> DeploymentRecord:
        try:
            deployment = self._releases.deployment(info["deploymentId"])
        except (ForeignState, NotFound):
            # A failed release's version is removed with it, so nobody can tell its build from CodeDeploy.
            deployment = Deployment(
                id=info["deploymentId"],
                target=UNKNOWN_BUILD,
                previous=UNKNOWN_BUILD,
                status=status_of(info),
                is_rollback=is_rollback(info),
                created=_epoch(info.get("createTime")) or 0.0,
            )
        return DeploymentRecord(
            deployment=deployment,
            ended=_epoch(info.get("completeTime")),
            message=str((info.get("errorInformation") or {}).get("message", "")).strip(),
        )


def _epoch(moment: object) -> float | None:
    return moment.timestamp() if isinstance(moment, datetime.datetime) else None
