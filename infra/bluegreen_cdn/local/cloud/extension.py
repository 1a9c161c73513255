"""Puts everything together: what ministack lacks, installed into it before it serves."""

from dataclasses import dataclass

from bluegreen_cdn.local.cloud import (
    alarm_records,
    bucket_resources,
    kvs_faults,
    lambda_versions,
    lambda_workers,
    s3_faults,
    schedules,
    weighted_alias,
)
from bluegreen_cdn.local.cloud.alarms import Alarms
from bluegreen_cdn.local.cloud.clock import ScaledClock
from bluegreen_cdn.local.cloud.codedeploy_api import CodeDeployApi
from bluegreen_cdn.local.cloud.codedeploy_resources import CodeDeployResources
from bluegreen_cdn.local.cloud.deployment_engine import DeploymentEngine
from bluegreen_cdn.local.cloud.deployment_model import Scope
from bluegreen_cdn.local.cloud.deployment_store import DeploymentStore
from bluegreen_cdn.local.cloud.faults import Faults
from bluegreen_cdn.local.cloud.metric_api import MetricApi
from bluegreen_cdn.local.cloud.metric_store import MetricStore
from bluegreen_cdn.local.cloud.ministack_modules import Ministack
from bluegreen_cdn.local.cloud.monitoring_subscription import MonitoringSubscriptions
from bluegreen_cdn.local.cloud.replication import Replication
from bluegreen_cdn.local.cloud.seams import require
from bluegreen_cdn.local.cloud.stack_events import StackEvents
from bluegreen_cdn.local.cloud.surroundings import MinistackSurroundings
from bluegreen_cdn.local.cloud.timeline import Timeline


@dataclass(frozen=True, kw_only=True)
class Extension:
    """What the admin API reaches."""

    clock: ScaledClock
    timeline: Timeline
    engine: DeploymentEngine
    faults: Faults


def install(ministack: Ministack, clock: ScaledClock) -> Extension:
    """Extend ministack in place.

    Raises:
        LocalCloudError: A private name that we patch is not there.
    """
    timeline = Timeline()
    weighted_alias.install(ministack.lambda_service, timeline)
    surroundings = MinistackSurroundings(ministack, clock, timeline)
    engine = _install_codedeploy(ministack, surroundings, clock, timeline)
    faults = Faults()
    _install_cloudwatch(ministack, surroundings, clock, timeline, faults)
    schedules.install(ministack.events, clock)
    lambda_versions.install(ministack.provisioners)
    MonitoringSubscriptions(ministack.provisioners)
    StackEvents(ministack.stacks)
    bucket_resources.install(ministack.s3, ministack.provisioners)
    Replication(ministack.s3, ministack.responses, faults, clock, timeline)
    s3_faults.install(ministack.s3, faults, clock)
    kvs_faults.install(ministack.key_value_store, faults, timeline)
    return Extension(clock=clock, timeline=timeline, engine=engine, faults=faults)


def _install_cloudwatch(
    ministack: Ministack, surroundings: MinistackSurroundings, clock: ScaledClock, timeline: Timeline, faults: Faults
) -> None:
    store = MetricStore(ministack.cloudwatch, clock)
    MetricApi(ministack.cloudwatch, store, clock)
    lambda_workers.install(ministack, store, faults)
    alarm_records.install(ministack.cloudwatch, ministack.provisioners)
    scope = ministack.responses.request_scope
    Alarms(ministack.cloudwatch, scope, store, clock, timeline, surroundings.send_event).start()


def _install_codedeploy(
    ministack: Ministack, surroundings: MinistackSurroundings, clock: ScaledClock, timeline: Timeline
) -> DeploymentEngine:
    def scope() -> Scope:
        return Scope(account=ministack.responses.get_account_id(), region=ministack.responses.get_region())

    require(ministack.app, "SERVICE_HANDLERS")
    require(ministack.router, "SERVICE_PATTERNS")
    store = DeploymentStore()
    engine = DeploymentEngine(surroundings, clock, timeline)
    api = CodeDeployApi(store, engine, scope, clock.now)
    ministack.app.SERVICE_HANDLERS["codedeploy"] = api.handle
    ministack.router.SERVICE_PATTERNS["codedeploy"] = {
        "target_prefixes": ["CodeDeploy_20141006"],
        "host_patterns": [r"codedeploy\."],
    }
    CodeDeployResources(ministack, store, engine).install(ministack.stacks)
    return engine
