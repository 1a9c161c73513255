"""KeyValueStores as the edge locations see them: each a little later than it was written."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

from bluegreen_cdn.local.edge.cloud import StoreSnapshot
from bluegreen_cdn.local.edge.functions.engine import KeyValueStoreError

Fault = Literal["none", "unreadable", "frozen"]


@dataclass
class LocatedStore:
    """One KeyValueStore as one location sees it.

    Attributes:
        delay_seconds: How long a change takes to arrive here.
        fault: `unreadable` rejects every read; `frozen` lets no change arrive.
    """

    delay_seconds: float
    fault: Fault = "none"
    _visible: StoreSnapshot | None = None
    _coming: deque[tuple[float, StoreSnapshot]] = field(default_factory=deque)

    def announce(self, snapshot: StoreSnapshot, now: float) -> None:
        """Take note of a change; it can be read after the delay. The first one can be read at once."""
        if self._visible is None and not self._coming:
            self._visible = snapshot
            return
        self._coming.append((now + self.delay_seconds, snapshot))

    def visible(self, now: float) -> StoreSnapshot | None:
        """What can be read now."""
        while self.fault != "frozen" and self._coming and self._coming[0][0] <= now:
            self._visible = self._coming.popleft()[1]
        return self._visible

    def read(self, operation: str, key: str | None, now: float) -> Any:
        """Answer one read of a function.

        Raises:
            KeyValueStoreError: when the key is missing, or the store cannot be read here.
        """
        snapshot = self.visible(now)
        if self.fault == "unreadable" or snapshot is None:
            raise KeyValueStoreError("KeyValueStoreUnavailable: the store cannot be read")
        if operation == "exists":
            return key in snapshot.items
        if operation == "count":
            return len(snapshot.items)
        if operation == "meta":
            return {"keyCount": len(snapshot.items), "lastUpdatedDateTime": "", "creationDateTime": ""}
        if key is None or key not in snapshot.items:
            raise KeyValueStoreError(f"KeyNotFound: {key}")
        return snapshot.items[key]
