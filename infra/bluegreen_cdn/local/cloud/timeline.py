"""What happened in the local cloud, with wall times: rehearsals draw their reports from it."""

import threading
import time
from collections import deque
from typing import Any

TIMELINE_MAXIMUM_ENTRIES = 20_000


class Timeline:
    """An append-only list of events; the oldest go when it is full."""

    def __init__(self) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=TIMELINE_MAXIMUM_ENTRIES)
        self._lock = threading.Lock()
        self._sequence = 0

    def record(self, kind: str, **details: Any) -> None:
        """Append an event; `kind` is one word such as `deployment` or `alias`."""
        with self._lock:
            self._sequence += 1
            self._entries.append({"sequence": self._sequence, "time": time.time(), "kind": kind, **details})

    def since(self, sequence: int = 0, kind: str | None = None) -> list[dict[str, Any]]:
        """Give the events after `sequence`, of one kind if asked, oldest first."""
        with self._lock:
            return [
                entry
                for entry in self._entries
                if entry["sequence"] > sequence and (kind is None or entry["kind"] == kind)
            ]
