"""Embedded metric format: a line of a Lambda's log that carries metrics, pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class EmbeddedMetric:
    """One metric of one log line, for one set of dimensions."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    unit: str
    values: tuple[float, ...]
    timestamp: float


def parse_line(line: str) -> list[EmbeddedMetric]:
    """Give the metrics in a log line, none when it is not embedded metric format.

    A malformed document gives nothing: CloudWatch keeps the line as a log line and drops the metrics.
    """
    text = line.strip()
    if not text.startswith("{") or '"_aws"' not in text:
        return []
    try:
        document = json.loads(text)
        header = document["_aws"]
        timestamp = float(header["Timestamp"]) / 1000
        directives = header["CloudWatchMetrics"]
        return [metric for directive in directives for metric in _metrics(document, directive, timestamp)]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def _metrics(document: Mapping[str, Any], directive: Mapping[str, Any], timestamp: float) -> list[EmbeddedMetric]:
    found = []
    for names in directive.get("Dimensions") or [[]]:
        if not all(name in document for name in names):
            continue
        dimensions = {name: str(document[name]) for name in names}
        for metric in directive["Metrics"]:
            value = document.get(metric["Name"])
            values: list[Any] = value if isinstance(value, list) else [value]
            if not values or not all(isinstance(one, int | float) and not isinstance(one, bool) for one in values):
                continue
            found.append(
                EmbeddedMetric(
                    namespace=directive["Namespace"],
                    name=metric["Name"],
                    dimensions=dimensions,
                    unit=metric.get("Unit", "None"),
                    values=tuple(float(one) for one in values),
                    timestamp=timestamp,
                )
            )
    return found
