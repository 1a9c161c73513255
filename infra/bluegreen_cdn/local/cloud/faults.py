"""Faults to order: what goes wrong in the local cloud, where, and for how long, pure.

Kinds (`bucket` or `region` says where; without either, everywhere):

    replication-delay   copies into it take `seconds` of the cloud's time
    replication-drop    copies of keys that match `keys` never arrive; the source reads FAILED
    slow                its S3 requests take `seconds` of the cloud's time longer, or those for keys that match `keys`
    down                its S3 requests answer 503, and copies into it wait
    function-down       functions whose names match `function` fail whenever they are called, without running
    kvs-error           requests of writers to KeyValueStores whose names match `store` answer 500, a `share` of them
    kvs-throttle        the same with 429
"""

import fnmatch
import itertools
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

KINDS = ("replication-delay", "replication-drop", "slow", "down", "function-down", "kvs-error", "kvs-throttle")
_MEMBERS = ("kind", "bucket", "region", "keys", "seconds", "function", "store", "share")


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
    function: str = "*"
    store: str = "*"
    share: float = 1.0

    def touches(self, bucket: str, region: str) -> bool:
        """Whether this bucket in this region is where it goes wrong."""
        return self.bucket in ("", bucket) and self.region in ("", region)


class Faults:
    """The faults in force."""

    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self._ids = itertools.count(1)
        self._due: dict[int, float] = {}
        self._lock = threading.Lock()

    def add(self, request: Mapping[str, Any]) -> Fault:
        """Order a fault.

        Raises:
            InvalidFaultError: Its kind or a member of it is unknown.
        """
        kind = request.get("kind")
        if kind not in KINDS:
            raise InvalidFaultError(f"fault kind {kind!r} is not one of {', '.join(KINDS)}")
        unknown = sorted(set(request) - set(_MEMBERS))
        if unknown:
            raise InvalidFaultError(f"fault member {unknown[0]!r} is not one of {', '.join(_MEMBERS)}")
        seconds = float(request.get("seconds") or 0)
        if kind in ("replication-delay", "slow") and seconds <= 0:
            raise InvalidFaultError(f"fault {kind} needs seconds above 0, not {seconds:g}")
        share = float(request.get("share", 1.0))
        if not 0 < share <= 1:
            raise InvalidFaultError(f"fault {kind} has share {share:g}; it must be above 0, and 1 at most")
        fault = Fault(
            id=next(self._ids),
            kind=kind,
            bucket=str(request.get("bucket") or ""),
            region=str(request.get("region") or ""),
            keys=str(request.get("keys") or "*"),
            seconds=seconds,
            function=str(request.get("function") or "*"),
            store=str(request.get("store") or "*"),
            share=share,
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

    def slowness(self, bucket: str, region: str, key: str = "") -> float:
        """Give the seconds that a request takes longer."""
        slow = self._of("slow", bucket, region)
        return sum(fault.seconds for fault in slow if fnmatch.fnmatchcase(key, fault.keys))

    def stops_function(self, name: str) -> bool:
        """Whether a call of a function fails."""
        return any(fnmatch.fnmatchcase(name, fault.function) for fault in self._of("function-down"))

    def of_store(self, name: str) -> str:
        """Give the kind of fault that the next request to a KeyValueStore meets, empty for none.

        A share is kept exactly and evenly: of ten requests in a row, a share of 0.3 hits three.
        """
        for kind in ("kvs-error", "kvs-throttle"):
            for fault in self._of(kind):
                if fnmatch.fnmatchcase(name, fault.store) and self._is_due(fault):
                    return kind
        return ""

    def _is_due(self, fault: Fault) -> bool:
        with self._lock:
            due = self._due.get(fault.id, 0.0) + fault.share
            self._due[fault.id] = due - (due >= 1 - 1e-9)
            return due >= 1 - 1e-9

    def _of(self, kind: str, bucket: str = "", region: str = "") -> list[Fault]:
        with self._lock:
            return [fault for fault in self._faults.values() if fault.kind == kind and fault.touches(bucket, region)]
