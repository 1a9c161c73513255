"""What this distribution may ask of its origins, by the policies that they have at present."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from bluegreen_cdn.local.edge.access import allows, request_context
from bluegreen_cdn.local.edge.cloud import CloudUnavailable, CloudView, OriginUnreachable
from bluegreen_cdn.local.edge.config import Origin

POLICY_SECONDS = 5.0
"""For how long a policy that was read is believed."""
FUNCTION_URL = ".lambda-url."

T = TypeVar("T")


class Gates:
    """Reads policies, and remembers them for a moment; safe to share between threads."""

    def __init__(self, cloud: CloudView) -> None:
        self._cloud = cloud
        self._known: dict[str, tuple[float, object]] = {}
        self._reading: dict[str, threading.Lock] = {}

    def may_read(self, origin: Origin, key: str, distribution_arn: str) -> bool:
        """Whether the bucket's policy lets the distribution read a key."""
        return self._bucket_allows(origin, "s3:GetObject", f"arn:aws:s3:::{origin.bucket}/{key}", distribution_arn)

    def may_list(self, origin: Origin, distribution_arn: str) -> bool:
        """Whether the bucket's policy lets the distribution list it, and so learn that a key is missing."""
        return self._bucket_allows(origin, "s3:ListBucket", f"arn:aws:s3:::{origin.bucket}", distribution_arn)

    def _bucket_allows(self, origin: Origin, action: str, resource: str, distribution_arn: str) -> bool:
        bucket, region = origin.bucket or "", origin.region or ""
        policy = self._remembered(bucket, lambda: self._cloud.bucket_policy(bucket, region))
        signed = origin.access_control_id is not None
        return allows(
            policy, action=action, resource=resource, signed=signed, context=request_context(distribution_arn)
        )

    def may_invoke(self, origin: Origin, distribution_arn: str) -> bool:
        """Whether a function URL lets the distribution in; both permissions are needed. Other servers always do."""
        if FUNCTION_URL not in origin.domain_name:
            return True
        url = self._remembered(origin.domain_name, lambda: self._cloud.function_url(origin.domain_name))
        if url is None:
            return False
        if url.auth_type == "NONE":
            return True
        context = {
            **request_context(distribution_arn),
            "lambda:functionurlauthtype": url.auth_type,
            "lambda:invokedviafunctionurl": "true",
        }
        return origin.access_control_id is not None and all(
            allows(url.policy, action=action, resource=url.function_arn, signed=True, context=context)
            for action in ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")
        )

    def _remembered(self, name: str, read: Callable[[], T]) -> T:
        known = self._known.get(name)
        if known is not None and time.monotonic() - known[0] < POLICY_SECONDS:
            return known[1]  # type: ignore[return-value]
        # One thread reads; the others go on with what was known, and wait only where nothing was.
        lock = self._reading.setdefault(name, threading.Lock())
        if not lock.acquire(blocking=known is None):
            return known[1]  # type: ignore[index,return-value]
        try:
            if known is None and name in self._known:
                return self._known[name][1]  # type: ignore[return-value]
            found = read()
            self._known[name] = (time.monotonic(), found)
        except CloudUnavailable as error:
            raise OriginUnreachable(str(error)) from None
        finally:
            lock.release()
        return found
