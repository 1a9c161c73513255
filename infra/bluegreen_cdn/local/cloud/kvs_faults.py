"""A KeyValueStore data plane that fails or throttles its writers, in front of ministack's.

The edge does not read through it: what CloudFront has distributed stays readable whatever the data plane does. So the
edge simulator, which has no other way to learn what was written, says that it is the edge, and is spared.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from bluegreen_cdn.local.cloud.faults import Faults
from bluegreen_cdn.local.cloud.seams import replace
from bluegreen_cdn.local.cloud.timeline import Timeline

EDGE_HEADER = "x-bluegreen-sim-edge"
_PREFIX = "/key-value-stores/"
_ANSWERS = {
    "kvs-error": (500, "InternalServerException", "Internal server error"),
    "kvs-throttle": (429, "ThrottlingException", "Rate exceeded"),
}


def install(key_value_store: Any, faults: Faults, timeline: Timeline) -> None:
    """Make the data plane obey the faults `kvs-error` and `kvs-throttle`."""

    async def handle_request(method: str, path: str, headers: Mapping[str, str], *rest: Any, **named: Any) -> Any:
        name = store_name(path)
        if name and EDGE_HEADER not in headers and (kind := faults.of_store(name)):
            status, code, message = _ANSWERS[kind]
            timeline.record("kvs_refused", store=name, method=method, status=status)
            body = json.dumps({"__type": code, "Message": message}).encode()
            return status, {"Content-Type": "application/json", "x-amzn-errortype": code}, body
        return await original(method, path, headers, *rest, **named)

    original = replace(key_value_store, "handle_request", handle_request)


def store_name(path: str) -> str:
    """Give the name of the store that a request is about, empty when it is about none."""
    if not path.startswith(_PREFIX):
        return ""
    arn = unquote(path.removeprefix(_PREFIX)).partition("/keys")[0]
    return arn.rpartition("/")[2]
