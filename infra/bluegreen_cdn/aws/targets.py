"""The buckets that the command line names: opened for publishing, or with their versions."""

from collections.abc import Iterable, Mapping

from bluegreen_cdn.aws.bulk_store import open_bucket
from bluegreen_cdn.aws.session import client
from bluegreen_cdn.aws.versioned_store import S3VersionedStore
from bluegreen_cdn.domain.targets import TargetSpec
from bluegreen_cdn.publish.targets import Target


def open_targets(specs: Iterable[TargetSpec], *, connections: int) -> list[Target]:
    """Buckets to publish to; a store that is not AWS's is asked what it keeps before it gets a build.

    Raises:
        CloudError: A region or profile is not configured.
    """
    return [
        Target(
            name=spec.name,
            place=spec.place,
            store=open_bucket(
                spec.bucket, spec.region, connections=connections, endpoint=spec.endpoint, profile=spec.profile
            ),
            probed=spec.endpoint is not None,
        )
        for spec in specs
    ]


def open_versioned(specs: Iterable[TargetSpec], *, connections: int = 10) -> Mapping[str, S3VersionedStore]:
    """Buckets to verify and to collect from, by their targets' names.

    Raises:
        CloudError: A region or profile is not configured.
    """
    return {
        spec.name: S3VersionedStore(
            spec.bucket,
            spec.region,
            s3=client("s3", spec.region, connections=connections, endpoint=spec.endpoint, profile=spec.profile),
            service=f"{spec.endpoint or ''} {spec.profile or ''}".strip(),
        )
        for spec in specs
    }
