"""The public tools that `bench_publish` measures itself against, and how each is told to do the same work."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bucket_deployment import handler_source

BOTO3_THREADS = 16
_RCLONE = ["--transfers", "64", "--checkers", "32", "--s3-no-check-bucket", "--s3-no-head", "--log-level", "ERROR"]


@dataclass(frozen=True)
class Peer:
    """A tool.

    Attributes:
        name: What the table calls it.
        copy: Puts a whole tree under a prefix: command from tree, bucket and prefix.
        sync: Makes a prefix like the tree, judging by size only; None if the tool cannot.
        prepare: What has to be done before, and is not measured: command from tree and bucket. Default: nothing.
    """

    name: str
    copy: Callable[[Path, str, str], list[str]]
    sync: Callable[[Path, str, str], list[str]] | None = None
    prepare: Callable[[Path, str], list[str]] | None = None


def find_peers(folder: Path) -> list[Peer]:
    """The tools that are installed, in the folder of the benchmark's own environment or on the path."""

    def command(name: str) -> str | None:
        own = folder / "bin" / name
        return str(own) if own.exists() else shutil.which(name)

    peers = [
        Peer(
            f"boto3, {BOTO3_THREADS} threads",
            lambda tree, bucket, to: [sys.executable, __file__, str(tree), bucket, to],
        )
    ]
    if s5cmd := command("s5cmd"):
        peers.append(
            Peer(
                "s5cmd",
                lambda tree, bucket, to: [s5cmd, *_endpoint(), "cp", f"{tree}/", f"s3://{bucket}/{to}/"],
                lambda tree, bucket, to: [
                    s5cmd,
                    *_endpoint(),
                    "sync",
                    "--size-only",
                    f"{tree}/",
                    f"s3://{bucket}/{to}/",
                ],
            )
        )
    if rclone := command("rclone"):
        remote = ":s3,provider=Other,env_auth=true,endpoint='{}':"
        peers.append(
            Peer(
                "rclone, tuned",
                lambda tree, bucket, to: [
                    rclone, "copy", "--no-check-dest", *_RCLONE, str(tree),
                    remote.format(os.environ["AWS_ENDPOINT_URL"]) + f"{bucket}/{to}",
                ],
                lambda tree, bucket, to: [
                    rclone, "sync", "--size-only", *_RCLONE, str(tree),
                    remote.format(os.environ["AWS_ENDPOINT_URL"]) + f"{bucket}/{to}",
                ],
            )
        )  # fmt: skip
    if aws := command("aws"):
        peers.append(
            Peer(
                "aws s3 sync",
                lambda tree, bucket, to: [aws, "s3", "sync", "--only-show-errors", str(tree), f"s3://{bucket}/{to}/"],
                lambda tree, bucket, to: [
                    aws, "s3", "sync", "--only-show-errors", "--size-only", str(tree), f"s3://{bucket}/{to}/",
                ],
            )
        )  # fmt: skip
        if handler_source():
            script = [sys.executable, str(Path(__file__).with_name("bucket_deployment.py"))]
            peers.append(
                Peer(
                    "CDK's BucketDeployment",
                    lambda tree, bucket, to: [*script, "run", aws, bucket, to],
                    prepare=lambda tree, bucket: [*script, "put", str(tree), bucket],
                )
            )
    return peers


def _endpoint() -> list[str]:
    """s5cmd does not read the variable that the others do."""
    return ["--endpoint-url", os.environ["AWS_ENDPOINT_URL"]]


def versions(peers: list[Peer]) -> list[str]:
    """What each tool calls itself."""
    from importlib import metadata

    import boto3

    found = [f"boto3 {boto3.__version__}"]
    for peer in peers:
        if peer.name.startswith("boto3"):
            continue
        if peer.prepare:
            found.append(f"aws-cdk-lib {metadata.version('aws-cdk-lib')}")
            continue
        tool = peer.copy(Path(), "", "")[0]
        argument = "--version" if tool.endswith("aws") else "version"
        said = subprocess.run([tool, argument], capture_output=True, text=True).stdout.split("\n")[0]
        found.append(said if said.startswith(Path(tool).name) else f"{Path(tool).name} {said}")
    return found


def upload_with_boto3(tree: Path, bucket: str, prefix: str, environment: Mapping[str, str] = os.environ) -> None:
    """What one writes without a tool."""
    import boto3
    from botocore.config import Config

    s3: Any = boto3.client(
        "s3", endpoint_url=environment["AWS_ENDPOINT_URL"], config=Config(max_pool_connections=BOTO3_THREADS)
    )
    files = [path for path in tree.rglob("*") if path.is_file()]
    with ThreadPoolExecutor(BOTO3_THREADS) as pool:
        for _ in pool.map(
            lambda path: s3.put_object(Bucket=bucket, Key=f"{prefix}/{path.relative_to(tree)}", Body=path.read_bytes()),
            files,
        ):
            pass


if __name__ == "__main__":
    upload_with_boto3(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
