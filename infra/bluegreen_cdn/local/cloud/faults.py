"""Faults to order: what goes wrong in the local cloud, where, and for how long, pure.

Kinds (`bucket` or `region` says where; without either, everywhere):

    replication-delay   copies into it take `seconds` of the cloud's time
    replication-drop    copies of keys that match `keys` never arrive; the source reads FAILED
    slow                its S3 requests take `seconds` of the cloud's time longer
    down                its S3 requests answer 503, and copies into it wait
"""

import fnmatch
import itertools
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

KINDS = ("replication-delay", "replication-drop", "slow", "down")


class InvalidFaultError(ValueError):
    """A fault that means nothing."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong."""

    id: int
    kind: str
    bucket: str = ""
    region: str = ""
    keys: str = "*"
    seconds: float = 0.0

    def touches(self, bucket: str, region: str) -> bool:
        """Whether this bucket in this region is where it goes wrong."""
        return self.bucket in ("", bucket) and self.region in ("", region)


class Faults:
    """The faults in force."""

    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def add(self, request: Mapping[str, Any]) -> Fault:
        """Order a fault.

        Raises:
            InvalidFaultError: Its kind or a member of it is unknown.
        """
        kind = request.get("kind")
        if kind not in KINDS:
            raise InvalidFaultError(f"fault kind {kind!r} is not one of {', '.join(KINDS)}")
        unknown = sorted(set(request) - {"kind", "bucket", "region", "keys", "seconds"})
        if unknown:
            raise InvalidFaultError(f"fault member {unknown[0]!r} is not one of kind, bucket, region, keys, seconds")
        seconds = float(request.get("seconds") or 0)
        if kind in ("replication-delay", "slow") and seconds <= 0:
            raise InvalidFaultError(f"fault {kind} needs seconds above 0, not {seconds:g}")
        fault = Fault(
            id=next(self._ids),
            kind=kind,
            bucket=str(request.get("bucket") or ""),
            region=str(request.get("region") or ""),
            keys=str(request.get("keys") or "*"),
            seconds=seconds,
        )
        with self._lock:
            self._faults[fault.id] = fault
        return fault

    def remove(self, identifier: int | None = None) -> None:
        """Mend one fault, or all of them."""
        with self._lock:
            if identifier is None:
                self._faults.clear()
            else:
                self._faults.pop(identifier, None)

    def all(self) -> list[dict[str, Any]]:
        """Give the faults in force."""
        with self._lock:
            return [asdict(fault) for fault in self._faults.values()]

    def replication_delay(self, bucket: str, region: str, *, otherwise: float) -> float:
        """Give the seconds that a copy takes."""
        return max((fault.seconds for fault in self._of("replication-delay", bucket, region)), default=otherwise)

    def drops_replica(self, bucket: str, region: str, key: str) -> bool:
        """Whether a copy is lost."""
        return any(fnmatch.fnmatchcase(key, fault.keys) for fault in self._of("replication-drop", bucket, region))

    def is_down(self, bucket: str, region: str) -> bool:
        """Whether a bucket does not answer."""
        return bool(self._of("down", bucket, region))

    def slowness(self, bucket: str, region: str) -> float:
        """Give the seconds that a request takes longer."""
        return sum(fault.seconds for fault in self._of("slow", bucket, region))

    def _of(self, kind: str, bucket: str, region: str) -> list[Fault]:
        with self._lock:
            return [fault for fault in self._faults.values() if fault.kind == kind and fault.touches(bucket, region)]
