"""Answer CloudFormation for a custom resource that a Lambda function carries out.

CloudFormation waits up to an hour for an answer that nobody sends, so everything is answered: errors of ours with
their message, unknown ones with their type and message, and a function about to run out of time says so itself.
"""

import functools
import json
import logging
import threading
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bluegreen_cdn.defaults import (
    CUSTOM_RESOURCE_ANSWER_BYTES,
    CUSTOM_RESOURCE_MARGIN_SECONDS,
    CUSTOM_RESOURCE_SEND_SECONDS,
)
from bluegreen_cdn.errors import BlueGreenError, InvalidInput

_log = logging.getLogger(__name__)
_log.setLevel(logging.INFO)


@dataclass(frozen=True, kw_only=True)
class ResourceRequest:
    """What CloudFormation wants; it is a `Create` or an `Update`, because a `Delete` does nothing.

    Attributes:
        type: `Create` or `Update`.
        properties: The resource's properties. CloudFormation makes every scalar a string.
        old_properties: Those before an update. Default: none.
        physical_id: The resource's present id; None at a create.
        stack_id: The ARN of the stack.
    """

    type: str
    properties: Mapping[str, Any]
    old_properties: Mapping[str, Any] = field(default_factory=dict)
    physical_id: str | None = None
    stack_id: str = ""

    def text(self, name: str) -> str:
        """A property that must be there.

        Raises:
            InvalidInput: It is missing, empty or not a string.
        """
        value = self.properties.get(name)
        if not isinstance(value, str) or not value:
            raise InvalidInput(f"property {name} of the custom resource is {value!r}: it must be a text")
        return value


@dataclass(frozen=True, kw_only=True)
class ResourceAnswer:
    """What a handler has made.

    Attributes:
        physical_id: Names the thing made, the same for the same thing: when it changes at an update, CloudFormation
        sends a
            Delete for the old id, which does nothing.
        data: Attributes that templates can read with GetAtt. Default: none.
    """

    physical_id: str
    data: Mapping[str, str] = field(default_factory=dict)


ResourceHandler = Callable[[ResourceRequest], ResourceAnswer]


def custom_resource(work: ResourceHandler) -> Callable[[Mapping[str, Any], Any], None]:
    """Make a Lambda handler from a function that carries out creates and updates.

    A delete succeeds without a call: what these resources make (builds, seeds) outlives the resource.

    Example:
        >>> @custom_resource
        ... def handler(request: ResourceRequest) -> ResourceAnswer:
        ...     return ResourceAnswer(physical_id=f"greeting-{request.text('Name')}")
    """

    @functools.wraps(work)
    def handler(event: Mapping[str, Any], context: Any) -> None:
        # Neither the properties nor the answer's URL are logged: the one may hold secrets, the other is one.
        _log.info("%s of %s", event["RequestType"], event["LogicalResourceId"])
        answer = _Answer(event)
        watchdog = _watch(context, answer)
        try:
            answer.succeed(_carry_out(work, event))
        except BlueGreenError as error:
            answer.fail(str(error))
        except Exception as error:
            _log.exception("%s of %s failed", event["RequestType"], event["LogicalResourceId"])
            answer.fail(f"{type(error).__name__}: {error}; the function's log has the details")
        finally:
            watchdog.cancel()

    return handler


def _carry_out(work: ResourceHandler, event: Mapping[str, Any]) -> ResourceAnswer:
    if event["RequestType"] == "Delete":
        return ResourceAnswer(physical_id=event["PhysicalResourceId"])
    return work(
        ResourceRequest(
            type=event["RequestType"],
            properties=event.get("ResourceProperties", {}),
            old_properties=event.get("OldResourceProperties", {}),
            physical_id=event.get("PhysicalResourceId"),
            stack_id=event["StackId"],
        )
    )


class _Answer:
    """The one answer to a request; whoever is second, the handler or the watchdog, is not heard."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self._event = event
        self._lock = threading.Lock()
        self._sent = False

    def succeed(self, made: ResourceAnswer) -> None:
        self._send("SUCCESS", physical_id=made.physical_id, Data=dict(made.data))

    def fail(self, reason: str) -> None:
        # The id must not change when an update fails, or CloudFormation would take the resource as replaced.
        physical_id = self._event.get("PhysicalResourceId") or f"failed-{self._event['RequestId']}"
        self._send("FAILED", physical_id=physical_id, Reason=" ".join(reason.split()))

    def _send(self, status: str, *, physical_id: str, **rest: Any) -> None:
        with self._lock:
            if self._sent:
                return
            body = {
                "Status": status,
                "PhysicalResourceId": physical_id,
                "StackId": self._event["StackId"],
                "RequestId": self._event["RequestId"],
                "LogicalResourceId": self._event["LogicalResourceId"],
                **rest,
            }
            data = _encoded(body)
            # The URL carries its own signature, which a Content-Type that it does not name would break.
            request = urllib.request.Request(  # noqa: S310  the URL is CloudFormation's
                self._event["ResponseURL"], data=data, method="PUT", headers={"Content-Type": ""}
            )
            with urllib.request.urlopen(request, timeout=CUSTOM_RESOURCE_SEND_SECONDS):  # noqa: S310
                self._sent = True
            _log.info("answered %s%s", status, f": {rest['Reason']}" if "Reason" in rest else "")


def _watch(context: Any, answer: _Answer) -> threading.Timer:
    left = context.get_remaining_time_in_millis() / 1000
    timer = threading.Timer(
        max(left - CUSTOM_RESOURCE_MARGIN_SECONDS, 0),
        answer.fail,
        args=(
            "the function ran out of time; what it has done stays, so try again, or do this step before the "
            "deployment (for a large build: bluegreen publish)",
        ),
    )
    timer.daemon = True
    timer.start()
    return timer


def _encoded(body: Mapping[str, Any]) -> bytes:
    """The answer within what CloudFormation takes; the reason is what may be cut."""
    data = json.dumps(body, ensure_ascii=False).encode()
    while len(data) > CUSTOM_RESOURCE_ANSWER_BYTES and len(body.get("Reason", "")) > len(" …"):
        reason = body["Reason"].removesuffix(" …")
        body = {**body, "Reason": reason[: len(reason) * 3 // 4] + " …"}
        data = json.dumps(body, ensure_ascii=False).encode()
    return data
