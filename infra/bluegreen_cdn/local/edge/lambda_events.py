"""Lambda@Edge's event objects at the origin triggers, and CloudFront's checks of what comes back."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bluegreen_cdn.local.edge.config import Distribution, Origin
from bluegreen_cdn.local.edge.functions.events import InvalidResult, is_forbidden
from bluegreen_cdn.local.edge.messages import (
    Headers,
    Request,
    Response,
    format_cookies,
    format_query,
    parse_cookies,
    parse_query,
)

Json = dict[str, Any]
AUTH_METHOD_WITH_ACCESS_CONTROL = "none"
"""What the event says of an origin with origin access control. Unconfirmed on AWS; nothing of ours reads it."""
GENERATED_BODY_MAXIMUM_BYTES = 1_048_576
_READ_ONLY = {
    "origin-request": frozenset(
        [
            "accept-encoding",
            "content-length",
            "if-modified-since",
            "if-none-match",
            "if-range",
            "if-unmodified-since",
            "transfer-encoding",
            "via",
        ]
    ),
    "origin-response": frozenset({"transfer-encoding", "via"}),
}


def origin_event(
    distribution: Distribution,
    event_type: str,
    request_id: str,
    request: Request,
    origin: Origin,
    response: Response | None = None,
) -> Json:
    """The event of an origin trigger."""
    headers = {name: values for name, values in request.headers.items() if not is_forbidden(name)}
    headers["host"] = request.headers.get("host", [origin.domain_name])
    if request.cookies:
        headers["cookie"] = [format_cookies(request.cookies)]
    cf: Json = {
        "config": {
            "distributionDomainName": distribution.domain_name,
            "distributionId": distribution.id,
            "eventType": event_type,
            "requestId": request_id,
        },
        "request": {
            "clientIp": request.client_ip,
            "headers": _listed(headers),
            "method": request.method,
            "querystring": format_query(request.query),
            "uri": request.uri,
            "origin": _origin_object(origin),
        },
    }
    if response is not None:
        seen = {name: values for name, values in response.headers.items() if not is_forbidden(name)}
        cf["response"] = {"status": str(response.status), "statusDescription": "", "headers": _listed(seen)}
    return {"Records": [{"cf": cf}]}


def is_response(value: Any) -> bool:
    """Whether an origin-request function answered itself."""
    return isinstance(value, Mapping) and "status" in value


def read_request(value: Any, before: Request, origin: Origin) -> tuple[Request, Origin]:
    """The request, and the origin, that an origin-request function returned.

    Raises:
        InvalidResult: when CloudFront would answer 502.
    """
    if not isinstance(value, Mapping):
        raise InvalidResult("the function returned neither a request nor a response")
    if (
        value.get("method", before.method) != before.method
        or value.get("clientIp", before.client_ip) != before.client_ip
    ):
        raise InvalidResult("request.method and request.clientIp are read-only")
    uri = value.get("uri")
    if not isinstance(uri, str) or not uri.startswith("/"):
        raise InvalidResult(f"request.uri is {uri!r}, not a path")
    given = {**before.headers, "host": before.headers.get("host", [origin.domain_name])}
    headers = _read_headers(value.get("headers") or {}, given, "origin-request")
    cookies = parse_cookies(headers.pop("cookie", []))
    if headers.get("host") == [origin.domain_name] and "host" not in before.headers:
        del headers["host"]
    query = parse_query(str(value.get("querystring") or ""))
    changed = Request(before.method, uri, query, headers, cookies, before.body, before.client_ip)
    return changed, _read_origin(value.get("origin"), origin)


def read_response(value: Any, before: Response | None, event_type: str) -> Response:
    """The response that a function returned.

    Raises:
        InvalidResult: when CloudFront would answer 502.
    """
    if not isinstance(value, Mapping) or not str(value.get("status", "")).isdigit():
        raise InvalidResult("the function did not return a response with a status")
    headers = _read_headers(value.get("headers") or {}, before.headers if before else {}, event_type)
    body = before.body if before else b""
    if "body" in value:
        body = _body(value)
    return Response(int(value["status"]), headers, body)


def _body(value: Mapping[str, Any]) -> bytes:
    text = value["body"]
    if not isinstance(text, str):
        raise InvalidResult("response.body is not a string")
    try:
        body = base64.b64decode(text, validate=True) if value.get("bodyEncoding") == "base64" else text.encode()
    except binascii.Error:
        raise InvalidResult("response.body is not base64") from None
    if len(body) > GENERATED_BODY_MAXIMUM_BYTES:
        raise InvalidResult(
            f"response.body has {len(body)} bytes; at most {GENERATED_BODY_MAXIMUM_BYTES} may be generated"
        )
    return body


def _listed(headers: Headers) -> Json:
    return {name: [{"key": name.title(), "value": value} for value in values] for name, values in headers.items()}


def _read_headers(value: Any, before: Headers, event_type: str) -> Headers:
    if not isinstance(value, Mapping):
        raise InvalidResult("headers is not an object")
    headers: Headers = {name: list(values) for name, values in before.items() if is_forbidden(name)}
    for name, listed in value.items():
        if name != name.lower():
            raise InvalidResult(f"header name {name!r} is not lower case")
        if is_forbidden(name):
            raise InvalidResult(f"header {name!r} may not be set by a function")
        if not isinstance(listed, list) or not all(isinstance(item, Mapping) for item in listed):
            raise InvalidResult(f"headers[{name!r}] is not a list of objects with key and value")
        found = [item.get("value") for item in listed]
        texts = [text for text in found if isinstance(text, str)]
        if len(texts) != len(found) or not texts:
            raise InvalidResult(f"headers[{name!r}] has a value that is not a string")
        if any(item.get("key", name).lower() != name for item in listed):
            raise InvalidResult(f"headers[{name!r}] holds another key")
        if name in _READ_ONLY[event_type] and texts != before.get(name):
            raise InvalidResult(f"header {name!r} is read-only in {event_type} functions")
        headers[name] = texts
    return headers


def _origin_object(origin: Origin) -> Json:
    custom = {name: [{"key": name.title(), "value": value}] for name, value in origin.custom_headers}
    if origin.bucket is not None:
        s3 = {"authMethod": AUTH_METHOD_WITH_ACCESS_CONTROL, "customHeaders": custom, "domainName": origin.domain_name}
        return {"s3": {**s3, "path": origin.path, "region": origin.region}}
    port = origin.http_port if origin.protocol == "http-only" else origin.https_port
    protocol = "http" if origin.protocol == "http-only" else "https"
    plain = {
        "customHeaders": custom,
        "domainName": origin.domain_name,
        "path": origin.path,
        "port": port,
        "protocol": protocol,
    }
    return {"custom": {**plain, "keepaliveTimeout": 5, "readTimeout": 30, "sslProtocols": ["TLSv1.2"]}}


def _read_origin(value: Any, origin: Origin) -> Origin:
    if not isinstance(value, Mapping):
        raise InvalidResult("request.origin is missing")
    kind = "s3" if origin.bucket is not None else "custom"
    found = value.get(kind)
    if not isinstance(found, Mapping):
        raise InvalidResult(f"request.origin is not an {kind} origin; changing its kind is not simulated")
    headers = tuple((name, listed[0]["value"]) for name, listed in (found.get("customHeaders") or {}).items())
    return replace(
        origin,
        domain_name=found.get("domainName", origin.domain_name),
        path=str(found.get("path", origin.path)).rstrip("/"),
        custom_headers=headers,
    )
