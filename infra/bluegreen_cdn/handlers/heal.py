"""Custom resource: put the files of live builds where the edge will look, before its functions are changed.

Properties: `Site`, `Buckets` (JSON: region to bucket, the primary first), `KeyValueStoreArn`, `Rules` (JSON) and
`Precompress` (`true` or `false`). Before the first build there is nothing to do, nor in a region whose bucket is yet to
come: what was published before it is copied there like everything else.
"""

import json
from collections.abc import Mapping, Sequence

from bluegreen_cdn.aws.clock import Clock
from bluegreen_cdn.aws.key_value_store import CloudFrontKeyValueStore
from bluegreen_cdn.aws.object_store import S3ObjectStore
from bluegreen_cdn.aws.ports import KeyValueStore
from bluegreen_cdn.aws.used_builds import served_builds
from bluegreen_cdn.defaults import HEAL_WAIT_MINUTES, POLL_FLOOR_SECONDS, SYNC_LOOP_SECONDS
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.healing import EdgeRules
from bluegreen_cdn.domain.manifest import MANIFEST_PREFIX
from bluegreen_cdn.errors import InvalidInput, NotFound, VerificationFailed
from bluegreen_cdn.handlers.custom_resource import ResourceAnswer, ResourceRequest, custom_resource
from bluegreen_cdn.handlers.journal import log
from bluegreen_cdn.publish.heal import HealedBuild, Healer
from bluegreen_cdn.publish.heal_arrivals import Arrivals
from bluegreen_cdn.publish.object_store import ObjectStore

_NAMED_IN_MESSAGE = 3


@custom_resource
def handler(request: ResourceRequest) -> ResourceAnswer:
    """Entry point."""
    heal_site(
        CloudFrontKeyValueStore(request.text("KeyValueStoreArn")),
        {region: S3ObjectStore(bucket, region) for region, bucket in _buckets(request.text("Buckets")).items()},
        EdgeRules(rules=_rules(request.text("Rules")), precompress=_yes(request.text("Precompress"))),
        Clock.from_environment(),
    )
    return ResourceAnswer(physical_id=f"heal-{request.text('Site')}")


def heal_site(
    values: KeyValueStore, stores: Mapping[str, ObjectStore], edge: EdgeRules, clock: Clock
) -> Sequence[HealedBuild]:
    """Heal every build that the edge may serve, and wait until every region has what was put.

    Args:
        values: The site's KeyValueStore.
        stores: The bucket of every region, the primary one first. They may not exist.
        edge: What will be in force.
        clock: Waits for the regions.

    Raises:
        PublishError: A file cannot be where the rules look; nothing looks there yet.
        VerificationFailed: A region still lacks some of it.
        CloudError: The cloud refused.
    """
    builds = served_builds(values)
    there = {region: store for region, store in stores.items() if builds and _exists(store)}
    primary, *replicas = stores
    if primary not in there:
        log("nothing to heal", builds=len(builds))
        return ()
    healed = Healer(there[primary], edge).heal(builds)
    for build in healed:
        log("healed", **build.to_json())
    await_arrival(
        Arrivals(there[primary], {region: there[region] for region in replicas if region in there}, builds), clock
    )
    return healed


def await_arrival(arrivals: Arrivals, clock: Clock) -> None:
    """Wait until every region has what was healed.

    Raises:
        VerificationFailed: One still lacks some of it.
    """
    end = clock.now() + clock.minutes(HEAL_WAIT_MINUTES)
    while missing := arrivals.missing():
        if clock.now() > end:
            raise VerificationFailed(_not_arrived(missing))
        log("waiting for the replicas", missing=len(missing))
        clock.sleep(max(clock.seconds(SYNC_LOOP_SECONDS), POLL_FLOOR_SECONDS))


def _not_arrived(missing: Sequence[str]) -> str:
    more = f" and {len(missing) - _NAMED_IN_MESSAGE} more" if len(missing) > _NAMED_IN_MESSAGE else ""
    return (
        f"what the new rules look for has not arrived everywhere: {', '.join(missing[:_NAMED_IN_MESSAGE])}{more}; look "
        f"at the replication of the primary bucket, or mend it (bluegreen verify BUILD --repair), and deploy again"
    )


def _exists(store: ObjectStore) -> bool:
    try:
        next(iter(store.list_keys(MANIFEST_PREFIX)), None)
    except NotFound:
        return False
    return True


def _buckets(text: str) -> Mapping[str, str]:
    value = json.loads(text)
    if not isinstance(value, dict) or not value:
        raise InvalidInput(f"property Buckets of the custom resource is {text!r}; it must be an object of regions")
    return value


def _rules(text: str) -> ClassificationRules:
    return ClassificationRules.from_json(json.loads(text))


def _yes(text: str) -> bool:
    if text not in ("true", "false"):
        raise InvalidInput(f"property Precompress of the custom resource is {text!r}; it must be true or false")
    return text == "true"
