"""A site deployed by the real CDK command to the local cloud."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CDK = ROOT / "node_modules" / ".bin" / "cdk"
TIME_SCALE = 120.0


@dataclass
class Site:
    """The site `shop` on one local cloud.

    Attributes:
        environment: Of processes that take the local cloud for AWS.
        folder: For everything that is written.
        cloud: The local cloud.
        edge: CloudFront in front of it.
    """

    environment: dict[str, str]
    folder: Path
    cloud: Any
    edge: Any

    def cdk(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(CDK), *arguments],
            cwd=self.folder,
            env=self.environment | {"CDK_VALIDATION": "false"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def deploy(self, *context: str, stacks: str = "shop") -> subprocess.CompletedProcess[str]:
        """`cdk deploy` with context; only the user's stack after the first time, for the others do not change."""
        options = ["--require-approval=never", "--method=direct", "--no-notices", "--progress=events"]
        pairs = [part for value in ("site=shop", "regions=us-east-1", *context) for part in ("-c", value)]
        app = ["--app", f"{sys.executable} {ROOT / 'app.py'}"]
        return self.cdk("deploy", stacks, *([] if stacks == "--all" else ["--exclusively"]), *options, *app, *pairs)

    def client(self, service: str) -> Any:
        import boto3

        return boto3.Session(
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name="us-east-1",
        ).client(service, endpoint_url=self.environment["AWS_ENDPOINT_URL"])

    def release_function(self) -> str:
        name: str = self.client("ssm").get_parameter(Name="/bluegreen/shop/alias")["Parameter"]["Value"]
        return name.split(":")[0]

    def live(self) -> tuple[str, dict[str, float]]:
        """The build that the alias points to, and the weights beside it."""
        function, aws = self.release_function(), self.client("lambda")
        alias = aws.get_alias(FunctionName=function, Name="live")
        version = aws.get_function_configuration(FunctionName=function, Qualifier=alias["FunctionVersion"])
        weights: dict[str, float] = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        return version["Environment"]["Variables"]["BUILD_ID"], weights

    def deployments(self) -> list[str]:
        """The status of every deployment so far."""
        codedeploy = self.client("codedeploy")
        (application,) = codedeploy.list_applications()["applications"]
        (group,) = codedeploy.list_deployment_groups(applicationName=application)["deploymentGroups"]
        ids = codedeploy.list_deployments(applicationName=application, deploymentGroupName=group)["deployments"]
        infos = [codedeploy.get_deployment(deploymentId=id_)["deploymentInfo"] for id_ in ids]
        return [info["status"] for info in sorted(infos, key=lambda info: info["createTime"])]

    def stop_once_shifting(self) -> None:
        """Stop the deployment, with rollback, as soon as it has shifted anything."""
        codedeploy = self.client("codedeploy")
        end = time.monotonic() + 400
        while time.monotonic() < end:
            if self.live()[1]:
                (application,) = codedeploy.list_applications()["applications"]
                (group,) = codedeploy.list_deployment_groups(applicationName=application)["deploymentGroups"]
                (running,) = codedeploy.list_deployments(
                    applicationName=application, deploymentGroupName=group, includeOnlyStatuses=["InProgress"]
                )["deployments"]
                codedeploy.stop_deployment(deploymentId=running, autoRollbackEnabled=True)
                return
            time.sleep(0.1)
