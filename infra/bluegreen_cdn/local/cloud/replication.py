"""S3 replication that takes time and can go wrong: several destinations, a delay, and faults to order."""

import asyncio
import copy
import logging
from collections.abc import Mapping
from typing import Any

from bluegreen_cdn.local.cloud.clock import ScaledClock
from bluegreen_cdn.local.cloud.faults import Faults
from bluegreen_cdn.local.cloud.seams import replace, require
from bluegreen_cdn.local.cloud.timeline import Timeline

DELAY_SECONDS = 3.0
"""Most objects take seconds on AWS."""
RETRY_SECONDS = 5.0
PENDING, COMPLETED, FAILED, REPLICA = "PENDING", "COMPLETED", "FAILED", "REPLICA"
logger = logging.getLogger("bluegreen.replication")


def destinations(
    configuration: Mapping[str, Any], key: str, tags: Mapping[str, str], prefix_of: Any, tags_of: Any
) -> list[dict[str, Any]]:
    """Give the rules that a new object falls under: for each destination the one with the highest priority."""
    best: dict[str, dict[str, Any]] = {}
    for rule in configuration.get("Rules", []):
        wanted = tags_of(rule)
        if rule.get("Status") != "Enabled" or not key.startswith(prefix_of(rule)):
            continue
        if any(tags.get(name) != value for name, value in wanted.items()):
            continue
        bucket = rule.get("Destination", {}).get("Bucket", "")
        if bucket not in best or rule.get("Priority", 0) > best[bucket].get("Priority", 0):
            best[bucket] = rule
    return list(best.values())


class Replication:
    """Takes the place of ministack's synchronous copy to the first rule's destination."""

    def __init__(self, s3: Any, responses: Any, faults: Faults, clock: ScaledClock, timeline: Timeline) -> None:
        require(
            s3,
            "_bucket_replication",
            "_bucket_versioning",
            "_object_versions",
            "_object_tags",
            "_replication_destination",
            "_record_object_version",
            "_replication_rule_prefix",
            "_replication_rule_tags",
            "_in_account",
            "_buckets",
        )
        self._s3 = s3
        self._responses = responses
        self._faults = faults
        self._clock = clock
        self._timeline = timeline
        self._started = 0
        self._applied: dict[tuple[str, str], int] = {}
        self._waiting: set[asyncio.Task[None]] = set()
        replace(s3, "_maybe_replicate", self._on_write)

    def _on_write(
        self, bucket: str, key: str, obj: dict[str, Any], data: Any, tags: dict[str, str] | None = None
    ) -> None:
        """Mark a new object and begin to copy it; called before the object's version is recorded."""
        s3 = self._s3
        configuration = s3._bucket_replication.get(bucket)
        if not configuration or s3._bucket_versioning.get(bucket) != "Enabled":
            return
        rules = destinations(configuration, key, tags or {}, s3._replication_rule_prefix, s3._replication_rule_tags)
        if not rules:
            return
        obj["replication_status"] = PENDING
        self._started += 1
        copying = self._copy_everywhere(
            bucket, key, obj, data, dict(tags or {}), rules, configuration.get("Role", ""), self._started
        )
        task = asyncio.get_running_loop().create_task(copying)
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _copy_everywhere(
        self,
        bucket: str,
        key: str,
        obj: dict[str, Any],
        data: Any,
        tags: dict[str, str],
        rules: list[dict[str, Any]],
        role: str,
        sequence: int,
    ) -> None:
        outcomes = await asyncio.gather(
            *(self._copy(bucket, key, obj, data, tags, rule, role, sequence) for rule in rules), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                logger.error("replication of %s/%s failed: %r", bucket, key, outcome)
        status = COMPLETED if all(outcome is True for outcome in outcomes) else FAILED
        obj["replication_status"] = status
        for version in self._s3._object_versions.get((bucket, key)) or []:
            if version["version_id"] == obj.get("version_id"):
                version["replication_status"] = status
        if status == FAILED:
            self._timeline.record("replication_failed", bucket=bucket, key=key)

    async def _copy(
        self,
        bucket: str,
        key: str,
        obj: dict[str, Any],
        data: Any,
        tags: dict[str, str],
        rule: dict[str, Any],
        role: str,
        sequence: int,
    ) -> bool:
        destination = str(rule["Destination"]["Bucket"]).rpartition(":::")[2]
        region = self._region(destination)
        delay = self._faults.replication_delay(destination, region, otherwise=DELAY_SECONDS)
        await asyncio.sleep(self._clock.real_seconds(delay))
        while self._faults.is_down(destination, region):
            await asyncio.sleep(self._clock.real_seconds(RETRY_SECONDS))
        if self._faults.drops_replica(destination, region, key):
            return False
        target = self._s3._replication_destination(bucket, key, rule, role)
        if target is None:
            return False
        self._write_replica(target, key, obj, data, tags, rule, sequence)
        return True

    def _write_replica(
        self,
        target: Any,
        key: str,
        obj: dict[str, Any],
        data: Any,
        tags: dict[str, str],
        rule: dict[str, Any],
        sequence: int,
    ) -> None:
        name, account, bucket = target
        if self._applied.get((name, key), 0) > sequence:
            return  # a later write of this key has arrived already and stays the latest
        self._applied[name, key] = sequence
        s3 = self._s3
        replica = copy.deepcopy(obj)
        replica["replication_status"] = REPLICA
        version = replica.pop("version_id", None)
        if rule["Destination"].get("StorageClass"):
            replica["storage_class"] = rule["Destination"]["StorageClass"]
        prior = bucket["objects"].get(key)
        bucket["objects"][key] = replica
        with s3._in_account(account):
            s3._record_object_version(name, key, prior, replica, data)
            if version:  # a replica keeps the version id of its source
                s3._object_versions[(name, key)][-1]["version_id"] = version
                replica["version_id"] = version
            if tags:
                s3._object_tags[(name, key, replica.get("version_id"))] = tags

    def _region(self, bucket: str) -> str:
        return str((self._s3._buckets.get(bucket) or {}).get("region") or "")
