"""One replica loses one file: the release is refused before anybody is let in, then mended and repeated."""

from bluegreen_cdn.local.rehearsal.options import REGIONS
from bluegreen_cdn.local.rehearsal.releases import Outcome
from bluegreen_cdn.local.rehearsal.scenarios.scenario import Scenario
from bluegreen_cdn.local.rehearsal.scene import Scene

NAME = "missing-object"
REPLICA = REGIONS[-1]


async def play(scene: Scene) -> None:
    """Lose the file, be refused, mend, release again."""
    (build,) = scene.builds
    lost = next(path for path in sorted(build.files.hashed) if path.startswith("assets/rehearsal-"))
    key = f"shared/{lost}"

    scene.phase(f"{REPLICA} loses {lost}")
    async with scene.stage.fault("replication-drop", bucket=scene.site.bucket(REPLICA), keys=key):
        running = scene.begin_release(build, Outcome.REFUSED)
        await running.ends()
    said = " ".join((await running.deployed()).output.split())
    scene.check(
        "cdk_deploy_says_why",
        f"{REPLICA}: {key}: missing" in said and not running.deployment,
        f"cdk deploy named {key} in {REPLICA}, before there was a deployment"
        if key in said
        else f"cdk deploy said only: {running.release.error}",
    )
    history = await scene.command("history", "--site", scene.site.name, "--json")
    told = str(next((one for one in history.checked().json()["releases"] if one["build"] == build.build_id), ""))
    scene.check(
        "refusal_names_the_file",
        key in told and REPLICA in told,
        f"bluegreen history names {key} in {REPLICA}" if key in told else f"bluegreen history says only: {told}",
    )

    scene.phase("operator mends it")
    before = await scene.command("verify", build.build_id, "--site", scene.site.name)
    scene.check("verify_finds_it", before.code == 1 and key in before.output, "bluegreen verify finds the file missing")
    (await scene.command("verify", build.build_id, "--site", scene.site.name, "--repair")).checked()
    after = await scene.command("verify", build.build_id, "--site", scene.site.name)
    scene.check("repair_mends_it", after.code == 0, "after bluegreen verify --repair every region is complete")

    scene.phase(f"{build.name} is let in")
    await scene.release(build, Outcome.PROMOTED)


SCENARIO = Scenario(
    name=NAME,
    happens="one replica loses one file of the candidate; an operator mends it and deploys again",
    checked="refused before any visitor: `cdk deploy` names region and file; `bluegreen verify --repair` mends it; the "
    "same build is then promoted",
    builds=lambda workshop: [workshop.fresh(NAME)],
    play=play,
)
