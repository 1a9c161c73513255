"""Finding a deployed site's control plane by the site's name."""

import json
from collections.abc import Sequence

from bluegreen_cdn.aws.alarms import CloudWatchAlarms
from bluegreen_cdn.aws.client_signals import CloudWatchSignals
from bluegreen_cdn.aws.clock import Clock
from bluegreen_cdn.aws.key_value_store import CloudFrontKeyValueStore
from bluegreen_cdn.aws.object_store import S3ObjectStore
from bluegreen_cdn.aws.operator import OperatedSite
from bluegreen_cdn.aws.release_records import CodeDeployRecords
from bluegreen_cdn.aws.releases import CodeDeployReleases
from bluegreen_cdn.aws.site import find_site
from bluegreen_cdn.defaults import VERIFY_WORKERS
from bluegreen_cdn.domain.regions import EDGE_REGION
from bluegreen_cdn.errors import ForeignState


def open_site(name: str) -> OperatedSite:
    """The control plane of a deployed site.

    Raises:
        NotFound: There is no such site in this account.
        ForeignState: Its parameters are incomplete: an older version of this package deployed it.
    """
    deployed = find_site(name)
    clock = Clock.from_environment()
    try:
        function, alias = deployed.parameters["alias"].split(":")
        control = json.loads(deployed.parameters["control"])
        application, group = str(control["application"]), str(control["group"])
        alarms, own_alarms = _names(control["alarms"]), _names(control["own_alarms"])
        buckets, holdout = dict(control["buckets"]), int(control["holdout"])
        domain = deployed.parameters["distribution-domain"]
    except (KeyError, TypeError, ValueError) as error:
        raise ForeignState(
            f"site {name!r} does not say how it is controlled (parameters under '/bluegreen/{name}/', {error!r}): "
            f"its deploy has not finished, or was one of an older version; deploy it again"
        ) from error
    releases = CodeDeployReleases(
        function=function, alias=alias, application=application, group=group, region=EDGE_REGION
    )
    return OperatedSite(
        name=name,
        domain=domain,
        rules=deployed.rules,
        precompress=deployed.parameters.get("precompress") == "true",
        holdout=holdout,
        store=CloudFrontKeyValueStore(deployed.key_value_store_arn, clock=clock),
        releases=releases,
        records=CodeDeployRecords(application=application, group=group, releases=releases, region=EDGE_REGION),
        alarms=CloudWatchAlarms(alarms, region=EDGE_REGION),
        own_alarms=CloudWatchAlarms(own_alarms, region=EDGE_REGION),
        signals=CloudWatchSignals(name, region=EDGE_REGION, clock=clock),
        buckets={
            region: S3ObjectStore(bucket, region, connections=VERIFY_WORKERS) for region, bucket in buckets.items()
        },
        clock=clock,
    )


def _names(value: Sequence[object]) -> tuple[str, ...]:
    return tuple(str(name) for name in value)
