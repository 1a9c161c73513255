"""Scheduled: retention, where the stack asks for it.

What one run has no time for, the next one goes on with.
"""

import os
from typing import Any

from bluegreen_cdn import defaults
from bluegreen_cdn.aws.key_value_store import CloudFrontKeyValueStore
from bluegreen_cdn.aws.used_builds import FunctionVersions, SiteBuilds
from bluegreen_cdn.aws.versioned_store import S3VersionedStore
from bluegreen_cdn.domain.retention import RetentionPolicy
from bluegreen_cdn.errors import InvalidInput
from bluegreen_cdn.handlers.journal import log
from bluegreen_cdn.handlers.settings import Settings
from bluegreen_cdn.publish.collect import Collector


def handler(event: object, context: Any) -> dict[str, object]:
    """Entry point."""
    settings = Settings.from_environment()
    collector = Collector(
        {region: S3VersionedStore(bucket, region) for region, bucket in settings.buckets.items()},
        SiteBuilds(
            CloudFrontKeyValueStore(settings.key_value_store_arn),
            FunctionVersions(settings.release_function, settings.alias),
        ),
        RetentionPolicy(keep_last=int(_number("KEEP_LAST")), skew_days=_number("SKEW_DAYS")),
        most_objects=defaults.SCHEDULED_SWEEP_OBJECTS,
        out_of_time=lambda: context.get_remaining_time_in_millis() < defaults.COLLECT_MARGIN_SECONDS * 1000,
    )
    done = collector.collect()
    said: dict[str, object] = {name: value for name, value in done.to_json().items() if name != "builds"}
    log("retention", kept=list(done.plan.kept), **said)
    return said


def _number(name: str) -> float:
    text = os.environ.get(name, "")
    try:
        return float(text)
    except ValueError as error:
        raise InvalidInput(
            f"environment variable {name} is {text!r}; it must be a number: deploy the site's stack again"
        ) from error
