"""Whether a private bucket lets this distribution in: what origin access control needs of the bucket's policy."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from bluegreen_cdn.local.edge.config import Origin

Json = Mapping[str, Any]
SERVICE = "cloudfront.amazonaws.com"


def allows(policy: Json | None, *, action: str, resource: str, origin: Origin, distribution_arn: str) -> bool:
    """Whether a bucket policy allows an action to this distribution through this origin.

    Without origin access control only statements for everybody count. Conditions other than on `AWS:SourceArn` and
    `aws:SecureTransport` are taken as not met.
    """
    statements = _list((policy or {}).get("Statement"))
    relevant = [
        statement for statement in statements if _applies(statement, action, resource, origin, distribution_arn)
    ]
    return any(statement.get("Effect") == "Allow" for statement in relevant) and not any(
        statement.get("Effect") == "Deny" for statement in relevant
    )


def _applies(statement: Json, action: str, resource: str, origin: Origin, distribution_arn: str) -> bool:
    return (
        _principal_matches(statement.get("Principal"), origin)
        and any(fnmatchcase(action.lower(), pattern.lower()) for pattern in _list(statement.get("Action")))
        and any(fnmatchcase(resource, pattern) for pattern in _list(statement.get("Resource")))
        and _conditions_met(statement.get("Condition") or {}, distribution_arn)
    )


def _principal_matches(principal: Any, origin: Origin) -> bool:
    if principal == "*":
        return True
    if not isinstance(principal, Mapping):
        return False
    if "*" in _list(principal.get("AWS")):
        return True
    return origin.access_control_id is not None and SERVICE in _list(principal.get("Service"))


def _conditions_met(conditions: Json, distribution_arn: str) -> bool:
    for operator, tests in conditions.items():
        for name, wanted in tests.items():
            if operator == "Bool" and name.lower() == "aws:securetransport":
                # CloudFront fetches over TLS; what this machine does on loopback stands for that
                if str(wanted).lower() != "true":
                    return False
                continue
            if name.lower() != "aws:sourcearn":
                return False
            if operator in ("StringEquals", "ArnEquals") and distribution_arn in _list(wanted):
                continue
            if operator in ("StringLike", "ArnLike") and any(
                fnmatchcase(distribution_arn, item) for item in _list(wanted)
            ):
                continue
            return False
    return True


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
