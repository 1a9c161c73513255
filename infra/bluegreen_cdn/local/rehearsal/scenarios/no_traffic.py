"""Nobody visits the site during a release."""

from bluegreen_cdn.local.rehearsal.releases import Outcome
from bluegreen_cdn.local.rehearsal.scenarios.scenario import Scenario
from bluegreen_cdn.local.rehearsal.scene import Scene

NAME = "no-traffic"
UNPROVEN = "unproven candidate"


async def play(scene: Scene) -> None:
    """Release without a single page load: once where silence is consent, once where it is not."""
    build, unproven = scene.builds
    scene.phase(f"{build.name} is let in, and nobody comes")
    release = await scene.release(build, Outcome.PROMOTED)
    status = await scene.at_rest()
    scene.check(
        "promoted_without_alarm",
        release.alarm_at is None and status["edge"]["stable"] == build.build_id,
        f"without any page load no alarm went off, and build {status['edge']['stable']} is stable",
    )

    scene.phase(f"{unproven.name} is let in, to be taken back if nobody comes")
    await scene.release(unproven, Outcome.ROLLED_BACK, by_alarm=False)
    status = await scene.at_rest()
    outcome = status["outcome"] or {}
    scene.check(
        "taken_back_for_silence",
        outcome.get("build") == unproven.build_id and status["edge"]["stable"] == build.build_id,
        f"bluegreen status says of build {outcome.get('build')}: {outcome.get('reason')}",
    )
    loads = scene.record.ledger.page_loads
    scene.check("nobody_came", loads == 0, f"{loads} pages were loaded")


SCENARIO = Scenario(
    name=NAME,
    happens="a build is released while nobody visits the site, then another one with `on_no_traffic=abort`",
    checked="missing data is no alarm: the first is promoted, the second taken back after its bake, with the reason",
    builds=lambda workshop: [workshop.fresh(NAME), workshop.fresh(NAME, UNPROVEN)],
    contexts={UNPROVEN: {"on_no_traffic": "abort"}},
    play=play,
    visited=False,
)
