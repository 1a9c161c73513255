"""The cloud as the handlers see it, in memory; and CloudFormation's end of a custom resource."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bluegreen_cdn import defaults
from bluegreen_cdn.aws.fake_edge import FakeEdge
from bluegreen_cdn.aws.fakes import FakeAlarms, FakeClock, FakeKeyValueStore, FakeReleases, FakeReports
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.control import ControlState, Outcome
from bluegreen_cdn.domain.observation import AliasTraffic
from bluegreen_cdn.domain.routing import RoutingState
from bluegreen_cdn.handlers.settings import Cloud, Settings
from bluegreen_cdn.publish.execute import execute
from bluegreen_cdn.publish.memory_source import MemorySource
from bluegreen_cdn.publish.memory_store import MemoryStore
from bluegreen_cdn.publish.plan import plan_publish

BUILDS = ("a1", "b2", "c3")
REGIONS = ("us-east-1", "eu-west-1")


class Plane:
    """A control plane on fakes: `a1` is live, `b2` and `c3` are published beside it in both regions."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = FakeKeyValueStore()
        self.releases = FakeReleases(traffic=AliasTraffic(primary="a1"))
        self.alarms = FakeAlarms()
        self.reports = FakeReports()
        self.buckets = {region: MemoryStore() for region in REGIONS}
        for build in BUILDS:
            self._publish(build)
        self.seed(epoch=1, stable="a1")
        self.store.write({defaults.SECRET_KEY: "0123456789abcdef" * 4})
        self.edge = FakeEdge(self.buckets["us-east-1"], self.store, self.clock, precompress=False)

    def _publish(self, build: str) -> None:
        source = MemorySource(
            {
                "index.html": f"<p>{build}",
                "favicon.ico": build,
                "assets/app-B3x9aZ0q.js": "app",
                f"assets/page-{build * 4}.js": build,
            }
        )
        rules = ClassificationRules.default()
        for bucket in self.buckets.values():
            plan = plan_publish(build, source.listing(), rules=rules, mode="spa")
            execute(plan, source, bucket, workers=1)
            bucket.faults.calls.clear()
        self.store.write({f"{defaults.BUILD_KEY_PREFIX}{build}": '{"format":1}'})

    def seed(self, **fields: Any) -> None:
        """Write a routing state as somebody else."""
        self.store.write({defaults.ROUTING_KEY: RoutingState(**fields).to_json()})

    def cloud(self, **settings: Any) -> Cloud:
        """The cloud as a handler is given it."""
        values: dict[str, Any] = {
            "site": "shop",
            "key_value_store_arn": "arn",
            "release_function": "release",
            "alias": "live",
            "codedeploy_application": "application",
            "codedeploy_group": "group",
            "alarm_names": ("worse",),
            "buckets": {region: region for region in REGIONS},
            "bake_minutes": 5,
            "holdout_basis_points": 500,
            "distribution_domain": FakeEdge.domain,
            "smoke_fetch": True,
            "verdict_period_seconds": 300,
            "minimum_sample": 0,
            **settings,
        }
        return Cloud(
            settings=Settings(**values),
            store=self.store,
            releases=self.releases,
            alarms=self.alarms,
            reports=self.reports,
            edge=self.edge,
            buckets=self.buckets,
            clock=self.clock,
        )

    @property
    def routing(self) -> RoutingState:
        return RoutingState.from_json(self.store.values[defaults.ROUTING_KEY])

    @property
    def control(self) -> ControlState:
        text = self.store.values.get(defaults.CONTROL_KEY)
        return ControlState.from_json(text) if text else ControlState()

    @property
    def outcome(self) -> Outcome | None:
        text = self.store.values.get(defaults.OUTCOME_KEY)
        return Outcome.from_json(text) if text else None


@pytest.fixture
def plane() -> Plane:
    """A control plane on fakes."""
    return Plane()


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """Gives the lines logged since it was last asked."""

    def read() -> list[dict[str, Any]]:
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return read


class Formation:
    """Where the answers arrive."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.sizes: list[int] = []
        self.arrived = threading.Event()
        formation = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                formation.sizes.append(len(data))
                formation.headers.append(dict(self.headers.items()))
                formation.answers.append(json.loads(data))
                self.send_response(200)
                self.end_headers()
                formation.arrived.set()

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/answer?X-Amz-Signature=top-secret"

    def event(self, kind: str = "Create", **values: Any) -> dict[str, Any]:
        return {
            "RequestType": kind,
            "ResponseURL": self.url,
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "Publish",
            "ResourceProperties": {"Name": "ada", "Password": "hunter2"},
            **({} if kind == "Create" else {"PhysicalResourceId": "before"}),
            **values,
        }

    @property
    def answer(self) -> dict[str, Any]:
        (only,) = self.answers
        return only


class Context:
    """A function with so much time left."""

    def __init__(self, seconds: float = 600) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self._seconds * 1000)


@pytest.fixture
def formation() -> Iterator[Formation]:
    made = Formation()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def context() -> Callable[..., Context]:
    """Makes the context of an invocation."""
    return Context
