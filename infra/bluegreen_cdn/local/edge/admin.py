"""The admin port: what each location sees and counted, and faults to order."""

from __future__ import annotations

import os
import time
from typing import Any

from aiohttp import web

from bluegreen_cdn.local.edge.access_log import AccessLog
from bluegreen_cdn.local.edge.state import Edge

PREFIX = "/_bluegreen_sim"


def admin_app(edge: Edge, log: AccessLog) -> web.Application:
    """The admin application: `GET status`, `POST faults`, `POST purge` below `/_bluegreen_sim`."""

    async def status(_: web.Request) -> web.Response:
        return web.json_response(edge_status(edge))

    async def faults(request: web.Request) -> web.Response:
        try:
            order_fault(edge, await request.json())
        except (ValueError, KeyError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(edge_status(edge))

    async def purge(_: web.Request) -> web.Response:
        return web.json_response({"dropped": sum(each.cache.invalidate("*") for each in edge.locations.values())})

    async def flush(_: web.Request) -> web.Response:
        log.flush()
        return web.json_response({})

    app = web.Application()
    app.router.add_get(f"{PREFIX}/status", status)
    app.router.add_post(f"{PREFIX}/faults", faults)
    app.router.add_post(f"{PREFIX}/purge", purge)
    app.router.add_post(f"{PREFIX}/flush", flush)
    return app


def edge_status(edge: Edge) -> dict[str, Any]:
    """Everything there is to know, as JSON."""
    now = time.monotonic()
    loaded = edge.loaded
    return {
        "pid": os.getpid(),
        "state": "serving" if loaded else "waiting",
        "problem": edge.problem,
        "distribution_id": loaded.distribution.id if loaded else None,
        "distribution_domain": loaded.distribution.domain_name if loaded else None,
        "functions": {arn: each.etag for arn, each in loaded.functions.items()} if loaded else {},
        "lambdas": {arn: {"starts": worker.starts} for arn, worker in loaded.lambdas.items()} if loaded else {},
        "origin_faults": edge.origin_faults,
        "requests": sum(location.counts["requests"] for location in edge.locations.values()),
        "locations": {name: location.status(now) for name, location in edge.locations.items()},
    }


def order_fault(edge: Edge, order: dict[str, Any]) -> None:
    """Carry out one order.

    `{"location": name or "*", "kvs": "none|unreadable|frozen"}`, or
    `{"origin": id, domain name or bucket, "fault": "none|unreachable" or a status}`.

    Raises:
        ValueError: when the order is not one of these.
    """
    if "kvs" in order:
        fault, wanted = order["kvs"], order.get("location", "*")
        if fault not in ("none", "unreadable", "frozen"):
            raise ValueError(f"kvs fault {fault!r} is not one of none, unreadable, frozen")
        if wanted != "*" and wanted not in edge.locations:
            raise ValueError(f"location {wanted!r} is not one of {', '.join(edge.locations)}")
        for name, location in edge.locations.items():
            if wanted in ("*", name):
                for arn in edge.loaded.store_arns() if edge.loaded else ():
                    location.store(arn)
                for store in location.stores.values():
                    store.fault = fault
        return
    if "origin" in order:
        fault = order.get("fault", "none")
        if fault == "none":
            edge.origin_faults.pop(order["origin"], None)
        elif fault == "unreachable":
            edge.origin_faults[order["origin"]] = None
        elif isinstance(fault, int) and 400 <= fault <= 599:
            edge.origin_faults[order["origin"]] = fault
        else:
            raise ValueError(f"origin fault {fault!r} is not none, unreachable or a status from 400 to 599")
        return
    raise ValueError("an order names kvs or origin")
