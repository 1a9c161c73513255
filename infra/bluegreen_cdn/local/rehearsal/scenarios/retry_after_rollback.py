"""A build is taken back for something that was not its fault, and released again under the same id."""

from bluegreen_cdn.errors import RehearsalError
from bluegreen_cdn.local.rehearsal.releases import Outcome
from bluegreen_cdn.local.rehearsal.scenarios.scenario import Scenario
from bluegreen_cdn.local.rehearsal.scene import Scene

NAME = "retry-after-rollback"


async def play(scene: Scene) -> None:
    """Fail while a service that the pages need is down; succeed once it is up."""
    (build,), service = scene.builds, scene.service
    if service is None:
        raise RehearsalError("there is no service to depend on")
    service.down = True
    service.start()
    scene.phase(f"{build.name} is let in, while a service that it needs is down")
    await scene.release(build, Outcome.ROLLED_BACK)
    scene.check("service_was_asked", service.answered > 0, f"its pages asked the service {service.answered} times")

    scene.phase("the service is mended, the alarm becomes quiet")
    service.down = False
    await scene.at_rest()

    scene.phase("the same build is let in again")
    again = await scene.release(build, Outcome.PROMOTED)
    scene.figure("seconds from second deploy to stable everywhere", (again.ended or 0.0) - again.started)
    history = (await scene.command("history", "--site", scene.site.name, "--json")).checked().json()["releases"]
    told = [(release["build"], release["result"]) for release in history[:2]]
    scene.check(
        "history_tells_both",
        {name for name, _ in told} == {build.build_id}
        and told[0][1] == "promoted"
        and told[1][1] in ("withdrawn", "stopped"),
        f"bluegreen history tells of {' and '.join(f'build {name}: {result}' for name, result in reversed(told))}",
    )


SCENARIO = Scenario(
    name=NAME,
    happens="a build is taken back because a service that its pages ask is down; the service is mended and the same "
    "build id deployed again",
    checked="taken back by the alarm within 10 s, then promoted; `bluegreen history` tells of both",
    builds=lambda workshop: [workshop.dependent(NAME)],
    play=play,
    judged=True,
)
