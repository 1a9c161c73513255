"""What the functions write to their log: JSON lines that say what was done and why, and embedded metrics.

Nothing secret and nothing personal goes through here: no tokens, no addresses, no user agents.
"""

import json
import time
from collections.abc import Mapping

from bluegreen_cdn.defaults import METRIC_NAMESPACE


def log(what: str, **fields: object) -> None:
    """Write one line.

    Args:
        what: What happened, a few words that never change, to search by.
        fields: The particulars; `why` is the one a reader looks for first.
    """
    print(json.dumps({"what": what, **fields}, default=str, ensure_ascii=False), flush=True)


def emit(dimensions: Mapping[str, str], metrics: Mapping[str, float], **properties: object) -> None:
    """Write metrics in CloudWatch's embedded format.

    Args:
        dimensions: Exactly these, as one set.
        metrics: Counts by name.
        properties: Further particulars of the line, not dimensions.
    """
    line = {
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": METRIC_NAMESPACE,
                    "Dimensions": [list(dimensions)],
                    "Metrics": [{"Name": name, "Unit": "Count"} for name in metrics],
                }
            ],
        },
        **properties,
        **dimensions,
        **metrics,
    }
    print(json.dumps(line), flush=True)
