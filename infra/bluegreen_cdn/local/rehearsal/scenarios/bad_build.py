"""A build whose pages throw: the alarm takes it back."""

from bluegreen_cdn.local.rehearsal.builds import PreparedBuild
from bluegreen_cdn.local.rehearsal.releases import Outcome
from bluegreen_cdn.local.rehearsal.scenarios.scenario import Scenario
from bluegreen_cdn.local.rehearsal.scene import Scene

NAME = "bad-build"


async def release_bad(scene: Scene, build: PreparedBuild) -> None:
    """Release a build that must be taken back."""
    scene.phase(f"{build.name} is let in")
    running = scene.begin_release(build, Outcome.ROLLED_BACK)
    try:
        await running.ends()
    finally:
        release = running.release
        if release.outcome is Outcome.PROMOTED:
            _explain_silence(scene, build)
        if release.seconds_from_alarm_to_weight_zero is not None:
            scene.figure("seconds from alarm to weight 0 everywhere", release.seconds_from_alarm_to_weight_zero)


async def play(scene: Scene) -> None:
    """Release it, and see that nothing of it stays."""
    await release_bad(scene, scene.builds[0])


def _explain_silence(scene: Scene, build: PreparedBuild) -> None:
    """Say why the alarm may have had too little to go on: this machine makes the page loads that it needs."""
    pages = scene.record.ledger.pages
    seen = sum(page.build_id == build.build_id and page.via == "page runner" for page in pages)
    scene.record.notes.append(
        f"Scripts ran on {seen} pages of the {build.name}. If the machine is busy, a smaller --time-scale "
        "or fewer --visitors give the alarm more to go on."
    )


SCENARIO = Scenario(
    name=NAME,
    happens="a build whose checkout page throws is released",
    checked="its pages' errors set off the template's alarm; it has no visitors at any edge location within 10 s, "
    "propagation aside, and CodeDeploy rolls back",
    builds=lambda workshop: [workshop.fresh_bad(NAME)],
    play=play,
    judged=True,
)
