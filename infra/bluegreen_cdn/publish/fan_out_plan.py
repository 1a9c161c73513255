"""Several buckets made ready for a plan that was made for the first of them, and what it means for each."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bluegreen_cdn.defaults import UPLOAD_WORKERS
from bluegreen_cdn.domain.manifest import MANIFEST_PREFIX
from bluegreen_cdn.domain.verification import ExpectedObject, expected_objects
from bluegreen_cdn.publish.fan_out import FanOutStore
from bluegreen_cdn.publish.fan_out_fill import look_for
from bluegreen_cdn.publish.object_store import StoredObject
from bluegreen_cdn.publish.plan import PublishPlan
from bluegreen_cdn.publish.targets import Target


@dataclass(kw_only=True)
class TargetPlan:
    """What a publish means for one of several buckets.

    Attributes:
        target: What messages call it.
        place: The bucket and whose it is.
        upload_files: Files that are sent to all of them.
        upload_bytes: Their bytes.
        copy_files: Files that are copied on the server, or sent if one of the buckets cannot.
        copy_bytes: Their bytes.
        fill_files: Objects that the primary has of earlier builds, and this bucket lacks.
        fill_bytes: Their bytes.
    """

    target: str
    place: str
    upload_files: int
    upload_bytes: int
    copy_files: int
    copy_bytes: int
    fill_files: int = 0
    fill_bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        """The plan for other programs."""
        return dict(vars(self))


def open_everywhere(plan: PublishPlan, targets: Sequence[Target], *, workers: int = UPLOAD_WORKERS) -> FanOutStore:
    """Several buckets as one, for `execute`; a build that is published is brought to those that lack it.

    Args:
        plan: The plan, made for the first of them.
        targets: The buckets, the primary one first.
        workers: Threads that fill in what a bucket lacks. Default: `UPLOAD_WORKERS`.

    Raises:
        TargetFailed: A bucket does not answer; nothing was written to any.
        PublishError: A bucket has other files under the same names.
    """
    for target in targets:
        with target.named():
            next(iter(target.store.list_keys(MANIFEST_PREFIX)), None)
    everywhere = FanOutStore(targets, plan.condemned, workers=workers)
    if plan.published:
        everywhere.mirror(plan.manifest.build_id)
    return everywhere


def plan_targets(plan: PublishPlan, targets: Sequence[Target], *, workers: int = UPLOAD_WORKERS) -> list[TargetPlan]:
    """What a plan means for every bucket; writes nothing.

    Args:
        plan: The plan, made for the first of them.
        targets: The buckets, the primary one first.
        workers: Threads that look. Default: `UPLOAD_WORKERS`.

    Raises:
        TargetFailed: A bucket does not answer.
    """
    primary, *others = targets
    found = [
        TargetPlan(
            target=target.name,
            place=target.place,
            upload_files=len(plan.uploads),
            upload_bytes=plan.upload_bytes,
            copy_files=len(plan.copies),
            copy_bytes=plan.copy_bytes,
        )
        for target in targets
    ]
    for target, outlook in zip(others, found[1:], strict=True):
        with target.named():
            _look(plan, target, primary, outlook, workers)
    return found


def _look(plan: PublishPlan, target: Target, primary: Target, outlook: TargetPlan, workers: int) -> None:
    build_id, reused = plan.manifest.build_id, {reuse.key for reuse in plan.reuses}
    lock = threading.Lock()

    def objects() -> Iterator[ExpectedObject]:
        for file in plan.manifest.files:
            if plan.published or file.key in reused:
                yield from expected_objects(file, build_id)

    def lacks(expected: ExpectedObject, there: StoredObject | None) -> None:
        with lock:
            outlook.fill_files += 1
            outlook.fill_bytes += expected.size

    look_for(target, primary, objects, lacks, everywhere=(), condemned=plan.condemned, workers=workers)
