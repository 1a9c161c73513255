"""Cache, origin request and response headers policies, read from the API's form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bluegreen_cdn.local.edge.config import Raw, items

_KINDS: dict[str, Literal["none", "some", "all", "all_except"]] = {
    "none": "none",
    "whitelist": "some",
    "all": "all",
    "allviewer": "all",
    "allviewerandwhitelistcloudfront": "all",
    "allexcept": "all_except",
}


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Some of the headers, cookies or query strings of a request."""

    kind: Literal["none", "some", "all", "all_except"] = "none"
    names: frozenset[str] = frozenset()

    def takes(self, name: str) -> bool:
        """Whether one name is selected."""
        if self.kind == "some":
            return name in self.names
        if self.kind == "all_except":
            return name not in self.names
        return self.kind == "all"


NOTHING = Selection()


@dataclass(frozen=True, kw_only=True)
class CachePolicy:
    """What distinguishes cached answers, and for how long they live (seconds)."""

    min_ttl: float = 0
    default_ttl: float = 86_400
    max_ttl: float = 31_536_000
    headers: Selection = NOTHING
    cookies: Selection = NOTHING
    query: Selection = NOTHING
    gzip: bool = False
    brotli: bool = False

    @property
    def caches(self) -> bool:
        """False for policies like CachingDisabled."""
        return self.max_ttl > 0


@dataclass(frozen=True, kw_only=True)
class OriginRequestPolicy:
    """What the origin is sent besides the cache key."""

    headers: Selection = NOTHING
    cookies: Selection = NOTHING
    query: Selection = NOTHING


@dataclass(frozen=True, kw_only=True)
class ResponseHeadersPolicy:
    """Headers added to, and removed from, every answer of a behaviour: (name, value, override)."""

    set_headers: tuple[tuple[str, str, bool], ...] = ()
    remove: frozenset[str] = frozenset()
    cors_origins: tuple[str, ...] = ()
    cors_headers: tuple[tuple[str, str], ...] = ()
    cors_override: bool = False


def _selection(raw: Raw | None, behavior_key: str, names_key: str, *, lower: bool = False) -> Selection:
    raw = raw or {}
    kind = _KINDS[(raw.get(behavior_key) or "none").replace("-", "").lower()]
    names = items(raw, names_key)
    return Selection(kind=kind, names=frozenset(name.lower() for name in names) if lower else frozenset(names))


def read_cache_policy(config: Raw) -> CachePolicy:
    """Read `GetCachePolicy`'s `CachePolicyConfig`."""
    parameters = config.get("ParametersInCacheKeyAndForwardedToOrigin") or {}
    return CachePolicy(
        min_ttl=float(config.get("MinTTL") or 0),
        default_ttl=float(config["DefaultTTL"] if config.get("DefaultTTL") is not None else 86_400),
        max_ttl=float(config["MaxTTL"] if config.get("MaxTTL") is not None else 31_536_000),
        headers=_selection(parameters.get("HeadersConfig"), "HeaderBehavior", "Headers", lower=True),
        cookies=_selection(parameters.get("CookiesConfig"), "CookieBehavior", "Cookies"),
        query=_selection(parameters.get("QueryStringsConfig"), "QueryStringBehavior", "QueryStrings"),
        gzip=bool(parameters.get("EnableAcceptEncodingGzip")),
        brotli=bool(parameters.get("EnableAcceptEncodingBrotli")),
    )


def read_origin_request_policy(config: Raw) -> OriginRequestPolicy:
    """Read `GetOriginRequestPolicy`'s `OriginRequestPolicyConfig`."""
    return OriginRequestPolicy(
        headers=_selection(config.get("HeadersConfig"), "HeaderBehavior", "Headers", lower=True),
        cookies=_selection(config.get("CookiesConfig"), "CookieBehavior", "Cookies"),
        query=_selection(config.get("QueryStringsConfig"), "QueryStringBehavior", "QueryStrings"),
    )


def read_response_headers_policy(config: Raw) -> ResponseHeadersPolicy:
    """Read `GetResponseHeadersPolicy`'s `ResponseHeadersPolicyConfig`."""
    cors = config.get("CorsConfig") or {}
    origins = items(cors, "AccessControlAllowOrigins")
    return ResponseHeadersPolicy(
        set_headers=(*_security(config.get("SecurityHeadersConfig") or {}), *_custom(config)),
        remove=frozenset(item["Header"].lower() for item in items(config, "RemoveHeadersConfig")),
        cors_origins=tuple(origins),
        cors_headers=tuple(_cors(cors)),
        cors_override=bool(cors.get("OriginOverride")),
    )


def _custom(config: Raw) -> list[tuple[str, str, bool]]:
    headers = items(config, "CustomHeadersConfig")
    return [(item["Header"].lower(), item["Value"], bool(item.get("Override"))) for item in headers]


def _cors(cors: Raw) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for member, name in (
        ("AccessControlAllowHeaders", "access-control-allow-headers"),
        ("AccessControlAllowMethods", "access-control-allow-methods"),
        ("AccessControlExposeHeaders", "access-control-expose-headers"),
    ):
        values = items(cors, member)
        if values:
            found.append((name, ",".join(values)))
    if cors.get("AccessControlAllowCredentials"):
        found.append(("access-control-allow-credentials", "true"))
    if cors.get("AccessControlMaxAgeSec"):
        found.append(("access-control-max-age", str(cors["AccessControlMaxAgeSec"])))
    return found


def _security(raw: Raw) -> list[tuple[str, str, bool]]:
    found: list[tuple[str, str, bool]] = []
    if hsts := raw.get("StrictTransportSecurity"):
        value = f"max-age={hsts.get('AccessControlMaxAgeSec', 0)}"
        value += "; includeSubDomains" if hsts.get("IncludeSubdomains") else ""
        value += "; preload" if hsts.get("Preload") else ""
        found.append(("strict-transport-security", value, bool(hsts.get("Override"))))
    if options := raw.get("ContentTypeOptions"):
        found.append(("x-content-type-options", "nosniff", bool(options.get("Override"))))
    if frame := raw.get("FrameOptions"):
        found.append(("x-frame-options", frame["FrameOption"], bool(frame.get("Override"))))
    if referrer := raw.get("ReferrerPolicy"):
        found.append(("referrer-policy", referrer["ReferrerPolicy"], bool(referrer.get("Override"))))
    if csp := raw.get("ContentSecurityPolicy"):
        found.append(("content-security-policy", csp["ContentSecurityPolicy"], bool(csp.get("Override"))))
    if xss := raw.get("XSSProtection"):
        value = "1" if xss.get("Protection") else "0"
        value += "; mode=block" if xss.get("ModeBlock") else ""
        found.append(("x-xss-protection", value, bool(xss.get("Override"))))
    return found
