"""What the stack tells the control plane's functions, and the cloud as they use it."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from bluegreen_cdn.aws.alarms import CloudWatchAlarms
from bluegreen_cdn.aws.client_signals import CloudWatchSignals
from bluegreen_cdn.aws.clock import Clock
from bluegreen_cdn.aws.edge import HttpEdge
from bluegreen_cdn.aws.key_value_store import CloudFrontKeyValueStore
from bluegreen_cdn.aws.object_store import S3ObjectStore
from bluegreen_cdn.aws.ports import Alarms, Edge, KeyValueStore, Releases, Reports
from bluegreen_cdn.aws.releases import CodeDeployReleases
from bluegreen_cdn.defaults import (
    BAKE_MAXIMUM_MINUTES,
    FULL_WEIGHT_BASIS_POINTS,
    NO_TRAFFIC_PAGE_LOADS_MAXIMUM,
    VERDICT_PERIOD_MAXIMUM_SECONDS,
    VERIFY_WORKERS,
)
from bluegreen_cdn.errors import InvalidInput
from bluegreen_cdn.publish.object_store import ObjectStore


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The environment of the traffic sync and the hooks.

    Attributes:
        site: Name of the site.
        key_value_store_arn: The store that every edge reads.
        release_function: The function whose versions are the builds.
        alias: Its alias.
        codedeploy_application: The application that shifts the alias.
        codedeploy_group: Its deployment group.
        alarm_names: The alarms that a release is watched by.
        buckets: The bucket of every region, the primary one first.
        bake_minutes: How long the full candidate is watched.
        holdout_basis_points: Share kept on stable until then.
        distribution_domain: Where a candidate is fetched before it is let in.
        smoke_fetch: Whether it is.
        verdict_period_seconds: How far back the verdict's alarm looks.
        minimum_sample: Page loads that a candidate needs to become stable; 0 if it needs none.
    """

    site: str
    key_value_store_arn: str
    release_function: str
    alias: str
    codedeploy_application: str
    codedeploy_group: str
    alarm_names: tuple[str, ...]
    buckets: Mapping[str, str]
    bake_minutes: int
    holdout_basis_points: int
    distribution_domain: str
    smoke_fetch: bool
    verdict_period_seconds: int
    minimum_sample: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the environment.

        Raises:
            InvalidInput: A variable is missing, or is not what it should be.
        """
        return cls(
            site=_text(environment, "SITE"),
            key_value_store_arn=_text(environment, "KEY_VALUE_STORE_ARN"),
            release_function=_text(environment, "RELEASE_FUNCTION"),
            alias=_text(environment, "ALIAS"),
            codedeploy_application=_text(environment, "CODEDEPLOY_APPLICATION"),
            codedeploy_group=_text(environment, "CODEDEPLOY_GROUP"),
            alarm_names=_names(environment, "ALARM_NAMES"),
            buckets=_buckets(environment, "BUCKETS"),
            bake_minutes=_number(environment, "BAKE_MINUTES", BAKE_MAXIMUM_MINUTES),
            holdout_basis_points=_number(environment, "HOLDOUT_BASIS_POINTS", FULL_WEIGHT_BASIS_POINTS),
            distribution_domain=_text(environment, "DISTRIBUTION_DOMAIN"),
            smoke_fetch=_switch(environment, "SMOKE_FETCH"),
            verdict_period_seconds=_number(environment, "VERDICT_PERIOD_SECONDS", VERDICT_PERIOD_MAXIMUM_SECONDS),
            minimum_sample=_number(environment, "MINIMUM_SAMPLE", NO_TRAFFIC_PAGE_LOADS_MAXIMUM),
        )


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """Everything that the control plane talks to.

    Attributes:
        settings: What the stack says.
        store: The KeyValueStore.
        releases: Alias and CodeDeploy.
        alarms: The watched alarms.
        reports: What browsers reported.
        edge: The distribution.
        buckets: The bucket of every region, the primary one first.
        clock: Time.
    """

    settings: Settings
    store: KeyValueStore
    releases: Releases
    alarms: Alarms
    reports: Reports
    edge: Edge
    buckets: Mapping[str, ObjectStore]
    clock: Clock


@cache
def cloud() -> Cloud:
    """The cloud that the environment names; made once per process, so that a warm function keeps its clients."""
    settings = Settings.from_environment()
    clock = Clock.from_environment()
    return Cloud(
        settings=settings,
        store=CloudFrontKeyValueStore(settings.key_value_store_arn, clock=clock),
        releases=CodeDeployReleases(
            function=settings.release_function,
            alias=settings.alias,
            application=settings.codedeploy_application,
            group=settings.codedeploy_group,
        ),
        alarms=CloudWatchAlarms(settings.alarm_names),
        reports=CloudWatchSignals(settings.site, clock=clock),
        edge=HttpEdge.from_environment(settings.distribution_domain),
        buckets={
            region: S3ObjectStore(bucket, region, connections=VERIFY_WORKERS)
            for region, bucket in settings.buckets.items()
        },
        clock=clock,
    )


def _text(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise InvalidInput(f"environment variable {name} is not set; the site's stack sets it: deploy the stack again")
    return value


def _number(environment: Mapping[str, str], name: str, most: int) -> int:
    value = _text(environment, name)
    if not value.isdecimal() or int(value) > most:
        raise InvalidInput(f"environment variable {name} is {value!r}; it must be a whole number from 0 to {most}")
    return int(value)


def _switch(environment: Mapping[str, str], name: str) -> bool:
    value = _text(environment, name)
    if value not in ("true", "false"):
        raise InvalidInput(f"environment variable {name} is {value!r}; it must be true or false")
    return value == "true"


def _names(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    value = _json(environment, name)
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise InvalidInput(f"environment variable {name} is {value!r}; it must be a JSON list of names")
    return tuple(value)


def _buckets(environment: Mapping[str, str], name: str) -> Mapping[str, str]:
    value = _json(environment, name)
    if not isinstance(value, dict) or not value or not all(isinstance(item, str) and item for item in value.values()):
        raise InvalidInput(f"environment variable {name} is {value!r}; it must be a JSON object of region and bucket")
    return value


def _json(environment: Mapping[str, str], name: str) -> object:
    text = _text(environment, name)
    try:
        value: object = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"environment variable {name} is {text[:60]!r}; it must be JSON") from error
    return value
