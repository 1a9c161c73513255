"""Between two scenarios: wait until a site is at rest, as `bluegreen status` tells."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from bluegreen_cdn.errors import RehearsalError
from bluegreen_cdn.local.rehearsal.builds import PreparedBuild
from bluegreen_cdn.local.rehearsal.staged_site import StagedSite

SETTLE_SECONDS = 45.0
SETTLE_MINUTES = 10
"""Of the cloud's time, besides: an alarm goes off minutes after what it was about."""
PAUSE_SECONDS = 1.0
_STACK_AT_REST = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


async def settle(site: StagedSite) -> PreparedBuild | None:
    """Mend every fault, take pins off, and wait until nothing is under way.

    Returns:
        The build that all visitors get; None if the site does not come to rest.
    """
    await asyncio.to_thread(site.stage.cloud.mend)
    await asyncio.to_thread(site.edge.mend)
    deadline = time.monotonic() + patience(site.stage.time_scale)
    while time.monotonic() < deadline:
        found = await site.stage.commands.run("status", "--site", site.name, "--json")
        if found.code == 0:
            status = found.json()
            if status["pin"] is not None:
                await site.stage.commands.run("unpin", "--site", site.name, "--yes")
            elif not unrest(status) and await _stack_status(site) in _STACK_AT_REST:
                return site.builds.get(status["edge"]["stable"])
        await asyncio.sleep(PAUSE_SECONDS)
    return None


def patience(time_scale: float) -> float:
    """How many real seconds a site may take to come to rest."""
    return SETTLE_SECONDS + SETTLE_MINUTES * 60 / time_scale


def unrest(status: Mapping[str, Any]) -> list[str]:
    """Name what is still under way in a status."""
    found = []
    if status["deployment"] is not None:
        found.append("a deployment")
    if status["latches"]:
        found.append("a latch")
    if status["alarms"]["on"] or status["alarms"]["control_plane"]:
        found.append("an alarm")
    if status["edge"]["candidate"] is not None:
        found.append("a candidate")
    if status["edge"]["stable"] != status["alias"]["primary"] or status["drift"]:
        found.append("a difference between alias and edge")
    return found


async def _stack_status(site: StagedSite) -> str:
    formation = site.stage.client("cloudformation")
    try:
        answer = await asyncio.to_thread(formation.describe_stacks, StackName=site.name)
    except OSError as error:
        raise RehearsalError(f"the local cloud does not answer: {error}") from error
    return str(answer["Stacks"][0]["StackStatus"])
