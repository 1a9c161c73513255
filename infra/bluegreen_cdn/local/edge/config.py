"""A distribution's configuration, read from the API's form into frozen values.

Only what the simulator acts on is kept. A setting that it cannot honour is an error rather than a silence: a rehearsal
that passes because the simulator looked away would prove nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bluegreen_cdn.errors import LocalCloudError

Raw = Mapping[str, Any]
NUMBERED_VERSION = re.compile(r"^arn:aws[a-z-]*:lambda:us-east-1:\d{12}:function:[A-Za-z0-9_.-]+:\d+$")
FUNCTION_EVENTS = ("viewer-request", "viewer-response")
LAMBDA_EVENTS = ("origin-request", "origin-response")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where objects come from: an S3 bucket or an HTTP server."""

    id: str
    domain_name: str
    path: str = ""
    custom_headers: tuple[tuple[str, str], ...] = ()
    bucket: str | None = None
    region: str | None = None
    access_control_id: str | None = None
    protocol: str = "https-only"
    http_port: int = 80
    https_port: int = 443


@dataclass(frozen=True, kw_only=True)
class OriginGroup:
    """A primary and a secondary origin, and the statuses on which the second is asked."""

    id: str
    members: tuple[str, ...]
    failover_statuses: frozenset[int]


@dataclass(frozen=True, kw_only=True)
class Behavior:
    """How requests for one path pattern are treated."""

    pattern: str
    target: str
    viewer_protocol: str = "allow-all"
    methods: frozenset[str] = frozenset({"GET", "HEAD"})
    cached_methods: frozenset[str] = frozenset({"GET", "HEAD"})
    compress: bool = False
    functions: Mapping[str, str] = field(default_factory=dict)
    lambdas: Mapping[str, str] = field(default_factory=dict)
    cache_policy: str | None = None
    origin_request_policy: str | None = None
    response_headers_policy: str | None = None


@dataclass(frozen=True, kw_only=True)
class CustomError:
    """What to answer instead of an origin's error."""

    status: int
    page: str | None
    response_status: int | None
    caching_min_ttl: float


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """One distribution as the edge sees it."""

    id: str
    arn: str
    domain_name: str
    enabled: bool
    default_root_object: str
    behaviors: tuple[Behavior, ...]
    origins: Mapping[str, Origin]
    origin_groups: Mapping[str, OriginGroup]
    custom_errors: Mapping[int, CustomError]

    def function_arns(self) -> set[str]:
        """Every CloudFront Function that some behaviour runs."""
        return {arn for behavior in self.behaviors for arn in behavior.functions.values()}

    def lambda_arns(self) -> set[str]:
        """Every Lambda@Edge version that some behaviour runs."""
        return {arn for behavior in self.behaviors for arn in behavior.lambdas.values()}


def items(raw: Raw | None, *path: str) -> list[Any]:
    """The `Items` of a nested member of an API answer; absent members are empty."""
    value: Any = raw or {}
    for name in path:
        value = value.get(name) or {}
    found = value.get("Items") or []
    # CloudFront wraps lists twice in places: CachedMethods, CookieNames and so on.
    return list(found)


def read_distribution(*, id: str, arn: str, domain_name: str, config: Raw) -> Distribution:
    """Read `GetDistributionConfig`'s `DistributionConfig`.

    Raises:
        LocalCloudError: when CloudFront would have refused it, or the simulator cannot honour it.
    """
    origins = {origin.id: origin for origin in map(_origin, items(config, "Origins"))}
    groups = {group.id: group for group in map(_origin_group, items(config, "OriginGroups"))}
    restricted = ((config.get("Restrictions") or {}).get("GeoRestriction") or {}).get("RestrictionType", "none")
    if restricted != "none":
        raise LocalCloudError(f"the distribution restricts countries ({restricted}), which the simulator cannot honour")
    if config.get("WebACLId"):
        raise LocalCloudError(
            f"the distribution has the web ACL {config['WebACLId']}, which the simulator cannot honour: deploy to the "
            f"local cloud without it (beacon_rate_limit)"
        )
    behaviors = [_behavior(raw) for raw in items(config, "CacheBehaviors")]
    behaviors.append(_behavior({"PathPattern": "*", **config["DefaultCacheBehavior"]}))
    for behavior in behaviors:
        if behavior.target not in origins and behavior.target not in groups:
            known = ", ".join(sorted({*origins, *groups}))
            raise LocalCloudError(
                f"behaviour {behavior.pattern!r} targets origin {behavior.target!r}, not one of {known}"
            )
    for group in groups.values():
        for member in group.members:
            if member not in origins:
                raise LocalCloudError(f"origin group {group.id!r} has a member {member!r} that is no origin")
    errors = (_custom_error(raw) for raw in items(config, "CustomErrorResponses"))
    return Distribution(
        id=id,
        arn=arn,
        domain_name=domain_name,
        enabled=bool(config.get("Enabled", True)),
        default_root_object=config.get("DefaultRootObject") or "",
        behaviors=tuple(behaviors),
        origins=origins,
        origin_groups=groups,
        custom_errors={error.status: error for error in errors},
    )


_S3_HOST = re.compile(r"^(?P<bucket>.+?)\.s3(?:[.-](?P<region>[a-z]{2}(?:-[a-z]+)+-\d))?\.amazonaws\.com(?:\.cn)?$")


def _origin(raw: Raw) -> Origin:
    domain = raw["DomainName"]
    custom = raw.get("CustomOriginConfig") or {}
    s3 = None if custom else _S3_HOST.match(domain)
    headers = ((item["HeaderName"].lower(), item["HeaderValue"]) for item in items(raw, "CustomHeaders"))
    return Origin(
        id=raw["Id"],
        domain_name=domain,
        path=(raw.get("OriginPath") or "").rstrip("/"),
        custom_headers=tuple(headers),
        bucket=s3["bucket"] if s3 else None,
        region=(s3["region"] or "us-east-1") if s3 else None,
        access_control_id=raw.get("OriginAccessControlId") or None,
        protocol=custom.get("OriginProtocolPolicy") or "https-only",
        http_port=int(custom.get("HTTPPort") or 80),
        https_port=int(custom.get("HTTPSPort") or 443),
    )


def _origin_group(raw: Raw) -> OriginGroup:
    return OriginGroup(
        id=raw["Id"],
        members=tuple(member["OriginId"] for member in items(raw, "Members")),
        failover_statuses=frozenset(int(code) for code in items(raw, "FailoverCriteria", "StatusCodes")),
    )


def _behavior(raw: Raw) -> Behavior:
    pattern = raw["PathPattern"]
    _check_honoured(pattern, raw)
    functions = {item["EventType"]: item["FunctionARN"] for item in items(raw, "FunctionAssociations")}
    lambdas = {item["EventType"]: item["LambdaFunctionARN"] for item in items(raw, "LambdaFunctionAssociations")}
    _check_events(pattern, "CloudFront Function", functions, FUNCTION_EVENTS)
    _check_events(pattern, "Lambda@Edge function", lambdas, LAMBDA_EVENTS)
    for arn in lambdas.values():
        if not NUMBERED_VERSION.match(arn):
            raise LocalCloudError(
                f"behaviour {pattern!r} names {arn!r}; Lambda@Edge takes a numbered version in us-east-1, no alias"
            )
    methods = items(raw, "AllowedMethods") or ["GET", "HEAD"]
    return Behavior(
        pattern=pattern,
        target=raw["TargetOriginId"],
        viewer_protocol=raw.get("ViewerProtocolPolicy") or "allow-all",
        methods=frozenset(methods),
        cached_methods=frozenset(items(raw, "AllowedMethods", "CachedMethods") or ["GET", "HEAD"]),
        compress=bool(raw.get("Compress")),
        functions=functions,
        lambdas=lambdas,
        cache_policy=raw.get("CachePolicyId") or None,
        origin_request_policy=raw.get("OriginRequestPolicyId") or None,
        response_headers_policy=raw.get("ResponseHeadersPolicyId") or None,
    )


def _check_honoured(pattern: str, raw: Raw) -> None:
    if raw.get("ForwardedValues"):
        raise LocalCloudError(f"behaviour {pattern!r} uses ForwardedValues; give it a cache policy")
    for name in ("TrustedSigners", "TrustedKeyGroups"):
        if (raw.get(name) or {}).get("Enabled"):
            raise LocalCloudError(f"behaviour {pattern!r} has {name}, which the edge simulator cannot honour")
    for name in ("SmoothStreaming", "FieldLevelEncryptionId"):
        if raw.get(name):
            raise LocalCloudError(f"behaviour {pattern!r} has {name}, which the edge simulator cannot honour")
    if any(item.get("IncludeBody") for item in items(raw, "LambdaFunctionAssociations")):
        raise LocalCloudError(f"behaviour {pattern!r} includes bodies in Lambda@Edge events, which is not simulated")


def _check_events(pattern: str, kind: str, events: Iterable[str], allowed: tuple[str, ...]) -> None:
    for event in events:
        if event not in allowed:
            raise LocalCloudError(
                f"behaviour {pattern!r} runs a {kind} at {event!r}; simulated are {', '.join(allowed)}"
            )


def _custom_error(raw: Raw) -> CustomError:
    status = raw.get("ResponseCode")
    return CustomError(
        status=int(raw["ErrorCode"]),
        page=raw.get("ResponsePagePath") or None,
        response_status=int(status) if status else None,
        caching_min_ttl=float(raw["ErrorCachingMinTTL"]) if raw.get("ErrorCachingMinTTL") is not None else 10.0,
    )
