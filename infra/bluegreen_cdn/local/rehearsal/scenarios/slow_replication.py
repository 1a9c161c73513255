"""Copies take minutes: the release waits for them, and then goes on."""

import asyncio

from bluegreen_cdn.local.rehearsal.options import REGIONS
from bluegreen_cdn.local.rehearsal.releases import Outcome
from bluegreen_cdn.local.rehearsal.scenarios.scenario import Scenario
from bluegreen_cdn.local.rehearsal.scene import Scene

NAME = "slow-replication"
REPLICA = REGIONS[-1]
DELAY_MINUTES = 8
POLL_SECONDS = 0.2
SEEN_SECONDS = 5.0
"""How long a copy that is there may go unnoticed."""


async def play(scene: Scene) -> None:
    """Release while every copy takes minutes."""
    (build,) = scene.builds
    scene.phase(f"copies into {REPLICA} take {DELAY_MINUTES} minutes")
    bucket, seconds = scene.site.bucket(REPLICA), DELAY_MINUTES * 60
    async with scene.stage.fault("replication-delay", bucket=bucket, seconds=seconds):
        # The manifest is written last, and every copy takes as long as every other.
        arriving = asyncio.create_task(_arrival(scene, bucket, f"manifests/{build.build_id}.json"))
        try:
            running = scene.begin_release(build, Outcome.PROMOTED)
            await running.has_visitors()
            arrived = await asyncio.wait_for(arriving, SEEN_SECONDS)
        except TimeoutError:
            arrived = float("inf")
        finally:
            arriving.cancel()
    asked, answered = await _check_began_and_ended(scene)
    let_in = running.release.first_weight_at or 0.0
    scene.figure("seconds the release check waited", answered - asked)
    scene.check(
        "nobody_before_the_copies",
        asked < arrived <= let_in,
        f"the release check was asked at {asked:.1f} s, the last copy arrived at {arrived:.1f} s, the first visitor "
        f"was let in at {let_in:.1f} s",
    )
    scene.phase(f"{build.name} is let in")
    await running.ends()


async def _arrival(scene: Scene, bucket: str, key: str) -> float:
    """Return when an object was there."""
    s3 = scene.stage.client("s3", REPLICA)
    while True:
        answer = await asyncio.to_thread(s3.list_objects_v2, Bucket=bucket, Prefix=key)
        if answer.get("KeyCount"):
            return scene.now()
        await asyncio.sleep(POLL_SECONDS)


async def _check_began_and_ended(scene: Scene) -> tuple[float, float]:
    """Return when CloudFormation asked the stack's release check for the last time, and when it had the answer."""
    cloudformation = scene.stage.client("cloudformation")
    answer = await asyncio.to_thread(cloudformation.describe_stack_events, StackName=scene.site.name)
    at = {"UPDATE_IN_PROGRESS": 0.0, "UPDATE_COMPLETE": 0.0}
    for event in answer["StackEvents"]:
        if event["ResourceType"] == "Custom::BlueGreenReleaseCheck" and event["ResourceStatus"] in at:
            status, moment = event["ResourceStatus"], scene.clock.from_wall(event["Timestamp"].timestamp())
            at[status] = max(at[status], moment)
    return at["UPDATE_IN_PROGRESS"], at["UPDATE_COMPLETE"]


SCENARIO = Scenario(
    name=NAME,
    happens=f"copies to the replica take {DELAY_MINUTES} minutes",
    checked="nobody is let in before the last copy has arrived; then the build is promoted",
    builds=lambda workshop: [workshop.fresh(NAME)],
    play=play,
)
