"""A custom resource whose function crashes fails at once.

On AWS nobody answers for it, and the stack hangs for an hour; a rehearsal that hangs helps nobody.
"""

from collections.abc import Mapping
from typing import Any

from bluegreen_cdn.local.cloud.seams import require


class CustomResourceFailures:
    """Answers in the place of a function that ended without doing so."""

    def __init__(self, custom_resource: Any) -> None:
        require(custom_resource, "_pending", "deliver_response")
        self._custom_resource = custom_resource

    def notice(self, event: Any, result: Any) -> None:
        """Look at an invocation that has ended."""
        if not isinstance(event, Mapping) or "ResponseURL" not in event or not isinstance(result, Mapping):
            return
        token = str(event["ResponseURL"]).rpartition("/")[2]
        waiting = self._custom_resource._pending.get(token)
        if not result.get("error") or waiting is None or waiting["result"] is not None:
            return
        body = result.get("body")
        said = body.get("errorMessage") if isinstance(body, Mapping) else body
        self._custom_resource.deliver_response(
            token, {"Status": "FAILED", "Reason": f"the function ended without an answer: {said}"}
        )
