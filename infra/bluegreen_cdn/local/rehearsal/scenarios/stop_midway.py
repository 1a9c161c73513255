"""Somebody stops the deployment by hand, with rollback, in the midst of it."""

from bluegreen_cdn.local.rehearsal.releases import Outcome
from bluegreen_cdn.local.rehearsal.scenarios.scenario import Scenario
from bluegreen_cdn.local.rehearsal.scene import Scene

NAME = "stop-midway"
LOOK_SECONDS = 3.0


async def play(scene: Scene) -> None:
    """Let visitors in, stop, and see the old build come back for all."""
    (build,) = scene.builds
    scene.phase(f"{build.name} is let in")
    running = scene.begin_release(build, Outcome.ROLLED_BACK, by_alarm=False)
    await running.has_visitors()
    await scene.pause(LOOK_SECONDS)

    scene.phase("somebody stops the deployment")
    await running.stop_deployment()
    release = await running.ends()
    scene.figure("seconds from stop to weight 0 everywhere", (release.zero_at or 0.0) - (release.by_hand_at or 0.0))
    status = await scene.at_rest()
    stable = status["edge"]["stable"]
    scene.check(
        "old_build_everywhere",
        scene.stable is not None and stable == scene.stable.build_id and scene.watch.everywhere(stable),
        f"after the stop build {stable} is stable at alias and edge, with no latch and no drift",
    )
    scene.check("no_alarm", release.alarm_at is None, f"no alarm went off ({release.alarm_name or 'none'})")


SCENARIO = Scenario(
    name=NAME,
    happens="the deployment is stopped in CodeDeploy, with rollback, while the candidate has visitors",
    checked="the candidate loses its visitors everywhere, the old build is stable at alias and edge, no latch or drift "
    "is left",
    builds=lambda workshop: [workshop.fresh(NAME)],
    play=play,
)
