"""The environments of the local cloud's own process and of the processes that talk to it."""

from collections.abc import Mapping
from pathlib import Path

HOST = "127.0.0.1"
ACCOUNT = "111122223333"
"""Twelve digits as access key: ministack takes it for the account, and the CDK CLI, which remembers accounts by access
key across runs, never remembers a wrong one."""
REGION = "us-east-1"
SECRET = "local-cloud"  # noqa: S105  checked by nobody
TIME_SCALE_VARIABLE = "BLUEGREEN_TIME_SCALE"
EDGE_ENDPOINT_VARIABLE = "BLUEGREEN_EDGE_ENDPOINT"
"""Where functions reach distributions by their own names; `edge_door` sends them on."""
_DROPPED_PREFIXES = ("AWS_", "CDK_", "LOCALSTACK_", "MINISTACK_", "LAMBDA_")
_DROPPED = frozenset(
    {
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "SERVICES",
        "PERSIST_STATE",
        "AUTH",
        "USE_SSL",
        "EDGE_PORT",
        "GATEWAY_PORT",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "DOCKER_HOST",
    }
)


def client_environment(base: Mapping[str, str], endpoint: str, time_scale: float) -> dict[str, str]:
    """Give a whole environment for a process that uses the local cloud as if it were AWS.

    Args:
        base: The environment to start from; its AWS variables, profile included, are left out.
        endpoint: The local cloud's URL.
        time_scale: Handed on as `BLUEGREEN_TIME_SCALE`.
    """
    environment = {name: value for name, value in base.items() if not name.startswith(("AWS_", "CDK_DEFAULT_"))}
    environment.update(
        {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "CDK_DEFAULT_ACCOUNT": ACCOUNT,
            "CDK_DEFAULT_REGION": REGION,
            "CDK_DISABLE_LEGACY_EXPORT_WARNING": "1",
            TIME_SCALE_VARIABLE: f"{time_scale:g}",
            "NO_PROXY": f"{HOST},localhost,.localhost",
            "no_proxy": f"{HOST},localhost,.localhost",
        }
    )
    return environment


def server_environment(base: Mapping[str, str], state_dir: Path, port: int, time_scale: float) -> dict[str, str]:
    """Give the environment of the local cloud's process, which every Lambda inherits."""
    environment = {
        name: value for name, value in base.items() if not name.startswith(_DROPPED_PREFIXES) and name not in _DROPPED
    }
    folder = state_dir.absolute() / "cloud"
    environment.update(
        {
            "GATEWAY_PORT": str(port),
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "STATE_DIR": str(folder / "state"),
            "S3_DATA_DIR": str(folder / "s3"),
            "TMPDIR": str(folder / "tmp"),
            "LAMBDA_EXECUTOR": "local",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": base.get("BLUEGREEN_LOCAL_LOG", "WARNING"),
            "AWS_ENDPOINT_URL": f"http://{HOST}:{port}",
            EDGE_ENDPOINT_VARIABLE: f"http://{HOST}:{port}",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            TIME_SCALE_VARIABLE: f"{time_scale:g}",
            "NO_PROXY": f"{HOST},localhost,.localhost",
            "no_proxy": f"{HOST},localhost,.localhost",
        }
    )
    return environment
