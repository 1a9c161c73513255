"""Custom resource: publish the build that `cdk deploy` brought along as an asset, or check that it is published.

Properties: `Site`, `BuildId`, `Bucket`, `KeyValueStoreArn`, `Rules` (JSON), `Mode`, and `SourceBucket` and
`SourceKey` of a zip file. Without the last two the build must exist already. Optional: `Headers` (header rules, JSON)
and `AllowMissing` (globs of paths that the build's documents may lead to though it lacks them).
"""

import io
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from bluegreen_cdn.aws.key_value_store import CloudFrontKeyValueStore, KeyValueBuildRegistry
from bluegreen_cdn.aws.object_reader import RangedFile
from bluegreen_cdn.aws.object_store import S3ObjectStore
from bluegreen_cdn.defaults import ASSET_DISK_RESERVE_BYTES, RANGED_BUFFER_BYTES
from bluegreen_cdn.domain.builds import check_build_id
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.header_rules import HeaderRules
from bluegreen_cdn.domain.manifest import manifest_key
from bluegreen_cdn.errors import InvalidInput, NotFound, VerificationFailed
from bluegreen_cdn.handlers.custom_resource import ResourceAnswer, ResourceRequest, custom_resource
from bluegreen_cdn.publish.collect_condemned import Condemned
from bluegreen_cdn.publish.object_store import ObjectStore
from bluegreen_cdn.publish.ports import BuildRegistry
from bluegreen_cdn.publish.publisher import find_manifest, publish
from bluegreen_cdn.publish.zip_source import ZipSource

_log = logging.getLogger(__name__)


@custom_resource
def handler(request: ResourceRequest) -> ResourceAnswer:
    """Publish the build, or check that it is published."""
    build_id = check_build_id(request.text("BuildId"))
    store = S3ObjectStore(request.text("Bucket"))
    registry = KeyValueBuildRegistry(CloudFrontKeyValueStore(request.text("KeyValueStoreArn")))
    if request.properties.get("SourceKey"):
        _publish_asset(request, build_id, store, registry)
    else:
        _check_published(build_id, store, registry)
    # Another build is another resource; the Delete of the former one leaves its build where it is.
    return ResourceAnswer(
        physical_id=f"build-{request.text('Site')}-{build_id}",
        data={"BuildId": build_id, "ManifestKey": manifest_key(build_id)},
    )


def _publish_asset(request: ResourceRequest, build_id: str, store: ObjectStore, registry: BuildRegistry) -> None:
    rules = _rules(request.text("Rules"))
    assets, key = S3ObjectStore(request.text("SourceBucket")), request.text("SourceKey")
    with _asset(assets, key) as archive, archive as source:
        publish(
            source,
            store,
            build_id=build_id,
            rules=rules,
            mode=request.text("Mode"),
            headers=_headers(request.properties.get("Headers")),
            allow_missing=_globs(request.properties.get("AllowMissing", [])),
            registry=registry,
        )


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


def _globs(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(glob, str) for glob in value):
        raise InvalidInput(f"property AllowMissing of the custom resource is {value!r}; it must be a list of globs")
    return value
