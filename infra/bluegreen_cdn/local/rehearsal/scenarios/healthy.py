"""A good build: let in step by step, watched, promoted."""

from bluegreen_cdn.local.rehearsal.builds import PreparedBuild
from bluegreen_cdn.local.rehearsal.releases import Outcome
from bluegreen_cdn.local.rehearsal.scenarios.scenario import Scenario
from bluegreen_cdn.local.rehearsal.scene import Scene

NAME = "healthy"


async def release_good(scene: Scene, build: PreparedBuild) -> None:
    """Release a build that nothing is wrong with."""
    scene.phase(f"{build.name} is let in")
    release = await scene.release(build, Outcome.PROMOTED)
    scene.figure("seconds from deploy to stable everywhere", (release.ended or 0) - release.started)


async def play(scene: Scene) -> None:
    """Release it."""
    await release_good(scene, scene.builds[0])


SCENARIO = Scenario(
    name=NAME,
    happens="a good build is released",
    checked="it is promoted; every step is seen at every edge location, and the share of new visitors follows it",
    builds=lambda workshop: [workshop.fresh(NAME)],
    play=play,
)
