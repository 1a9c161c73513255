"""A flood of reports that no page has made, while a good build is let in; then one with a real token."""

import asyncio
import datetime
import itertools

from bluegreen_cdn.defaults import METRIC_NAMESPACE, SECRET_KEY
from bluegreen_cdn.domain.verdict import ASSET_FAILURES, SCRIPT_ERRORS
from bluegreen_cdn.errors import RehearsalError
from bluegreen_cdn.local.rehearsal.forger import ERRORS, Forger, forgeries
from bluegreen_cdn.local.rehearsal.releases import Outcome
from bluegreen_cdn.local.rehearsal.scenarios.scenario import Scenario
from bluegreen_cdn.local.rehearsal.scene import Scene

NAME = "forged-beacons"
TARGET = "slandered candidate"
EACH = 120
REPLAYS = 20
COUNTED_SECONDS = 3.0
"""A report is counted a moment after it was answered."""


async def play(scene: Scene) -> None:
    """Flood a good release with what must be dropped; then show what a real token can do."""
    build, target = scene.builds
    forger = Forger(scene.site.address)
    began = datetime.datetime.now(datetime.UTC)
    scene.phase(f"{build.name} is let in")
    running = scene.begin_release(build, Outcome.PROMOTED)
    await running.has_visitors()

    scene.phase("forged reports of errors flood the site")
    token = await _token(forger, build.build_id)
    secret = await asyncio.to_thread(_secret, scene)
    kinds = forgeries(token, secret, build=build.build_id, each=EACH)
    # Mixed, as they would come.
    mixed = [query for group in zip(*kinds.values(), strict=True) for query in group]
    sent_at = scene.now()
    statuses = await forger.send(mixed)
    scene.figure("forged reports a second", len(mixed) / max(0.001, scene.now() - sent_at))
    await running.ends()
    await scene.pause(COUNTED_SECONDS)
    counted = await asyncio.to_thread(_errors, scene, began)
    scene.check(
        "forgeries_are_dropped",
        counted == 0 and set(statuses) == {204},
        f"of {len(mixed)} forged reports of errors ({'; '.join(kinds)}) {counted} errors were counted; each was "
        f"answered {', '.join(str(status) for status in sorted(statuses))}",
    )

    scene.phase(f"{target.name} is let in")
    slander = scene.begin_release(target, Outcome.ROLLED_BACK)
    await slander.has_visitors()
    scene.phase("errors are reported with its real token")
    real = await _token(forger, target.build_id)
    while slander.deploys and not scene.watch.alarms_on:
        await forger.send([f"t={real}{ERRORS}"] * REPLAYS)
        await scene.pause(1.0)
    release = await slander.ends()
    counted = await asyncio.to_thread(_errors, scene, began)
    scene.check(
        "a_real_token_can_stop_a_release",
        counted > 0 and release.alarm_at is not None,
        "what cannot be told from a page's own report is counted: whoever visits a candidate can have it taken back, "
        "and can do no more",
    )


async def _token(forger: Forger, build_id: str) -> str:
    token = await forger.token_of(build_id)
    if not token:
        raise RehearsalError(f"no page of build {build_id} came with a token")
    return token


def _secret(scene: Scene) -> str:
    """Read the site's secret where no visitor can: in the KeyValueStore."""
    name = f"/bluegreen/{scene.site.name}/key-value-store-arn"
    arn = scene.stage.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    return str(scene.stage.key_value(arn, SECRET_KEY))


def _errors(scene: Scene, since: datetime.datetime) -> int:
    """Sum the errors that were counted for any role."""
    queries = [
        {
            "Id": f"{role}_{name}".lower(),
            "MetricStat": {
                "Metric": {
                    "Namespace": METRIC_NAMESPACE,
                    "MetricName": name,
                    "Dimensions": [{"Name": "site", "Value": scene.site.name}, {"Name": "role", "Value": role}],
                },
                "Period": 60,
                "Stat": "Sum",
            },
        }
        for role, name in itertools.product(("stable", "candidate", "other"), (SCRIPT_ERRORS, ASSET_FAILURES))
    ]
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)
    answer = scene.stage.client("cloudwatch").get_metric_data(MetricDataQueries=queries, StartTime=since, EndTime=until)
    return round(sum(sum(result["Values"]) for result in answer["MetricDataResults"]))


SCENARIO = Scenario(
    name=NAME,
    happens="reports of errors that no page has made flood the site: without token, wrongly signed, expired, of "
    "unknown builds, malformed; then some with a real token",
    checked="none of the forged ones is counted and the good build is promoted; with a real token a release can be "
    "stopped, and nothing else",
    builds=lambda workshop: [workshop.fresh(NAME), workshop.fresh(NAME, TARGET)],
    play=play,
    judged=True,
)
