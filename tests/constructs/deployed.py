"""A site deployed by the real CDK command to the local cloud."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CDK = ROOT / "node_modules" / ".bin" / "cdk"
TIME_SCALE = 120.0
COMMAND = "from bluegreen_cdn.cli.main import main; main()"
QUICKLY = "rollout=all-at-once:bake=0m"
IN_STEPS = "rollout=canary:10%:60m:bake=0m"


@dataclass
class Site:
    """The site `shop` on one local cloud.

    Attributes:
        environment: Of processes that take the local cloud for AWS.
        folder: For everything that is written.
        cloud: The local cloud.
        edge: CloudFront in front of it.
        regions: Where it has buckets. Default: in one region.
    """

    environment: dict[str, str]
    folder: Path
    cloud: Any
    edge: Any
    regions: tuple[str, ...] = ("us-east-1",)

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

    def deploy(
        self, *context: str, stacks: str = "shop", app_file: Path = ROOT / "app.py"
    ) -> subprocess.CompletedProcess[str]:
        """`cdk deploy` with context; only the user's stack after the first time, for the others do not change."""
        options = ["--require-approval=never", "--method=direct", "--no-notices", "--progress=events"]
        regions = f"regions={','.join(self.regions)}"
        pairs = [part for value in ("site=shop", regions, *context) for part in ("-c", value)]
        app = ["--app", f"{sys.executable} {app_file}"]
        return self.cdk("deploy", stacks, *([] if stacks == "--all" else ["--exclusively"]), *options, *app, *pairs)

    def command(self, *arguments: str, program: str = COMMAND) -> subprocess.CompletedProcess[str]:
        """The `bluegreen` command about the site."""
        return subprocess.run(
            [sys.executable, "-c", program, *arguments, "--site", "shop"],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def bluegreen(self, *arguments: str, code: int = 0, program: str = COMMAND) -> str:
        """What the command says, which must end with the code."""
        done = self.command(*arguments, program=program)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def bucket(self, region: str) -> str:
        return f"bluegreen-shop-{self.environment['CDK_DEFAULT_ACCOUNT']}-{region}"

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


def two_builds(new_folder: Callable[[str], Path]) -> dict[str, Path]:
    """The builds `one` and `two`."""
    made = {}
    for name, token in (("one", "B3x9aZ0q"), ("two", "C4y0bA1r")):
        folder = new_folder(name)
        (folder / "assets").mkdir()
        (folder / "assets" / f"index-{token}.js").write_text(f"console.log('{name}')")
        (folder / "index.html").write_text(f'<script type="module" src="/assets/index-{token}.js"></script>')
        made[name] = folder
    return made


@contextmanager
def deployed_site(folder: Path, builds: Mapping[str, Path], *, regions: tuple[str, ...]) -> Iterator[Site]:
    """The site after its first release, of build `one`."""
    from bluegreen_cdn.local.cloud import LocalCloud
    from bluegreen_cdn.local.edge import EdgeSimulator

    with (
        LocalCloud(folder / "cloud", time_scale=TIME_SCALE) as cloud,
        EdgeSimulator(cloud.endpoint, folder / "edge", propagation_seconds=0.2) as edge,
    ):
        cloud.connect_edge(edge.address)
        site = Site(cloud.environment(), folder, cloud, edge, regions)
        account = site.environment["CDK_DEFAULT_ACCOUNT"]
        booted = site.cdk("bootstrap", *(f"aws://{account}/{region}" for region in regions))
        assert booted.returncode == 0, booted.stderr
        first = site.deploy(f"build={builds['one']}", "build_id=one", IN_STEPS, stacks="--all")
        assert first.returncode == 0, first.stdout + first.stderr
        assert site.deployments() == [], "the first release has nobody to be compared with"
        edge.wait_until_serving()
        yield site
