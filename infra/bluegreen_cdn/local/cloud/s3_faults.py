"""Slow and dead buckets, in front of S3."""

import asyncio
from typing import Any

from bluegreen_cdn.local.cloud.clock import ScaledClock
from bluegreen_cdn.local.cloud.faults import Faults
from bluegreen_cdn.local.cloud.seams import replace, require

_UNAVAILABLE = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>ServiceUnavailable</Code>'
    b"<Message>Service is unable to handle request.</Message></Error>"
)


def install(s3: Any, faults: Faults, clock: ScaledClock) -> None:
    """Make S3 requests obey the faults `slow` and `down`."""
    require(s3, "_buckets", "_parse_bucket_key")

    async def handle_request(method: str, path: str, headers: Any, *arguments: Any, **named: Any) -> Any:
        bucket, key = s3._parse_bucket_key(path, headers)[:2]
        region = str((s3._buckets.get(bucket) or {}).get("region") or "") if bucket else ""
        if bucket and faults.is_down(bucket, region):
            return 503, {"Content-Type": "application/xml"}, _UNAVAILABLE
        if bucket and (seconds := faults.slowness(bucket, region, str(key or ""))):
            await asyncio.sleep(clock.real_seconds(seconds))
        return await original(method, path, headers, *arguments, **named)

    original = replace(s3, "handle_request", handle_request)
