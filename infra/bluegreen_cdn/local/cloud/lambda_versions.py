"""Publishing an unchanged function again fails, as on CloudFormation: by content, not by revision."""

from collections.abc import Mapping
from typing import Any

from bluegreen_cdn.local.cloud.seams import require

NOT_COMPARED = frozenset(
    {
        "Version",
        "FunctionArn",
        "RevisionId",
        "LastModified",
        "Description",
        "State",
        "StateReason",
        "StateReasonCode",
        "LastUpdateStatus",
        "LastUpdateStatusReason",
        "LastUpdateStatusReasonCode",
        "MasterArn",
    }
)


def same_content(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two configurations have the same code and settings."""
    return _compared(one) == _compared(other)


def _compared(configuration: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in configuration.items() if key not in NOT_COMPARED}


def install(provisioners: Any) -> None:
    """Refuse a version resource whose function has not changed since its last version.

    ministack compares revisions, so a function that was changed and changed back would get a second version of the
    same content, which AWS refuses.
    """
    require(provisioners, "_RESOURCE_HANDLERS", "_lambda_version_function")
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Version"]
    original = handlers["create"]

    def create(logical_id: str, props: Mapping[str, Any], stack_name: str) -> Any:
        function, _ = provisioners._lambda_version_function(props)
        latest = max((function or {}).get("versions", {}), key=int, default=None)
        if latest and same_content(function["versions"][latest]["config"], function["config"]):
            raise ValueError(
                f"A version for this Lambda function exists ( {latest} ). Modify the function to create a new version."
            )
        return original(logical_id, props, stack_name)

    handlers["create"] = create
