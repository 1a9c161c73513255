"""What CloudFront adds to an answer: response headers policies and its own headers."""

from __future__ import annotations

from bluegreen_cdn.local.edge.messages import Request, Response
from bluegreen_cdn.local.edge.policies import ResponseHeadersPolicy


def apply_policy(response: Response, policy: ResponseHeadersPolicy, request: Request) -> None:
    """Change the headers of an answer as a response headers policy says."""
    for name in policy.remove:
        response.headers.pop(name, None)
    for name, value, override in policy.set_headers:
        if override or name not in response.headers:
            response.headers[name] = [value]
    origin = request.header("origin")
    if not policy.cors_origins or origin is None:
        return
    if "*" in policy.cors_origins:
        allowed = "*"
    elif origin in policy.cors_origins:
        allowed = origin
    else:
        return
    for name, value in (("access-control-allow-origin", allowed), *policy.cors_headers):
        if policy.cors_override or name not in response.headers:
            response.headers[name] = [value]
