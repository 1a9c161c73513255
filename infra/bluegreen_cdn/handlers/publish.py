"""Custom resource: publish the build that `cdk deploy` brought along as an asset, or check that it is published.

Properties: `Site`, `BuildId`, `Bucket`, `KeyValueStoreArn`, `Rules` (JSON), `Mode`, and `SourceBucket` and
`SourceKey` of a zip file. Without the last two the build must exist already. Optional: `Headers` (header rules, JSON),
`AllowMissing` (globs of paths that the build's documents may lead to though it lacks them), and `Precompress` (`true`
or `false`: text files get variants, compressed as hard as there is time for).
"""

import io
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bluegreen_cdn.aws.key_value_store import CloudFrontKeyValueStore, KeyValueBuildRegistry
from bluegreen_cdn.aws.object_reader import RangedFile
from bluegreen_cdn.aws.object_store import S3ObjectStore
from bluegreen_cdn.defaults import ASSET_DISK_RESERVE_BYTES, LAMBDA_PROCESSOR_MEGABYTES, RANGED_BUFFER_BYTES
from bluegreen_cdn.domain.builds import check_build_id
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.header_rules import HeaderRules
from bluegreen_cdn.domain.healing import EdgeRules
from bluegreen_cdn.domain.manifest import manifest_key
from bluegreen_cdn.errors import InvalidInput, NotFound, VerificationFailed
from bluegreen_cdn.handlers.custom_resource import ResourceAnswer, ResourceRequest, custom_resource
from bluegreen_cdn.publish.collect_condemned import Condemned
from bluegreen_cdn.publish.compress import Compression, processors
from bluegreen_cdn.publish.execute import execute
from bluegreen_cdn.publish.heal import Healer
from bluegreen_cdn.publish.object_store import ObjectStore
from bluegreen_cdn.publish.plan import PublishPlan
from bluegreen_cdn.publish.ports import BuildRegistry
from bluegreen_cdn.publish.publisher import find_manifest, plan_for
from bluegreen_cdn.publish.zip_source import ZipSource

_log = logging.getLogger(__name__)


def handler(event: Mapping[str, Any], context: Any) -> None:
    """Publish the build, or check that it is published."""
    began = time.monotonic()
    seconds = context.get_remaining_time_in_millis() / 1000

    @custom_resource
    def answer(request: ResourceRequest) -> ResourceAnswer:
        return _carry_out(request, lambda: seconds - (time.monotonic() - began))

    answer(event, context)


def _carry_out(request: ResourceRequest, time_left: Callable[[], float]) -> ResourceAnswer:
    build_id = check_build_id(request.text("BuildId"))
    store = S3ObjectStore(request.text("Bucket"))
    registry = KeyValueBuildRegistry(CloudFrontKeyValueStore(request.text("KeyValueStoreArn")))
    if request.properties.get("SourceKey"):
        _publish_asset(request, build_id, store, registry, time_left)
    else:
        _check_published(build_id, store, registry)
    # One that was published by other rules, or without variants, is put where the site's edge looks.
    precompress = _precompress(request.properties.get("Precompress", "false"))
    edge = EdgeRules(rules=_rules(request.text("Rules")), precompress=precompress)
    for healed in Healer(store, edge).heal([build_id]):
        _log.info("healed: %s", json.dumps(healed.to_json()))
    # Another build is another resource; the Delete of the former one leaves its build where it is.
    return ResourceAnswer(
        physical_id=f"build-{request.text('Site')}-{build_id}",
        data={"BuildId": build_id, "ManifestKey": manifest_key(build_id)},
    )


def _publish_asset(
    request: ResourceRequest,
    build_id: str,
    store: ObjectStore,
    registry: BuildRegistry,
    time_left: Callable[[], float],
) -> None:
    rules = _rules(request.text("Rules"))
    assets, key = S3ObjectStore(request.text("SourceBucket")), request.text("SourceKey")
    with _asset(assets, key) as archive, archive as source:
        plan = plan_for(
            source,
            store,
            build_id=build_id,
            rules=rules,
            mode=request.text("Mode"),
            headers=_headers(request.properties.get("Headers")),
            allow_missing=_globs(request.properties.get("AllowMissing", [])),
            precompress=_precompress(request.properties.get("Precompress", "false")),
        )
        for warning in plan.warnings:
            _log.warning("%s", warning)
        effort = _effort(plan, time_left())
        result = execute(plan, source, store, registry=registry, compression=effort)
    _log.info("published: %s", json.dumps(result.to_json()))


def _effort(plan: PublishPlan, seconds_left: float) -> Compression:
    """How hard to compress: as hard as possible, if half of the time that is left is likely to be enough for that."""
    if not plan.compressions:
        return Compression.BEST
    memory = float(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "0"))
    cores = memory / LAMBDA_PROCESSOR_MEGABYTES if memory else float(processors())
    best, fast = (effort.seconds((one.size for one in plan.compressions), cores) for effort in Compression)
    effort = Compression.BEST if best <= seconds_left / 2 else Compression.FAST
    _log.info(
        "compressing %s files (%s bytes) would take about %.0f s with the best setting and %.0f s with the fast one; "
        "%.0f s are left: taking the %s one",
        len(plan.compressions), plan.compress_bytes, best, fast, seconds_left, effort,
    )  # fmt: skip
    if fast > seconds_left:
        _log.warning(
            "that is likely to be too little time: publish the build with `bluegreen publish` before the deployment; "
            "what is compressed by now is found again"
        )
    return effort


@contextmanager
def _asset(assets: S3ObjectStore, key: str) -> Iterator[ZipSource]:
    """The build in an asset: on the function's disk, asked for once; read by ranges where it does not fit."""
    there = assets.head(key)
    if there is None:
        raise NotFound(f"asset {assets.name}/{key} does not exist: deploy with the CDK CLI, which uploads it")
    name = f"asset {assets.name}/{key}"
    if there.size + ASSET_DISK_RESERVE_BYTES > shutil.disk_usage(tempfile.gettempdir()).free:
        _log.info("%s has %s bytes and is read by ranges: the disk has no room for it", name, there.size)
        ranged = io.BufferedReader(RangedFile(assets.reader(key), there.size), RANGED_BUFFER_BYTES)
        yield ZipSource(ranged, name=name, in_order=True)
        return
    with tempfile.TemporaryFile() as archive:
        assets.download(key, archive)
        yield ZipSource(archive, name=name)


def _check_published(build_id: str, store: ObjectStore, registry: BuildRegistry) -> None:
    condemned = Condemned.load(store)
    if find_manifest(store, build_id) is None:
        raise NotFound(
            f"build {build_id!r} is not in {store.name}, and the deployment brings no files along: publish it first "
            f"(bluegreen publish DIR --build-id {build_id}), or deploy with the folder of the build"
        )
    manifest = store.head(manifest_key(build_id))
    if manifest is None or condemned.dooms(manifest):
        # The hook before traffic would find it out, too, when everything else is deployed.
        raise VerificationFailed(
            f"build {build_id!r} is in {store.name}, but retention has condemned it and will delete it: publish it "
            f"again (bluegreen publish DIR --build-id {build_id}), or mend it (bluegreen verify {build_id} --repair), "
            f"and deploy again"
        )
    registry.retain(build_id)


def _rules(text: str) -> ClassificationRules:
    try:
        return ClassificationRules.from_json(json.loads(text))
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidInput(f"property Rules of the custom resource is not classification rules ({error})") from error


def _headers(text: object) -> HeaderRules:
    if text is None:
        return HeaderRules()
    try:
        return HeaderRules.from_json(json.loads(str(text)))
    except ValueError as error:
        raise InvalidInput(f"property Headers of the custom resource is not JSON ({error})") from error


def _precompress(text: object) -> bool:
    if text not in ("true", "false"):
        raise InvalidInput(f"property Precompress of the custom resource is {text!r}; it must be true or false")
    return text == "true"


def _globs(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(glob, str) for glob in value):
        raise InvalidInput(f"property AllowMissing of the custom resource is {value!r}; it must be a list of globs")
    return value
