"""The KeyValueStore fails its writers, and for a while an edge location cannot read it at all."""

import asyncio
import urllib.error
import urllib.request

from bluegreen_cdn.local.rehearsal.releases import Outcome
from bluegreen_cdn.local.rehearsal.scenarios.scenario import Scenario
from bluegreen_cdn.local.rehearsal.scene import Scene

NAME = "kvs-errors"
LOCATION = "eu-west-1"
DOWN_SECONDS = 3.0
UNREADABLE_SECONDS = 5.0
THROTTLED_SHARE = 0.5
SETTLE_SECONDS = 1.0
"""A request that was on its way when the location could read again may be answered after it."""


async def play(scene: Scene) -> None:
    """Let visitors in while writers are refused, take the store away from one location, then go on being throttled."""
    (build,) = scene.builds
    store = f"bluegreen-{scene.site.name}"
    scene.phase(f"{build.name} is let in")
    running = scene.begin_release(build, Outcome.PROMOTED)
    await running.has_visitors()

    scene.phase("the KeyValueStore answers its writers with 500")
    async with scene.stage.fault("kvs-error", store=store):
        await scene.pause(DOWN_SECONDS)

    scene.phase(f"the edge in {LOCATION} cannot read it")
    async with scene.stage.fault("kvs-throttle", store=store, share=THROTTLED_SHARE):
        await _unreadable(scene)
        scene.phase(f"{THROTTLED_SHARE:.0%} of the writers' requests are throttled")
        await running.ends()
    refused = await asyncio.to_thread(scene.stage.cloud.timeline, 0, "kvs_refused")
    statuses = [event["status"] for event in refused if event["store"] == store]
    scene.check(
        "writers_were_refused",
        500 in statuses and 429 in statuses,
        f"the KeyValueStore answered {statuses.count(500)} requests of writers with 500 and {statuses.count(429)} with "
        "429, and the release went on",
    )
    await scene.at_rest()


async def _unreadable(scene: Scene) -> None:
    """Take the store away from one location for a while: who has a build keeps it, who has none gets 503, no-store."""
    ledger, edge = scene.record.ledger, scene.site.edge
    ledger.may_turn_away = True
    await asyncio.to_thread(edge.order_fault, {"location": LOCATION, "kvs": "unreadable"})
    try:
        status, cached = await asyncio.to_thread(_ask, scene)
        await scene.pause(UNREADABLE_SECONDS)
    finally:
        await asyncio.to_thread(edge.order_fault, {"location": LOCATION, "kvs": "none"})
    await scene.pause(SETTLE_SECONDS)
    ledger.may_turn_away = False
    after, _ = await asyncio.to_thread(_ask, scene)
    scene.check(
        "no_build_no_page",
        (status, cached) == (503, "no-store") and after == 200,
        f"without a build the edge in {LOCATION} answered {status}, {cached}; {after} once it could read again",
    )
    scene.figure("new visitors turned away with 503", ledger.turned_away)


def _ask(scene: Scene) -> tuple[int, str]:
    """Ask that location for a document as somebody who has no cookie; give status and Cache-Control."""
    headers = {"x-bluegreen-sim-location": LOCATION, "Accept": "text/html", "Sec-Fetch-Dest": "document"}
    request = urllib.request.Request(f"{scene.site.edge.address}/", headers=headers)  # noqa: S310  loopback
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:  # noqa: S310  loopback
            return int(answer.status), str(answer.headers.get("Cache-Control", ""))
    except urllib.error.HTTPError as error:
        return error.code, str(error.headers.get("Cache-Control", ""))


SCENARIO = Scenario(
    name=NAME,
    happens="the KeyValueStore refuses its writers, then throttles half of their requests; one edge location cannot "
    "read it for a while",
    checked="at that location who has a build keeps it, who has none gets 503 `no-store`, never a mixed page; the sync "
    "gets through and the build is promoted",
    builds=lambda workshop: [workshop.fresh(NAME)],
    play=play,
)
