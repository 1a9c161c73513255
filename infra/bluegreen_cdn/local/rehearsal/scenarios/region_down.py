"""The primary region's S3 answers 503 in the midst of a rollout."""

import time

from bluegreen_cdn.local.rehearsal.options import REGIONS
from bluegreen_cdn.local.rehearsal.releases import Outcome
from bluegreen_cdn.local.rehearsal.scenarios.scenario import Scenario
from bluegreen_cdn.local.rehearsal.scene import Scene

NAME = "region-down"
PRIMARY, *REPLICAS = REGIONS


async def play(scene: Scene) -> None:
    """Let visitors in, take the region away, let the edge forget what it has, and go on."""
    (build,) = scene.builds
    scene.phase(f"{build.name} is let in")
    running = scene.begin_release(build, Outcome.PROMOTED, also=(Outcome.ROLLED_BACK,))
    await running.has_visitors()

    scene.phase(f"S3 in {PRIMARY} answers 503")
    began, since = scene.now(), time.time()
    async with scene.stage.fault("down", region=PRIMARY):
        await scene.site.forget_cached()
        await running.ends()
        answers = await scene.site.answers(since)
    scene.figure("seconds without the primary region", scene.now() - began)
    here = [answer for answer in answers if answer["location"] == PRIMARY and answer["result"] == "Miss"]
    by_replica = [answer for answer in here if answer["status"] == 200 and answer["origin"] != f"bucket-{PRIMARY}"]
    failed = [answer for answer in answers if answer["status"] >= 500]
    scene.check(
        "replica_served",
        len(by_replica) > 0 and not failed,
        f"the edge in {PRIMARY} had {len(by_replica)} answers from the bucket in {', '.join(REPLICAS)}; of "
        f"{len(answers)} answers of all locations {len(failed)} were errors",
    )

    scene.phase(f"S3 in {PRIMARY} is back")
    await scene.at_rest()
    verified = await scene.command("verify", build.build_id, "--site", scene.site.name)
    scene.check("complete_afterwards", verified.code == 0, "afterwards bluegreen verify finds every region complete")


SCENARIO = Scenario(
    name=NAME,
    happens="S3 in the primary region answers 503 from the canary on, and the edge has nothing cached",
    checked="the replica serves everything through the origin groups, no answer of the edge is an error; the build is "
    "promoted, or taken back",
    builds=lambda workshop: [workshop.fresh(NAME)],
    play=play,
)
