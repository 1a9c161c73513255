"""The traffic sync does not run for ten minutes while CodeDeploy goes on."""

from bluegreen_cdn.defaults import SYNC_RUN_SECONDS
from bluegreen_cdn.local.rehearsal.releases import Outcome
from bluegreen_cdn.local.rehearsal.scenarios.scenario import Scenario
from bluegreen_cdn.local.rehearsal.scene import Scene
from bluegreen_cdn.local.rehearsal.staged_site import PROPAGATION_SECONDS

NAME = "sync-dead"
DEAD_MINUTES = 10
STEP_MINUTES = 4
CATCH_UP_SECONDS = 30.0


async def play(scene: Scene) -> None:
    """Let visitors in, kill the sync, see that nothing moves and the alarm comes on, mend it."""
    (build,) = scene.builds
    watch, alarm = scene.watch, f"bluegreen-{scene.site.name}-sync-dead"
    dead_seconds = DEAD_MINUTES * 60 / scene.stage.time_scale
    scene.phase(f"{build.name} is let in")
    running = scene.begin_release(build, Outcome.PROMOTED, all_steps=False)
    await running.has_visitors()

    scene.phase(f"the sync does not run for {DEAD_MINUTES} minutes")
    async with scene.stage.fault("function-down", function=f"{scene.site.name}-SiteSync*"):
        # What runs already runs to its end; so the edge may still get what the alias said when it looked last.
        await scene.pause(SYNC_RUN_SECONDS / scene.stage.time_scale + PROPAGATION_SECONDS)
        before, began = dict(watch.locations), scene.now()
        moved = False
        while scene.now() - began < dead_seconds:
            await scene.pause(0.5)
            moved = moved or watch.locations != before
        shifted = [event for event in watch.seen if event["kind"] == "weight" and event["at"] > began]
        came_on = watch.last("alarm", alarm=alarm, new="ALARM")
    percents = ", ".join(f"{event['percent']:g} %" for event in shifted) or "nothing"
    scene.check(
        "edge_stays",
        not moved and bool(shifted),
        f"CodeDeploy went on to {percents} while no edge location changed" if not moved else "the edge changed",
    )
    on = came_on is not None and came_on["at"] > began
    scene.check("alarm_comes_on", on, f"the alarm {alarm} {'came on' if on else 'did not come on'}")

    scene.phase("the sync runs again")
    weight = shifted[-1]["percent"] * 100 if shifted else 0
    seconds = await scene.until(
        "the edge has caught up",
        lambda: (watch.weight_everywhere(build.build_id) or 0) >= weight,
        CATCH_UP_SECONDS,
    )
    scene.figure("seconds until the edge had caught up", seconds)
    await running.ends()
    await scene.until(f"the alarm {alarm} is off", lambda: alarm not in watch.alarms_on)


SCENARIO = Scenario(
    name=NAME,
    happens=f"the traffic sync fails whenever it is called, for {DEAD_MINUTES} minutes, while CodeDeploy goes on",
    checked="no edge location changes, the alarm `sync-dead` comes on; mended, the edge catches up, the alarm goes off "
    "and the build is promoted",
    builds=lambda workshop: [workshop.fresh(NAME)],
    context={"rollout": f"linear:20%:{STEP_MINUTES}m:bake=2m:holdout=5%"},
    play=play,
)
