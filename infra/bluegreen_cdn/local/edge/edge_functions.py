"""Runs a behaviour's CloudFront Functions on a request or a response."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from bluegreen_cdn.local.edge.config import Origin, OriginGroup
from bluegreen_cdn.local.edge.functions import events
from bluegreen_cdn.local.edge.functions.engine import FunctionFailed, KeyValueStoreError, Outcome
from bluegreen_cdn.local.edge.messages import Request, Response
from bluegreen_cdn.local.edge.origins import EdgeError
from bluegreen_cdn.local.edge.visit import Target, Visit


def run_viewer_request(visit: Visit, request: Request) -> tuple[Request | Response, Target | None]:
    """The request as the function changed it, or its own response; and the origin it chose, if it did.

    Raises:
        EdgeError: when the function fails (503) or returns what CloudFront refuses (502).
    """
    arn = visit.behavior.functions.get("viewer-request")
    if arn is None:
        return request, None
    outcome = _run(visit, arn, _event(visit, "viewer-request", request))
    try:
        if events.is_response(outcome.value):
            return events.read_response(outcome.value, None, "viewer-request"), None
        return events.read_request(outcome.value, request), chosen_origin(visit, outcome.origin_edits)
    except events.InvalidResult as error:
        raise _refused(visit, str(error)) from None


def run_viewer_response(visit: Visit, request: Request, response: Response) -> Response:
    """The response as the function changed it.

    Raises:
        EdgeError: when the function fails (503) or returns what CloudFront refuses (502).
    """
    arn = visit.behavior.functions.get("viewer-response")
    if arn is None:
        return response
    event = _event(visit, "viewer-response", request)
    event["response"] = events.response_object(response)
    outcome = _run(visit, arn, event)
    try:
        return events.read_response(outcome.value, response, "viewer-response")
    except events.InvalidResult as error:
        raise _refused(visit, str(error)) from None


def chosen_origin(visit: Visit, edits: tuple[Mapping[str, Any], ...]) -> Target | None:
    """The origin that a function selected with the last of its calls.

    The shape of `createRequestOriginGroup`'s argument is documented in two ways; both are read.
    """
    chosen: Target | None = None
    origins = visit.loaded.distribution.origins
    for edit in edits:
        parameters = edit.get("parameters") or {}
        if edit["kind"] == "select":
            if edit["id"] not in origins:
                raise events.InvalidResult(f"selectRequestOriginById: no origin {edit['id']!r}")
            chosen = origins[edit["id"]]
        elif edit["kind"] == "group":
            listed = parameters.get("originIds") or []
            ids = tuple(item["originId"] if isinstance(item, Mapping) else item for item in listed)
            unknown = [name for name in ids if name not in origins]
            if len(ids) != 2 or unknown:
                raise events.InvalidResult(f"createRequestOriginGroup: two known origins are needed, not {ids!r}")
            statuses = (parameters.get("failoverCriteria") or {}).get("statusCodes") or []
            chosen = OriginGroup(
                id="+".join(ids), members=ids, failover_statuses=frozenset(int(code) for code in statuses)
            )
        else:
            chosen = _updated(visit, parameters)
    return chosen


def _updated(visit: Visit, parameters: Mapping[str, Any]) -> Origin:
    domain = parameters.get("domainName")
    for origin in visit.loaded.distribution.origins.values():
        if domain is None and origin.id == visit.behavior.target:
            return origin
        if origin.domain_name == domain:
            return origin
    # Unconfirmed how much of an unknown origin CloudFront takes; one that the distribution does not name proves
    # nothing here.
    raise events.InvalidResult(f"updateRequestOrigin: {domain!r} is no origin of this distribution")


def _event(visit: Visit, event_type: str, request: Request) -> dict[str, Any]:
    return {
        "version": "1.0",
        "context": {
            "distributionDomainName": visit.loaded.distribution.domain_name,
            "distributionId": visit.loaded.distribution.id,
            "eventType": event_type,
            "requestId": visit.trace.request_id,
        },
        "viewer": {"ip": request.client_ip},
        "request": events.request_object(request),
    }


def _run(visit: Visit, arn: str, event: dict[str, Any]) -> Outcome:
    loaded, location = visit.loaded.functions[arn], visit.location

    def read(operation: str, store: str, key: str | None) -> Any:
        matching = [arn for arn in loaded.store_arns if not store or arn.endswith(f"/{store}") or arn == store]
        if not matching:
            raise KeyValueStoreError(f"no KeyValueStore {store!r} is associated with this function")
        return location.store(matching[0]).read(operation, key, time.monotonic())

    place = {"name": location.pop[:3], "serverIp": "127.0.0.1", "region": location.name}
    try:
        outcome = loaded.function.run(event, place=place, stores=len(loaded.store_arns), read=read)
    except FunctionFailed as error:
        _count(visit, f"{loaded.function.name}: {error}")
        raise EdgeError(503, str(error), "FunctionExecutionError") from None
    if outcome.custom_data:
        visit.trace.custom_data.append(outcome.custom_data)
    visit.trace.function_log.extend(outcome.log)
    return outcome


def _refused(visit: Visit, message: str) -> EdgeError:
    _count(visit, message)
    return EdgeError(502, message, "FunctionValidationError")


def _count(visit: Visit, message: str) -> None:
    visit.location.counts["function_errors"] += 1
    visit.location.last_function_error = message
    visit.trace.problem = message
