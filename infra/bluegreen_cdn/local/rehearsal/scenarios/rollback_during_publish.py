"""An operator goes back to the earlier build while the next one is being published."""

import asyncio
from typing import Any

from bluegreen_cdn.errors import RehearsalError
from bluegreen_cdn.local.rehearsal.builds import PreparedBuild
from bluegreen_cdn.local.rehearsal.commands import CommandResult
from bluegreen_cdn.local.rehearsal.options import REGIONS
from bluegreen_cdn.local.rehearsal.releases import Outcome
from bluegreen_cdn.local.rehearsal.scenarios.scenario import Scenario
from bluegreen_cdn.local.rehearsal.scene import Scene

NAME = "rollback-during-publish"
NEXT = "next build"
REQUEST_SECONDS = 2.0
"""Real ones that each request for a file of the next build takes longer. The publish makes one after the other."""
BEGUN_SECONDS = 90.0
GONE_SECONDS = 30.0
VERIFY_ATTEMPTS = 6
VERIFY_PAUSE_SECONDS = 2.0


async def play(scene: Scene) -> None:
    """Promote a build, go back from it in the midst of the next one's publish, then release the next."""
    build, following = scene.builds
    if scene.stable is None:
        raise RehearsalError("there is no earlier build to go back to")
    earlier = scene.stable
    scene.phase(f"{build.name} is let in")
    await scene.release(build, Outcome.PROMOTED)

    primary, seconds = scene.site.bucket(REGIONS[0]), REQUEST_SECONDS * scene.stage.time_scale
    scene.phase(f"{following.name} is being published")
    keys = f"builds/{following.build_id}/*"
    async with scene.stage.fault("slow", bucket=primary, seconds=seconds, keys=keys):
        publishing = asyncio.create_task(_publish(scene, following))
        try:
            await _has_begun(scene, primary, following, publishing)
            scene.phase("operator rolls back")
            began = scene.now()
            (await scene.command("rollback", "--site", scene.site.name, "--yes")).checked()
            still_publishing = not publishing.done()
            await scene.until(
                f"every edge location serves build {earlier.build_id}",
                lambda: scene.watch.everywhere(earlier.build_id),
                GONE_SECONDS,
            )
            gone = scene.now()
            scene.figure("seconds from rollback to the earlier build everywhere", gone - began)
            scene.check(
                "rolled_back_meanwhile", still_publishing, "the rollback was done before the publish was through"
            )
        finally:
            published = await publishing
    scene.check("publish_succeeded", published.code == 0, f"the publish ended with exit code {published.code}")
    complete = await _is_complete_soon(scene, following)
    scene.check("next_is_complete", complete, f"bluegreen verify finds the {following.name} complete")
    late = [page for page in scene.record.ledger.pages if page.build_id == build.build_id and page.at > gone + 1.5]
    scene.check("gone_after_pin", not late, f"{len(late)} pages of the {build.name} were served after the rollback")

    scene.phase(f"{following.name} is let in, beside the pin")
    await scene.release(following, Outcome.PROMOTED)
    status = await scene.at_rest()
    scene.check("pin_is_cleared", status["pin"] is None, f"after its success the pin is {status['pin'] or 'cleared'}")


async def _publish(scene: Scene, build: PreparedBuild) -> CommandResult:
    return await scene.command(
        *("publish", str(build.folder), "--site", scene.site.name, "--build-id", build.build_id, "--workers", "1")
    )


async def _has_begun(
    scene: Scene, bucket: str, build: PreparedBuild, publishing: "asyncio.Task[CommandResult]"
) -> None:
    """Wait until something of the build is in the bucket."""
    s3 = scene.stage.client("s3")
    deadline = scene.now() + BEGUN_SECONDS
    while scene.now() < deadline and not publishing.done():
        found: dict[str, Any] = await asyncio.to_thread(
            s3.list_objects_v2, Bucket=bucket, Prefix=f"builds/{build.build_id}/", MaxKeys=1
        )
        if found.get("KeyCount"):
            return
        await scene.pause(0.2)
    raise RehearsalError(f"nothing of the {build.name} was published while it was looked for")


async def _is_complete_soon(scene: Scene, build: PreparedBuild) -> bool:
    """Copies take a while; the build must be complete then."""
    for attempt in range(VERIFY_ATTEMPTS):
        if attempt:
            await scene.pause(VERIFY_PAUSE_SECONDS)
        if (await scene.command("verify", build.build_id, "--site", scene.site.name)).code == 0:
            return True
    return False


SCENARIO = Scenario(
    name=NAME,
    happens="`bluegreen rollback` while `bluegreen publish` of the next build runs; then that build is released",
    checked="the earlier build is everywhere in seconds, the publish is not disturbed, the next build is promoted and "
    "clears the pin",
    builds=lambda workshop: [workshop.fresh(NAME), workshop.fresh(NAME, NEXT)],
    contexts={NEXT: {"build": ""}},
    play=play,
)
