"""Carry a plan out in several buckets: the whole story, for the command line and whoever imports it."""

from collections.abc import Sequence
from typing import Any

from bluegreen_cdn.defaults import UPLOAD_WORKERS
from bluegreen_cdn.domain.manifest import MANIFEST_PREFIX
from bluegreen_cdn.publish.execute import PublishResult, execute
from bluegreen_cdn.publish.fan_out import FanOutStore
from bluegreen_cdn.publish.plan import PublishPlan
from bluegreen_cdn.publish.ports import BuildRegistry, Progress
from bluegreen_cdn.publish.source import Source
from bluegreen_cdn.publish.targets import Target


def execute_everywhere(
    plan: PublishPlan,
    source: Source,
    targets: Sequence[Target],
    *,
    registry: BuildRegistry | None = None,
    progress: Progress | None = None,
    workers: int = UPLOAD_WORKERS,
) -> tuple[PublishResult, list[dict[str, Any]]]:
    """Carry a plan out in several buckets; a build exists exactly when every one of them is whole.

    Args:
        plan: The plan, made for the first of them.
        source: What it was made from.
        targets: The buckets, the primary one first.
        registry: Told last that the build exists. Default: nobody is told.
        progress: Whoever watches. Default: nobody.
        workers: Threads that upload. Default: `UPLOAD_WORKERS`.

    Returns:
        What was done, and what every bucket has got.

    Raises:
        TargetFailed: A bucket refused; repeating the publish completes it.
        PublishError: See `execute`.
        CloudError: The cloud refused.
    """
    check_reachable(targets)
    everywhere = FanOutStore(targets, plan.condemned, workers=workers)
    if plan.published:
        everywhere.mirror(plan.manifest.build_id)
    result = execute(plan, source, everywhere, registry=registry, progress=progress, workers=workers)
    return result, everywhere.to_json()


def check_reachable(targets: Sequence[Target]) -> None:
    """See that every bucket answers, before anything is written to any.

    Raises:
        TargetFailed: One does not.
    """
    for target in targets:
        with target.named():
            next(iter(target.store.list_keys(MANIFEST_PREFIX)), None)
