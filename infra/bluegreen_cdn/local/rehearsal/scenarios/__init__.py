"""The scenarios, in the order in which `--scenario all` plays them: a file each, and a line in `NAMES`."""

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bluegreen_cdn.local.rehearsal.scenarios.scenario import Scenario

ALL = "all"
NAMES = (
    "healthy",
    "bad-build",
    "missing-object",
    "slow-replication",
    "region-down",
    "sync-dead",
    "kvs-errors",
    "stop-midway",
    "retry-after-rollback",
    "rollback-during-publish",
    "two-deploys",
    "no-traffic",
    "forged-beacons",
    "service-worker",
    "embedded-widget",
)


def load(names: Sequence[str]) -> "tuple[Scenario, ...]":
    """Give scenarios by their names, each once, in the order of `NAMES`.

    Args:
        names: Names; `all` stands for every one.
    """
    wanted = NAMES if ALL in names else [name for name in NAMES if name in names]
    found: list[Scenario] = []
    for name in wanted:
        module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
        found.append(module.SCENARIO)
    return tuple(found)
