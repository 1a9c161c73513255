"""What a publisher does about what retention has condemned: it puts that again, so that another version stays."""

import time
from dataclasses import replace
from itertools import chain

from bluegreen_cdn.defaults import PUBLISH_MAXIMUM_HOURS
from bluegreen_cdn.domain.manifest import ReadableManifest, manifest_key
from bluegreen_cdn.errors import PublishError
from bluegreen_cdn.publish.collect_condemned import Condemned
from bluegreen_cdn.publish.compress_plan import precompress_again
from bluegreen_cdn.publish.object_store import ObjectStore
from bluegreen_cdn.publish.plan import PublishPlan, Upload, largest_first


def heed(plan: PublishPlan, condemned: Condemned) -> PublishPlan:
    """The plan with every condemned file and variant to be put again, though a manifest names it already.

    Args:
        plan: What publishing means without retention.
        condemned: What is condemned, read before the manifests were.
    """
    if not condemned.sweeps:
        return replace(plan, condemned=condemned)
    # What is copied, too, is put again if it is found in place.
    planned = {upload.key for upload in (*plan.uploads, *(copy.upload for copy in plan.copies))}
    uploads = [
        Upload(file=file, build_id=plan.manifest.build_id)
        for file in plan.manifest.files
        if file.key in condemned and file.key not in planned
    ]
    variants = [
        precompress_again(file)
        for file in plan.manifest.files
        if file.encodings and any(key in condemned for key in file.variant_keys())
    ]
    return replace(
        plan,
        variants=(*plan.variants, *variants),
        uploads=largest_first([*plan.uploads, *uploads]),
        reuses=tuple(reuse for reuse in plan.reuses if reuse.key not in condemned),
        condemned=condemned,
    )


def check_still_there(plan: PublishPlan, manifest: ReadableManifest, store: ObjectStore) -> None:
    """See that everything found in place will stay, before the manifest says that it is there.

    Args:
        plan: The plan.
        manifest: The manifest as it will be written.
        store: The bucket.

    Raises:
        PublishError: Retention has condemned some of it since, or the publish has taken too long to know.
    """
    if plan.condemned.age_seconds(time.time(), time.monotonic()) > PUBLISH_MAXIMUM_HOURS * 3600:
        raise PublishError(
            f"publishing build {plan.manifest.build_id!r} has taken more than {PUBLISH_MAXIMUM_HOURS} hours, so that "
            f"retention may have removed what was found in place: publish again, what was written is found again"
        )
    known = {sweep.id for sweep, _ in plan.condemned.sweeps}
    since = Condemned.load(store, known=known)
    keys = chain(
        (manifest_key(plan.manifest.build_id),),
        (key for file in manifest.files for key in (file.key, *file.variant_keys())),
    )
    if since.sweeps and any(key in since for key in keys):
        raise PublishError(
            f"retention has condemned files of build {plan.manifest.build_id!r} while it was published: publish again, "
            f"which puts them again"
        )
