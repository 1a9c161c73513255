"""A deployed site on fakes, as the operator's commands meet it."""

from collections.abc import Callable
from typing import Any

import pytest

from bluegreen_cdn import defaults
from bluegreen_cdn.aws import operator_site
from bluegreen_cdn.aws.fake_edge import FakeEdge
from bluegreen_cdn.aws.fakes import FakeAlarms, FakeClock, FakeKeyValueStore, FakeReleases, FakeReports
from bluegreen_cdn.aws.operator import OperatedSite
from bluegreen_cdn.aws.operator_ports import FakeRecords, FakeSignals
from bluegreen_cdn.cli.main import run
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.control import ControlState, Outcome
from bluegreen_cdn.domain.observation import AliasTraffic, DeploymentStatus
from bluegreen_cdn.domain.routing import RoutingState
from bluegreen_cdn.domain.status_releases import Schedule
from bluegreen_cdn.handlers.settings import Cloud, Settings
from bluegreen_cdn.handlers.sync import sync_once
from bluegreen_cdn.publish.execute import execute
from bluegreen_cdn.publish.memory_source import MemorySource
from bluegreen_cdn.publish.memory_store import MemoryStore
from bluegreen_cdn.publish.plan import plan_publish

REGIONS = ("us-east-1", "eu-west-1")
RULES = ClassificationRules.default()
SECRET = "5ec2e7" * 10 + "5ec2"


class Shop:
    """The site `shop`: build `two` was released over `one`, `three` is published, `old` has other rules."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = FakeKeyValueStore({defaults.SECRET_KEY: SECRET})
        self.releases = FakeReleases(traffic=AliasTraffic(primary="one"))
        self.alarms, self.own_alarms = FakeAlarms(), FakeAlarms()
        self.records = FakeRecords(self.releases.history, Schedule(step_basis_points=1000, interval_minutes=5))
        self.signals = FakeSignals()
        self.buckets = {region: MemoryStore() for region in REGIONS}
        for build in ("one", "two", "three"):
            self.publish(build)
        self.publish("old", rules=ClassificationRules(hashed_folders=("bundles/",)))
        self.store.write({defaults.ROUTING_KEY: RoutingState(epoch=1, stable="one").to_json()})
        self.begin("two")
        self.releases.shift(10_000)
        self.sync()
        self.releases.end(DeploymentStatus.SUCCEEDED)
        self.sync()

    def publish(self, build: str, rules: ClassificationRules = RULES) -> None:
        files = {"index.html": f"<p>{build}", "favicon.ico": build, "assets/index-B3x9aZ0q.js": "export default 1"}
        source = MemorySource(files)
        for bucket in self.buckets.values():
            execute(plan_publish(build, source.listing(), rules=rules, mode="spa"), source, bucket, workers=1)
        self.store.write({f"{defaults.BUILD_KEY_PREFIX}{build}": '{"format":1}'})

    def begin(self, build: str) -> None:
        """A release begins."""
        self.clock.time += 100
        self.releases.begin(build, created=self.clock.time)

    def sync(self) -> None:
        """Let the traffic sync look once."""
        settings = Settings(
            site="shop",
            key_value_store_arn="arn",
            release_function="release",
            alias="live",
            codedeploy_application="application",
            codedeploy_group="group",
            alarm_names=(),
            buckets=dict.fromkeys(REGIONS, "bucket"),
            bake_minutes=5,
            holdout_basis_points=500,
            distribution_domain=FakeEdge.domain,
            smoke_fetch=True,
            verdict_period_seconds=300,
            minimum_sample=0,
        )
        cloud = Cloud(
            settings=settings,
            store=self.store,
            releases=self.releases,
            alarms=self.alarms,
            reports=FakeReports(),
            edge=FakeEdge(self.buckets["us-east-1"], self.store, self.clock, precompress=False),
            buckets=self.buckets,
            clock=self.clock,
        )
        sync_once(cloud)

    def operated(self) -> OperatedSite:
        return OperatedSite(
            name="shop",
            domain="d111.cloudfront.net",
            rules=RULES,
            precompress=False,
            holdout=500,
            store=self.store,
            releases=self.releases,
            records=self.records,
            alarms=self.alarms,
            own_alarms=self.own_alarms,
            signals=self.signals,
            buckets=self.buckets,
            clock=self.clock,
        )

    @property
    def routing(self) -> RoutingState:
        return RoutingState.from_json(self.store.values[defaults.ROUTING_KEY])

    @property
    def control(self) -> ControlState:
        return ControlState.from_json(self.store.values.get(defaults.CONTROL_KEY) or ControlState().to_json())

    @property
    def outcome(self) -> Outcome:
        return Outcome.from_json(self.store.values[defaults.OUTCOME_KEY])


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shop:
    """The site `shop`, which every command finds."""
    made = Shop()
    capsys.readouterr()

    def open_site(name: str) -> OperatedSite:
        assert name == "shop"
        return made.operated()

    monkeypatch.setattr(operator_site, "open_site", open_site)
    return made


@pytest.fixture
def bluegreen(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Runs a command on `shop`: exit code, output, complaints."""

    def command(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run([*arguments, "--site", "shop"])
        written = capsys.readouterr()
        return code, written.out, written.err

    return command
