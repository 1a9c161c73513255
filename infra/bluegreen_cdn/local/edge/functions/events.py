"""CloudFront Functions' event objects: made from requests and responses, and read back with CloudFront's checks."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Any

from bluegreen_cdn.local.edge.messages import Headers, Request, Response

Json = dict[str, Any]
_FORBIDDEN = frozenset(
    [
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "trailer",
        "upgrade",
        "x-accel-buffering",
        "x-accel-charset",
        "x-accel-limit-rate",
        "x-accel-redirect",
        "x-cache",
        "x-forwarded-proto",
        "x-real-ip",
        "x-amzn-auth",
        "x-amzn-cf-billing",
        "x-amzn-cf-id",
        "x-amzn-cf-xff",
        "x-amzn-errortype",
        "x-amzn-fle-profile",
        "x-amzn-header-count",
        "x-amzn-header-order",
        "x-amzn-lambda-integration-tag",
        "x-amzn-requestid",
    ]
)
_FORBIDDEN_PREFIXES = ("x-amz-cf-", "x-edge-")
_READ_ONLY = {
    "viewer-request": frozenset({"content-length", "host", "transfer-encoding", "via"}),
    "viewer-response": frozenset({"content-encoding", "content-length", "transfer-encoding", "warning", "via"}),
}
_HEADER_NAME = re.compile(r"^[!#$%&'*+.^_`|~0-9a-z-]+$")


class InvalidResult(Exception):
    """What a function returned is not what CloudFront accepts; the viewer gets 502."""


def is_forbidden(name: str) -> bool:
    """Whether edge functions may not see or set a header."""
    return name in _FORBIDDEN or name.startswith(_FORBIDDEN_PREFIXES)


def _values(values: list[str]) -> Json:
    if len(values) == 1:
        return {"value": values[0]}
    return {"value": values[0], "multiValue": [{"value": value} for value in values]}


def _grouped(pairs: Iterable[tuple[str, str]]) -> Json:
    groups: dict[str, list[str]] = {}
    for name, value in pairs:
        groups.setdefault(name, []).append(value)
    return {name: _values(values) for name, values in groups.items()}


def request_object(request: Request) -> Json:
    """The `request` of an event."""
    return {
        "method": request.method,
        "uri": request.uri,
        "querystring": _grouped(request.query),
        "headers": {name: _values(values) for name, values in request.headers.items() if not is_forbidden(name)},
        "cookies": _grouped(request.cookies),
    }


def response_object(response: Response) -> Json:
    """The `response` of an event, with its `set-cookie` headers as cookies."""
    cookies: dict[str, list[Json]] = {}
    for line in response.headers.get("set-cookie", []):
        pair, _, attributes = line.partition(";")
        name, _, value = pair.partition("=")
        cookie = {"value": value.strip()}
        if attributes.strip():
            cookie["attributes"] = attributes.strip()
        cookies.setdefault(name.strip(), []).append(cookie)
    return {
        "statusCode": response.status,
        "statusDescription": "",
        "headers": {
            name: _values(values)
            for name, values in response.headers.items()
            if name != "set-cookie" and not is_forbidden(name)
        },
        "cookies": {
            name: {**found[0], **({"multiValue": found} if len(found) > 1 else {})} for name, found in cookies.items()
        },
    }


def is_response(value: Any) -> bool:
    """Whether a viewer-request function answered itself."""
    return isinstance(value, Mapping) and "statusCode" in value


def read_request(value: Any, before: Request) -> Request:
    """The request that a viewer-request function returned.

    Raises:
        InvalidResult: when CloudFront would answer 502.
    """
    if not isinstance(value, Mapping):
        raise InvalidResult("the function returned neither a request nor a response")
    if value.get("method", before.method) != before.method:
        raise InvalidResult("request.method is read-only")
    uri = value.get("uri")
    if not isinstance(uri, str) or not uri.startswith("/"):
        raise InvalidResult(f"request.uri is {uri!r}, not a path")
    headers = read_headers(value.get("headers") or {}, before.headers, "viewer-request")
    hidden = {name: values for name, values in before.headers.items() if is_forbidden(name)}
    query = _pairs(value.get("querystring") or {}, "querystring")
    cookies = _pairs(value.get("cookies") or {}, "cookies")
    return Request(before.method, uri, query, {**headers, **hidden}, cookies, before.body, before.client_ip)


def read_response(value: Any, before: Response | None, event_type: str) -> Response:
    """The response that a function returned.

    Raises:
        InvalidResult: when CloudFront would answer 502.
    """
    if not isinstance(value, Mapping):
        raise InvalidResult("the function did not return a response")
    status = value.get("statusCode")
    if not isinstance(status, int) or isinstance(status, bool) or not 100 <= status <= 599:
        raise InvalidResult(f"response.statusCode is {status!r}, not a status")
    old = before.headers if before else {}
    headers = read_headers(value.get("headers") or {}, old, event_type)
    headers.update({name: list(values) for name, values in old.items() if is_forbidden(name)})
    cookies = _set_cookies(value.get("cookies") or {})
    if cookies:
        headers["set-cookie"] = [*headers.get("set-cookie", []), *cookies]
    body = before.body if before else b""
    if "body" in value:
        body = _body(value["body"])
    return Response(status, headers, body)


def read_headers(value: Any, before: Headers, event_type: str) -> Headers:
    """The headers that a function returned, checked against those it was given."""
    headers: Headers = {}
    read_only = _READ_ONLY[event_type]
    for name, item in _mapping(value, "headers").items():
        if name != name.lower():
            raise InvalidResult(f"header name {name!r} is not lower case")
        if not _HEADER_NAME.match(name):
            raise InvalidResult(f"header name {name!r} is malformed")
        if is_forbidden(name):
            raise InvalidResult(f"header {name!r} may not be set by a function")
        found = _texts(item, f"headers[{name!r}]")
        if any("\n" in text or "\r" in text for text in found):
            raise InvalidResult(f"header {name!r} holds a line break")
        if name in read_only and found != before.get(name):
            raise InvalidResult(f"header {name!r} is read-only in {event_type} functions")
        headers[name] = found
    for name in read_only & before.keys():
        if name not in headers:
            raise InvalidResult(f"header {name!r} is read-only in {event_type} functions and was removed")
    return headers


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidResult(f"{what} is not an object")
    return value


def _texts(item: Any, what: str) -> list[str]:
    parts = item.get("multiValue") if isinstance(item, Mapping) else None
    parts = parts if parts else [item]
    if not isinstance(parts, list):
        raise InvalidResult(f"{what}.multiValue is not a list")
    found = []
    for part in parts:
        text = part.get("value") if isinstance(part, Mapping) else None
        if not isinstance(text, str):
            raise InvalidResult(f"{what} has no value that is a string: {part!r}")
        found.append(text)
    return found


def _pairs(value: Any, what: str) -> list[tuple[str, str]]:
    named = _mapping(value, what).items()
    return [(name, text) for name, item in named for text in _texts(item, f"{what}[{name!r}]")]


def _set_cookies(value: Any) -> list[str]:
    lines = []
    for name, item in _mapping(value, "cookies").items():
        texts = _texts(item, f"cookies[{name!r}]")
        parts = item.get("multiValue") or [item]
        for text, part in zip(texts, parts, strict=True):
            attributes = part.get("attributes")
            lines.append(f"{name}={text}; {attributes}" if attributes else f"{name}={text}")
    return lines


def _body(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, Mapping) and isinstance(value.get("data"), str):
        if value.get("encoding", "text") == "base64":
            try:
                return base64.b64decode(value["data"], validate=True)
            except binascii.Error:
                raise InvalidResult("response.body.data is not base64") from None
        return str(value["data"]).encode()
    raise InvalidResult("response.body is neither a string nor an object with data")
