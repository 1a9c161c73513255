"""A second `cdk deploy` begins while the first one's canary runs."""

import re

from bluegreen_cdn.local.rehearsal.releases import Outcome
from bluegreen_cdn.local.rehearsal.scenarios.scenario import Scenario
from bluegreen_cdn.local.rehearsal.scene import Scene

NAME = "two-deploys"
_REFUSAL = re.compile(r"_IN_PROGRESS state and can ?not be updated")


async def play(scene: Scene) -> None:
    """Release one build, and try another meanwhile."""
    build, second = scene.builds
    scene.phase(f"{build.name} is let in")
    running = scene.begin_release(build, Outcome.PROMOTED)
    await running.has_visitors()

    scene.phase(f"somebody deploys the {second.name} meanwhile")
    began = scene.now()
    result = await scene.site.deploy(second)
    scene.figure("seconds until the second deploy was refused", scene.now() - began)
    refusal = next((line.strip() for line in result.output.splitlines() if _REFUSAL.search(line)), "")
    scene.check(
        "second_is_refused",
        result.code != 0 and bool(refusal),
        f"the second cdk deploy said: {refusal or result.last_error()}"
        if result.code
        else "the second cdk deploy was not refused",
    )

    scene.phase("the first goes on")
    await running.ends()
    status = await scene.at_rest()
    seen = sum(page.build_id == second.build_id for page in scene.record.ledger.pages)
    scene.check("second_never_seen", seen == 0, f"{seen} pages of the {second.name} were served")
    known = second.build_id in {one["build"] for one in status["builds"]}
    scene.check("second_left_nothing", not known, f"the {second.name} was {'' if known else 'not '}published")


SCENARIO = Scenario(
    name=NAME,
    happens="another `cdk deploy` begins while the canary runs",
    checked="CloudFormation refuses it, nothing of it is seen or left, the first is promoted as if nothing had been",
    builds=lambda workshop: [workshop.fresh(NAME), workshop.fresh(NAME, "second candidate")],
    play=play,
)
