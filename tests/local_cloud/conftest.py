"""One local cloud for all contract tests: a minute of AWS takes half a second."""

import io
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen_cdn.local.cloud import LocalCloud

TIME_SCALE = 120.0


class Aws:
    """Clients and short cuts for one local cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        import boto3
        from botocore.config import Config

        environment = cloud.environment()
        self.cloud = cloud
        self._session = boto3.Session(
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            region_name=environment["AWS_REGION"],
        )
        self._config = Config(retries={"total_max_attempts": 1})
        self._clients: dict[tuple[str, str], Any] = {}
        self.account = environment["AWS_ACCESS_KEY_ID"]

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """Give a client, made once."""
        key = (service, region)
        if key not in self._clients:
            self._clients[key] = self._session.client(
                service, region_name=region, endpoint_url=self.cloud.endpoint, config=self._config
            )
        return self._clients[key]

    def function(self, name: str, source: str, **environment: str) -> None:
        """Create a Python function whose module is `index`."""
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="index.handler",
            Timeout=60,
            Role=f"arn:aws:iam::{self.account}:role/test",
            Code={"ZipFile": zipped(source)},
            Environment={"Variables": environment},
        )

    def deploy(self, stack: str, resources: dict[str, Any], *, wait: bool = True, **extra: Any) -> str:
        """Create or update a stack, and give its final status."""
        import json

        formation = self.client("cloudformation")
        body = json.dumps({"Resources": resources, **extra})
        known = [
            one["StackName"]
            for one in formation.list_stacks()["StackSummaries"]
            if one["StackStatus"] != "DELETE_COMPLETE"
        ]
        call = formation.update_stack if stack in known else formation.create_stack
        call(StackName=stack, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
        return self.settled(stack) if wait else ""

    def settled(self, stack: str) -> str:
        """Wait until a stack is at rest."""
        formation = self.client("cloudformation")

        def status() -> str:
            found: str = formation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
            return "" if found.endswith("IN_PROGRESS") else found

        return eventually(status, timeout=90)

    def failure_reasons(self, stack: str) -> str:
        """Give the reasons of a stack's failed events."""
        events = self.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
        return "\n".join(
            one.get("ResourceStatusReason", "") for one in events if one["ResourceStatus"].endswith("FAILED")
        )


def zipped(source: str) -> bytes:
    """Give a zip with one `index.py`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", source)
    return buffer.getvalue()


def eventually(read: Callable[[], Any], *, timeout: float = 45.0) -> Any:
    """Poll until `read` gives something true, and give that."""
    deadline = time.monotonic() + timeout
    while True:
        value = read()
        if value:
            return value
        assert time.monotonic() < deadline, f"still {value!r} after {timeout:g} s"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """A running local cloud with clients."""
    folder: Path = tmp_path_factory.mktemp("local-cloud")
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    with LocalCloud(folder, time_scale=TIME_SCALE) as cloud:
        yield Aws(cloud)
