"""CDK's BucketDeployment as a command: its Lambda handler, as aws-cdk-lib ships it, run on this machine.

The handler is not ours and is not changed. It fetches a zip file from a bucket, unpacks it and calls the AWS CLI, whose
path in Lambda is replaced by this machine's, as is the call that answers CloudFormation.

    python bucket_deployment.py put TREE BUCKET             what `cdk deploy` does before: the asset
    python bucket_deployment.py run AWS BUCKET TO           what the custom resource does
"""

import importlib.util
import os
import subprocess
import sys
import tarfile
import tempfile
import types
from pathlib import Path
from typing import Any

_HANDLER = "aws-s3-deployment/bucket-deployment-handler/index.py"
_ASSET = "asset.zip"


def handler_source() -> str | None:
    """The handler's code; None where aws-cdk-lib is not installed."""
    spec = importlib.util.find_spec("aws_cdk")
    for place in (spec and spec.submodule_search_locations) or ():
        for bundle in Path(place, "_jsii").glob("aws-cdk-lib@*.tgz"):
            with tarfile.open(bundle) as packed:
                for member in packed:
                    if member.name.endswith(_HANDLER) and (file := packed.extractfile(member)):
                        return file.read().decode()
    return None


def put(tree: Path, bucket: str) -> None:
    """Pack a tree and put it where the handler fetches it."""
    import shutil

    import boto3

    with tempfile.TemporaryDirectory() as name:
        packed = shutil.make_archive(str(Path(name, "asset")), "zip", tree)
        boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).upload_file(packed, bucket, _ASSET)


def run(aws: str, bucket: str, to: str) -> None:
    """Deploy what was put."""
    with tempfile.TemporaryDirectory(prefix="bucket-deployment-") as name:
        source = handler_source() or ""
        source = source.replace("/opt/awscli/aws", aws).replace("/tmp/aws_cli_config", str(Path(name, "config")))
        module = types.ModuleType("bucket_deployment_handler")
        answers: list[str] = []
        exec(compile(source, _HANDLER, "exec"), module.__dict__)
        silent = types.SimpleNamespace(
            check_call=lambda command: subprocess.check_call(command, stdout=subprocess.DEVNULL)
        )
        module.__dict__.update(subprocess=silent, cfn_send=lambda event, context, status, **_: answers.append(status))
        properties: dict[str, Any] = {
            "SourceBucketNames": [bucket],
            "SourceObjectKeys": [_ASSET],
            "DestinationBucketName": bucket,
            "DestinationBucketKeyPrefix": to,
        }
        module.__dict__["handler"]({"RequestType": "Create", "ResourceProperties": properties}, None)
        if answers != ["SUCCESS"]:
            raise SystemExit(f"the handler answered {answers}")


if __name__ == "__main__":
    if sys.argv[1] == "put":
        put(Path(sys.argv[2]), sys.argv[3])
    else:
        run(*sys.argv[2:])
