"""Whether a bucket or a function lets this distribution in: what origin access control needs of their policies."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

Json = Mapping[str, Any]
SERVICE = "cloudfront.amazonaws.com"


def request_context(distribution_arn: str) -> dict[str, str]:
    """The condition keys of CloudFront's signed requests, lower case.

    CloudFront fetches over TLS; what this machine does on loopback stands for that.
    """
    return {
        "aws:sourcearn": distribution_arn,
        "aws:sourceaccount": distribution_arn.split(":")[4],
        "aws:securetransport": "true",
    }


def allows(policy: Json | None, *, action: str, resource: str, signed: bool, context: Mapping[str, str]) -> bool:
    """Whether a resource policy allows CloudFront an action.

    Args:
        policy: The policy document, or None where there is none.
        action: Such as `s3:GetObject`.
        resource: The ARN of what is asked for.
        signed: Whether the origin has origin access control; else only statements for everybody count.
        context: Condition keys and their values. A condition on any other key is taken as not met.
    """
    statements = _list((policy or {}).get("Statement"))
    relevant = [each for each in statements if _applies(each, action, resource, signed, context)]
    effects = {each.get("Effect") for each in relevant}
    return "Allow" in effects and "Deny" not in effects


def _applies(statement: Json, action: str, resource: str, signed: bool, context: Mapping[str, str]) -> bool:
    return (
        _principal_matches(statement.get("Principal"), signed)
        and any(fnmatchcase(action.lower(), pattern.lower()) for pattern in _list(statement.get("Action")))
        and any(fnmatchcase(resource, pattern) for pattern in _list(statement.get("Resource")))
        and _conditions_met(statement.get("Condition") or {}, context)
    )


def _principal_matches(principal: Any, signed: bool) -> bool:
    if principal == "*":
        return True
    if not isinstance(principal, Mapping):
        return False
    return "*" in _list(principal.get("AWS")) or (signed and SERVICE in _list(principal.get("Service")))


def _conditions_met(conditions: Json, context: Mapping[str, str]) -> bool:
    return all(
        _condition_met(operator, context.get(name.lower()), [str(value) for value in _list(wanted)])
        for operator, tests in conditions.items()
        for name, wanted in tests.items()
    )


def _condition_met(operator: str, value: str | None, wanted: list[str]) -> bool:
    if value is None:
        return False
    if operator in ("StringEquals", "ArnEquals"):
        return value in wanted
    if operator in ("StringLike", "ArnLike"):
        return any(fnmatchcase(value, pattern) for pattern in wanted)
    if operator == "Bool":
        return value.lower() in (each.lower() for each in wanted)
    return False


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
