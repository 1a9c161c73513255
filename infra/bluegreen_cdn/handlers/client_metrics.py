"""Function URL behind the distribution: takes the beacons of pages, and serves the script that sends them.

The edge has checked the beacon's token and says for which build and role it speaks; only counts come in from the page.
What goes on are metrics by site and role; no address, agent or path is read, let alone logged.
"""

import base64
import hashlib
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from bluegreen_cdn import defaults
from bluegreen_cdn.domain.builds import check_build_id
from bluegreen_cdn.domain.expressions import Role
from bluegreen_cdn.domain.verdict import ASSET_FAILURES, PAGE_LOADS, SCRIPT_ERRORS, SLOW_LOADS
from bluegreen_cdn.errors import InvalidInput
from bluegreen_cdn.handlers.journal import emit, log

BEACON_PATH = "/_bluegreen/beacon"
SCRIPTS = {"/_bluegreen/client.js": "client.js", "/_bluegreen/client.mjs": "client.mjs"}
_COUNTS = {
    "l": PAGE_LOADS,
    "e": SCRIPT_ERRORS,
    "a": ASSET_FAILURES,
    "s": SLOW_LOADS,
}

Response = dict[str, Any]


def handler(event: Mapping[str, Any], context: Any) -> Response:
    """Entry point; an event of a Lambda function URL."""
    return answer(event, site=_site())


def answer(event: Mapping[str, Any], *, site: str) -> Response:
    """Answer one request.

    Args:
        event: Of the function URL, payload format 2.0.
        site: The site's name, for the metrics.
    """
    method = event.get("requestContext", {}).get("http", {}).get("method", "GET")
    path = event.get("rawPath", "")
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    if method in ("GET", "HEAD") and path in SCRIPTS:
        return _script(SCRIPTS[path], headers, with_body=method == "GET")
    if method == "GET" and path == BEACON_PATH:
        return _beacon(event.get("queryStringParameters") or {}, headers, site)
    return {"statusCode": 404, "headers": {"cache-control": "no-store"}, "body": ""}


def _beacon(query: Mapping[str, str], headers: Mapping[str, str], site: str) -> Response:
    try:
        role = Role(headers.get(defaults.ROLE_HEADER, ""))
        build = check_build_id(headers.get(defaults.BUILD_HEADER, ""))
        counts = {metric: _count(query.get(name, "0")) for name, metric in _COUNTS.items()}
    except (ValueError, InvalidInput) as error:
        log("beacon dropped", why=type(error).__name__)  # the values are the sender's and stay out of the log
    else:
        # Zeros too, so that every metric has data wherever one has: an alarm need not guess.
        emit({"site": site, "role": role.value}, counts, build=build)
    return {"statusCode": 204, "headers": {"cache-control": "no-store"}}


def _count(text: str) -> int:
    most = defaults.BEACON_MAXIMUM_COUNT
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most))) or int(text) > most:
        raise ValueError("not a count")
    return int(text)


def _script(name: str, headers: Mapping[str, str], *, with_body: bool) -> Response:
    found = _read(name)
    if found is None:
        return {"statusCode": 404, "headers": {"cache-control": "no-store"}, "body": ""}
    body, etag = found
    answered = {
        "content-type": "text/javascript; charset=utf-8",
        "cache-control": f"public, max-age={defaults.CLIENT_SCRIPT_MAX_AGE_SECONDS}",
        "etag": etag,
        "access-control-allow-origin": "*",  # a module embedded in another site's page is fetched with CORS
        "x-content-type-options": "nosniff",
    }
    if etag in [known.strip().removeprefix("W/") for known in headers.get("if-none-match", "").split(",")]:
        return {"statusCode": 304, "headers": answered}
    text = base64.b64encode(body).decode() if with_body else ""
    return {"statusCode": 200, "headers": answered, "body": text, "isBase64Encoded": with_body}


@cache
def _read(name: str) -> tuple[bytes, str] | None:
    """A script and its ETag: from the bundle, or from the checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_edge_handler", package.parents[1] / "edge_handler"):
        if (folder / name).is_file():
            body = (folder / name).read_bytes()
            return body, f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    return None


def _site() -> str:
    site = os.environ.get("SITE", "")
    if not site:
        raise InvalidInput("environment variable SITE is not set; the site's stack sets it: deploy the stack again")
    return site
