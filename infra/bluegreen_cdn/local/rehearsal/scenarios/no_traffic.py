"""Nobody visits the site during a release."""

from bluegreen_cdn.local.rehearsal.releases import Outcome
from bluegreen_cdn.local.rehearsal.scenarios.scenario import Scenario
from bluegreen_cdn.local.rehearsal.scene import Scene

NAME = "no-traffic"


async def play(scene: Scene) -> None:
    """Release without a single page load."""
    (build,) = scene.builds
    scene.phase(f"{build.name} is let in, and nobody comes")
    release = await scene.release(build, Outcome.PROMOTED)
    status = await scene.at_rest()
    loads = scene.record.ledger.page_loads
    scene.check("nobody_came", loads == 0, f"{loads} pages were loaded")
    scene.check(
        "promoted_without_alarm",
        release.alarm_at is None and status["edge"]["stable"] == build.build_id,
        f"without any page load no alarm went off, and build {status['edge']['stable']} is stable",
    )


SCENARIO = Scenario(
    name=NAME,
    happens="a build is released while nobody visits the site",
    checked="missing data is no alarm: it is promoted",
    builds=lambda workshop: [workshop.fresh(NAME)],
    play=play,
    visited=False,
)
