"""What rehearsals play on: the local cloud, the CDK CLI, the command line, and a clock that all of them share."""

import asyncio
import contextlib
import json
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from bluegreen_cdn.errors import LocalCloudError, RehearsalError
from bluegreen_cdn.local.cloud import LocalCloud
from bluegreen_cdn.local.cloud.launcher import running_instance
from bluegreen_cdn.local.rehearsal.cdk_cli import CdkCli, checkout_folder, find_app, find_cdk
from bluegreen_cdn.local.rehearsal.commands import Commands
from bluegreen_cdn.local.rehearsal.options import REGIONS, RehearsalOptions

_KEY_VALUE_STORE = "cloudfront-keyvaluestore"


class Stopwatch:
    """Seconds since the rehearsal began."""

    def __init__(self) -> None:
        self._began, self._began_wall = time.monotonic(), time.time()

    def now(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def from_wall(self, seconds: float) -> float:
        """Turn seconds since 1970 into seconds since the beginning."""
        return seconds - self._began_wall


class Stage:
    """Sets the stage and clears it.

    Args:
        options: The rehearsal's choices.
        work: Folder for state, assemblies and logs.
    """

    def __init__(self, options: RehearsalOptions, work: Path) -> None:
        self.work = work
        self.time_scale = options.time_scale
        running = running_instance(work / "cloud")
        if running is not None:
            raise RehearsalError(
                f"another rehearsal (process {running['pid']}) uses {options.output}: "
                "wait for it or stop it, or choose another folder with --output"
            )
        checkout = checkout_folder()
        self._executable = find_cdk(checkout)
        self._app, self._folder = find_app(checkout)
        self.cloud = LocalCloud(work / "cloud", time_scale=options.time_scale)
        self._cdk: CdkCli | None = None
        self._commands: Commands | None = None
        self._clients: dict[tuple[str, str], Any] = {}

    async def start_cloud(self) -> None:
        """Start the local cloud, without anything of an earlier rehearsal."""
        for remains in self.work.glob("*"):
            if remains.name in ("cloud", "logs") or remains.name.startswith(("edge", "cdk.out.")):
                shutil.rmtree(remains, ignore_errors=True)
        await asyncio.to_thread(self.cloud.start)
        environment, logs = self.cloud.environment(), self.work / "logs"
        self._cdk = CdkCli(
            executable=self._executable, app=self._app, folder=self._folder, environment=environment, logs=logs
        )
        self._commands = Commands(environment, logs)

    async def bootstrap(self) -> None:
        """Run `cdk bootstrap` for every region."""
        await self.cdk.bootstrap(self.cdk.environment["CDK_DEFAULT_ACCOUNT"], REGIONS)

    async def clear(self) -> None:
        """Stop everything."""
        with contextlib.suppress(OSError, LocalCloudError):
            events = await asyncio.to_thread(self.cloud.timeline)
            (self.work / "logs" / "timeline.json").write_text(json.dumps(events, indent=1))
        await asyncio.to_thread(self.cloud.stop)

    @contextlib.asynccontextmanager
    async def fault(self, kind: str, **where: Any) -> AsyncIterator[None]:
        """Let something go wrong in the cloud until the block ends; see `LocalCloud.fault`."""
        fault = await asyncio.to_thread(self.cloud.fault, kind, **where)
        try:
            yield
        finally:
            await asyncio.to_thread(self.cloud.mend, fault)

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """Give an SDK client of the local cloud, as somebody with the console or the AWS CLI has one."""
        if (service, region) not in self._clients:
            import boto3

            environment = self.cdk.environment
            self._clients[service, region] = boto3.client(
                service,
                region_name=region,
                endpoint_url=self.cloud.endpoint,
                aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            )
        return self._clients[service, region]

    def key_value(self, arn: str, key: str) -> str:
        """Read a value of a KeyValueStore, whose SDK client puts the account before the host: here that is none."""
        if (_KEY_VALUE_STORE, "") not in self._clients:
            made = self._clients[_KEY_VALUE_STORE, ""] = self.client(_KEY_VALUE_STORE)
            account = f"{self.cdk.environment['CDK_DEFAULT_ACCOUNT']}."

            def strip(request: Any, **_: Any) -> None:
                request.url = request.url.replace(f"//{account}", "//", 1)

            made.meta.events.register("before-sign", strip)
        return str(self._clients[_KEY_VALUE_STORE, ""].get_key(KvsARN=arn, Key=key)["Value"])

    @property
    def cdk(self) -> CdkCli:
        """The CDK CLI; there is one once the cloud runs."""
        if self._cdk is None:
            raise RuntimeError("the cloud has not been started")
        return self._cdk

    @property
    def commands(self) -> Commands:
        """The command `bluegreen`; there is one once the cloud runs."""
        if self._commands is None:
            raise RuntimeError("the cloud has not been started")
        return self._commands
