"""The access log: a JSON object a line, in the order in which the requests were answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FLUSH_EVERY_LINES = 200


class AccessLog:
    """Writes lines to a file, which it begins anew; call `flush` from time to time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8")
        self._waiting: list[str] = []

    def write(self, entry: dict[str, Any]) -> None:
        """Add one line; it is in the file after the next flush."""
        self._waiting.append(json.dumps(entry, ensure_ascii=False, separators=(",", ":")))
        if len(self._waiting) >= FLUSH_EVERY_LINES:
            self.flush()

    def flush(self) -> None:
        """Bring what was added into the file."""
        if self._waiting:
            self._file.write("\n".join(self._waiting) + "\n")
            self._waiting.clear()
        self._file.flush()

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        self._file.close()
