"""What `cdk deploy` does with the alias: the app of this repository, the real CDK command, the local cloud."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deployed import CDK, IN_STEPS, QUICKLY, Site, deployed_site, two_builds

from bluegreen_cdn import defaults
from bluegreen_cdn.domain.expressions import Role

from .test_dashboard import ADDITIONAL, CLOUDFRONT, metrics

SLOWLY = "rollout=canary:10%:240m:bake=0m"

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.slow,
    pytest.mark.xdist_group("deploys"),
    pytest.mark.skipif(not CDK.exists(), reason="the CDK command is not installed: make setup"),
]


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return two_builds(tmp_path_factory.mktemp)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, builds: dict[str, Path]) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("deploys")
    with deployed_site(folder, builds, regions=("us-east-1",)) as site:
        yield site
    shutil.rmtree(folder, ignore_errors=True)


def test_releases_can_be_repeated_taken_back_retried_and_reversed(site: Site, builds: dict[str, Path]) -> None:
    one, two = (f"build={builds[name]}" for name in ("one", "two"))

    assert site.live() == ("one", {})
    before = site.deployments()

    # An infrastructure-only change: another rollout, another alarm.
    assert site.deploy(one, "build_id=one", QUICKLY, "minimum_page_loads=9").returncode == 0
    assert site.deployments() == before

    # Taken back in the middle. The stack fails, the alias is where it was, and the version of its own is gone.
    stopper = threading.Thread(target=site.stop_once_shifting)
    stopper.start()
    stopped = site.deploy(two, "build_id=two", IN_STEPS)
    stopper.join()
    assert stopped.returncode != 0
    assert site.live() == ("one", {})
    assert site.deployments()[len(before)] == "Stopped"

    # The same build again, a second chance.
    again = site.deploy(two, "build_id=two", QUICKLY)
    assert again.returncode == 0, again.stdout + again.stderr
    assert site.live() == ("two", {})
    so_far = site.deployments()

    # The older one again, by its id alone.
    back = site.deploy("build_id=one", QUICKLY)
    assert back.returncode == 0, back.stdout + back.stderr
    assert site.live() == ("one", {})
    assert site.deployments() == [*so_far, "Succeeded"]


def test_a_build_that_does_not_exist_or_is_another_fails_before_the_alias_moves(
    site: Site, builds: dict[str, Path]
) -> None:
    publish = [sys.executable, "-m", "bluegreen_cdn.cli.main", "publish", str(builds["two"]), "--build-id", "two"]
    subprocess.run([*publish, "--site", "shop"], env=site.environment, check=True, capture_output=True, timeout=60)
    before = site.live(), site.deployments()
    for context, reason in (
        (["build_id=never-published"], "build 'never-published' is not in"),
        ([f"build={builds['one']}", "build_id=two"], "build 'two' exists, and"),
    ):
        done = site.deploy(*context, QUICKLY)
        assert done.returncode != 0
        assert re.search(re.escape(reason), done.stdout + done.stderr)
    assert (site.live(), site.deployments()) == before


def test_the_store_was_seeded_once_and_follows(site: Site) -> None:
    os.environ.pop("AWS_PROFILE", None)
    arn = site.client("ssm").get_parameter(Name="/bluegreen/shop/key-value-store-arn")["Parameter"]["Value"]
    program = (
        "import sys; from bluegreen_cdn.aws.key_value_store import CloudFrontKeyValueStore\n"
        "print(CloudFrontKeyValueStore(sys.argv[1]).read('routing', 'secret').values['routing'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, arn],
        env=site.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["stable"] == site.live()[0]


def test_an_operator_goes_back_and_forth_without_moving_the_alias(site: Site, builds: dict[str, Path]) -> None:
    bluegreen = site.bluegreen

    def status() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(bluegreen("status", "--json"))
        return found

    # Whatever ran before, and whether anything did: two builds, one released over the other.
    for name in ("two", "one"):
        assert site.deploy(f"build={builds[name]}", f"build_id={name}", QUICKLY).returncode == 0
    now, other = "one", "two"
    before = status()
    assert (before["edge"]["stable"], before["alias"]["primary"], before["pin"]) == (now, now, None)
    assert (before["alarms"]["missing"], before["drift"]) == ([], [])
    assert {build["build"]: build["role"] for build in before["builds"]} == {now: "stable", other: "other"}
    assert "nobody can be asked" in bluegreen("rollback", code=2)

    bluegreen("rollback", "--yes")
    pinned = status()
    assert (pinned["edge"]["stable"], pinned["alias"]["primary"], pinned["pin"]) == (other, now, other)
    assert pinned["edge"]["epoch"] == before["edge"]["epoch"] + 1
    assert "nothing to do: " in bluegreen("rollback", "--yes")
    newest, *_ = json.loads(bluegreen("history", "--json"))["releases"]
    assert (newest["build"], newest["result"], newest["reason"]) == (
        now,
        "withdrawn",
        f"rolled back by hand, to build {other}",
    )
    bluegreen("unpin", "--yes")
    assert (status()["edge"]["stable"], status()["pin"]) == (now, None)
    assert "__bg_preview=" + other in bluegreen("preview", other)

    # In the middle of a release: out at the edge at once, and CodeDeploy takes the alias back.
    deploys: list[int] = []
    releasing = threading.Thread(
        target=lambda: deploys.append(site.deploy(f"build={builds[other]}", f"build_id={other}", SLOWLY).returncode)
    )
    releasing.start()
    end = time.monotonic() + 120
    while status()["edge"]["weight"] != 1000 and time.monotonic() < end:
        time.sleep(0.1)
    during = status()
    assert during["deployment"]["next"] == "100 %, 240 min after 10 % began"
    bluegreen("rollback", "--yes")
    assert (status()["edge"]["stable"], status()["edge"]["weight"]) == (now, 0)
    releasing.join()
    assert deploys != [0]
    assert site.live() == (now, {})
    newest, *_ = json.loads(bluegreen("history", "--json"))["releases"]
    assert (newest["build"], newest["result"]) == (other, "withdrawn")
    assert newest["reason"] == f"build {other} was taken back by hand"


def test_a_candidate_that_the_edge_does_not_serve_is_refused_with_the_old_build_untouched(
    site: Site, builds: dict[str, Path]
) -> None:
    def newest() -> dict[str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "bluegreen_cdn.cli.main", "history", "--site", "shop", "--json"],
            env=site.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        found: dict[str, str] = json.loads(done.stdout)["releases"][0]
        return found

    assert site.deploy(f"build={builds['one']}", "build_id=one", QUICKLY).returncode == 0
    two = (f"build={builds['two']}", "build_id=two", QUICKLY)

    # The edge cannot read what replicas and manifest say is there.
    bucket = "bluegreen-shop-" + site.environment["CDK_DEFAULT_ACCOUNT"] + "-us-east-1"
    site.edge.purge()
    site.edge.order_fault({"origin": bucket, "fault": 403})
    before = site.deployments()
    refused = site.deploy(*two)
    assert refused.returncode != 0
    page = r"https://\w+\.cloudfront\.net/ \(\w+\): status 403 .* instead of 200"
    said = " ".join((refused.stdout + refused.stderr).split())
    assert re.search(r"CREATE_FAILED|UPDATE_FAILED", said)
    assert re.search(rf"build two does not come through the distribution as it was published; {page}", said)
    assert (site.live(), site.deployments()) == (("one", {}), before), "the alias has not been touched"
    (shop,) = site.client("cloudformation").describe_stacks(StackName="shop")["Stacks"]
    assert shop["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    told = newest()
    assert (told["build"], told["result"]) == ("two", "refused")
    assert re.search(page, told["reason"])
    site.edge.order_fault({"origin": bucket, "fault": "none"})

    # Nobody is taken for a distribution that answers.
    site.cloud.admin("edge", {"url": None})
    nobody = site.deploy(*two)
    assert nobody.returncode != 0
    assert "no edge simulator is in front of this local cloud" in nobody.stdout + nobody.stderr
    assert "no edge simulator is in front of this local cloud" in newest()["reason"]
    site.cloud.connect_edge(site.edge.address)

    again = site.deploy(*two)
    assert again.returncode == 0, again.stdout + again.stderr
    assert site.live() == ("two", {})
    loads = site.client("cloudwatch").list_metrics(Namespace="BluegreenCdn", MetricName="PageLoads")["Metrics"]
    assert loads == [], "nobody has opened a page, and the smoke fetch counts as nobody"


def test_every_widget_of_the_dashboard_shows_what_is_really_written(site: Site) -> None:
    """What the functions of the deployed bundles have written, by exact dimensions; CloudFront's as documented."""
    cloudwatch, functions = site.client("cloudwatch"), site.client("lambda")
    (reporter,) = (
        function["FunctionName"]
        for page in functions.get_paginator("list_functions").paginate()
        for function in page["Functions"]
        if function.get("Description") == "shop: what browsers report, as metrics"
    )
    for role in Role:
        headers = {defaults.ROLE_HEADER: role.value, defaults.BUILD_HEADER: "one"}
        beacon = {"rawPath": "/_bluegreen/beacon", "headers": headers, "queryStringParameters": {"l": "1"}}
        answer = functions.invoke(FunctionName=reporter, Payload=json.dumps(beacon))
        assert json.load(answer["Payload"])["statusCode"] == 204

    def written() -> set[tuple[str, str, frozenset[tuple[str, str]]]]:
        return {
            (found["Namespace"], found["MetricName"], frozenset((d["Name"], d["Value"]) for d in found["Dimensions"]))
            for page in cloudwatch.get_paginator("list_metrics").paginate(Namespace=defaults.METRIC_NAMESPACE)
            for found in page["Metrics"]
        }

    end = time.monotonic() + 60
    while not any(name == defaults.SYNC_HEARTBEAT_METRIC for _, name, _ in written()) and time.monotonic() < end:
        time.sleep(0.2)
    body = json.loads(cloudwatch.get_dashboard(DashboardName="bluegreen-shop-releases")["DashboardBody"])
    exist, shown = written(), list(metrics(body["widgets"]))
    (distribution,) = site.client("cloudfront").list_distributions()["DistributionList"]["Items"]
    for namespace, name, dimensions, statistic, _ in shown:
        if namespace == "AWS/CloudFront":
            assert (dimensions, statistic) == (
                {"DistributionId": distribution["Id"], "Region": "Global"},
                {**CLOUDFRONT, **ADDITIONAL}[name],
            )
        else:
            assert (namespace, name, frozenset(dimensions.items())) in exist
    assert {name for namespace, name, *_ in shown if namespace != "AWS/CloudFront"} >= {name for _, name, _ in exist}
    alarms = {alarm["AlarmArn"] for alarm in cloudwatch.describe_alarms()["MetricAlarms"]}
    (widget,) = (widget for widget in body["widgets"] if widget["type"] == "alarm")
    assert set(widget["properties"]["alarms"]) == alarms
