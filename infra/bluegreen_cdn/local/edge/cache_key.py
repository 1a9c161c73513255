"""What distinguishes cached answers, and what the origin gets to see."""

from __future__ import annotations

from bluegreen_cdn.local.edge.messages import Headers, Request
from bluegreen_cdn.local.edge.policies import CachePolicy, OriginRequestPolicy, Selection

CacheKey = tuple[object, ...]
_ALWAYS_FORWARDED = ("range", "if-range", "if-match", "if-unmodified-since")
_NEVER_FORWARDED = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
        "te",
        "trailer",
        "expect",
        "if-none-match",
        "if-modified-since",
        "accept-encoding",
        "content-length",
    }
)


def normalized_accept_encoding(value: str | None, policy: CachePolicy) -> str:
    """`br,gzip`, `br`, `gzip` or nothing: what CloudFront keeps of the viewer's `Accept-Encoding`."""
    if not value:
        return ""
    accepted = set()
    for part in value.lower().split(","):
        name, _, parameters = part.strip().partition(";")
        quality = parameters.replace(" ", "").removeprefix("q=")
        try:
            refused = bool(quality) and float(quality) == 0
        except ValueError:
            refused = False
        if not refused:
            accepted.add(name.strip())
    found = [name for name, on in (("br", policy.brotli), ("gzip", policy.gzip)) if on and name in accepted]
    return ",".join(found)


def cache_key(request: Request, policy: CachePolicy) -> CacheKey:
    """The key of a request, after the viewer-request function changed it."""
    headers = tuple(
        (name, tuple(request.headers.get(name, ())))
        for name in sorted(policy.headers.names)
        if name != "accept-encoding"
    )
    return (
        "OPTIONS" if request.method == "OPTIONS" else "GET",
        request.uri,
        headers,
        tuple(sorted(_selected(request.cookies, policy.cookies))),
        tuple(sorted(_selected(request.query, policy.query))),
        normalized_accept_encoding(request.header("accept-encoding"), policy),
    )


def origin_request(request: Request, policy: CachePolicy, extra: OriginRequestPolicy) -> Request:
    """The request that goes to the origin: what is in the cache key, and what the origin request policy adds."""
    headers: Headers = {}
    for name, values in request.headers.items():
        if name in _NEVER_FORWARDED:
            continue
        if name == "host" and not (extra.headers.takes("host") or policy.headers.takes("host")):
            continue
        if name in _ALWAYS_FORWARDED or policy.headers.takes(name) or extra.headers.takes(name):
            headers[name] = list(values)
    encoding = normalized_accept_encoding(request.header("accept-encoding"), policy)
    if encoding:
        headers["accept-encoding"] = [encoding]
    headers["user-agent"] = headers.get("user-agent", ["Amazon CloudFront"])
    cookies = [pair for pair in request.cookies if policy.cookies.takes(pair[0]) or extra.cookies.takes(pair[0])]
    query = [pair for pair in request.query if policy.query.takes(pair[0]) or extra.query.takes(pair[0])]
    return Request(request.method, request.uri, query, headers, cookies, request.body, request.client_ip)


def _selected(pairs: list[tuple[str, str]], selection: Selection) -> list[tuple[str, str]]:
    return [pair for pair in pairs if selection.takes(pair[0])]
