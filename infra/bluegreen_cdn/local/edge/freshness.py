"""For how long an answer may be used: CloudFront's rules for `Cache-Control`, `Expires` and the policy's three TTLs."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from bluegreen_cdn.local.edge.config import CustomError
from bluegreen_cdn.local.edge.messages import Headers
from bluegreen_cdn.local.edge.policies import CachePolicy

ERROR_TTL_SECONDS = 10.0
"""CloudFront's error caching minimum where the distribution sets none."""
ALWAYS_CACHED_ERRORS = frozenset({404, 414, 500, 501, 502, 503, 504})
FOREVER = float("inf")


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long an answer is fresh, and how long after that it may still help (seconds)."""

    fresh: float
    stale_while_revalidate: float = 0.0
    stale_if_error: float = FOREVER


def parse_cache_control(value: str | None) -> dict[str, str]:
    """The directives of a `Cache-Control` header, lower case, quotes removed."""
    directives: dict[str, str] = {}
    for part in (value or "").split(","):
        name, _, argument = part.strip().partition("=")
        if name:
            directives[name.lower()] = argument.strip().strip('"')
    return directives


def lifetime(headers: Headers, policy: CachePolicy, now: float) -> Lifetime:
    """The lifetime of a successful answer.

    `no-cache`, `no-store` and `private` give way to a minimum TTL above zero, as on CloudFront: this is how documents
    that browsers must revalidate live long at the edge.
    """
    directives = parse_cache_control(_joined(headers, "cache-control"))
    if directives.keys() & {"no-cache", "no-store", "private"}:
        return Lifetime(min(policy.min_ttl, policy.max_ttl) if policy.caches else 0.0)
    asked = _seconds(directives.get("s-maxage"))
    if asked is None:
        asked = _seconds(directives.get("max-age"))
    if asked is None:
        asked = _until_expiry(headers, now)
    fresh = (
        max(policy.default_ttl, policy.min_ttl) if asked is None else max(policy.min_ttl, min(asked, policy.max_ttl))
    )
    fresh = min(fresh, policy.max_ttl)
    while_revalidate = _seconds(directives.get("stale-while-revalidate")) or 0.0
    if_error = _seconds(directives.get("stale-if-error"))
    return Lifetime(
        fresh,
        stale_while_revalidate=min(while_revalidate, max(policy.max_ttl - fresh, 0.0)),
        stale_if_error=FOREVER if if_error is None else min(if_error, max(policy.max_ttl - fresh, 0.0)),
    )


def error_lifetime(status: int, headers: Headers, policy: CachePolicy, custom: CustomError | None) -> Lifetime:
    """The lifetime of an origin's error: the minimum for the statuses that are always cached, others only when told."""
    if not policy.caches:
        return Lifetime(0.0)
    minimum = custom.caching_min_ttl if custom else ERROR_TTL_SECONDS
    directives = parse_cache_control(_joined(headers, "cache-control"))
    asked = _seconds(directives.get("s-maxage"))
    if asked is None:
        asked = _seconds(directives.get("max-age"))
    if asked is not None and not directives.keys() & {"no-cache", "no-store", "private"}:
        return Lifetime(max(minimum, min(asked, policy.max_ttl)))
    if custom or status in ALWAYS_CACHED_ERRORS:
        return Lifetime(minimum)
    return Lifetime(0.0)


def _joined(headers: Headers, name: str) -> str | None:
    values = headers.get(name)
    return ", ".join(values) if values else None


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    # a digit that int() cannot read, such as ², is not a number in HTTP
    return float(text) if text.isascii() and text.isdigit() else None


def _until_expiry(headers: Headers, now: float) -> float | None:
    value = _joined(headers, "expires")
    if value is None:
        return None
    try:
        return max(parsedate_to_datetime(value).timestamp() - now, 0.0)
    except (TypeError, ValueError, OverflowError):
        return 0.0
