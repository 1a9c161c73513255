"""Whether what was healed has arrived in every region."""

import threading
from collections.abc import Mapping, Sequence

from bluegreen_cdn.defaults import VERIFY_WORKERS
from bluegreen_cdn.domain.verification import ExpectedObject, difference, expected_objects
from bluegreen_cdn.publish.collect_keys import supplement_files
from bluegreen_cdn.publish.object_store import ObjectStore
from bluegreen_cdn.publish.parallel import for_each


class Arrivals:
    """What was healed, on its way to the other regions.

    Args:
        primary: The primary bucket.
        replicas: The others, by region.
        build_ids: Whose supplements are looked for.
        workers: Threads that look. Default: `VERIFY_WORKERS`.
    """

    def __init__(
        self,
        primary: ObjectStore,
        replicas: Mapping[str, ObjectStore],
        build_ids: Sequence[str],
        *,
        workers: int = VERIFY_WORKERS,
    ) -> None:
        self._replicas, self._workers = replicas, workers
        expected = {
            one.key: one
            for build_id in build_ids
            for file in supplement_files(primary, build_id)
            for one in expected_objects(file, build_id)
        }
        self._left = [(region, one) for region in replicas for one in expected.values()]

    def missing(self) -> list[str]:
        """Look for what was not there the last time; what still is not, as `region: key`.

        Raises:
            CloudError: A store refused.
        """
        left: list[tuple[str, ExpectedObject]] = []
        lock = threading.Lock()

        def look(item: tuple[str, ExpectedObject]) -> None:
            region, one = item
            there = self._replicas[region].head(one.key)
            if there is None or difference(one, size=there.size, headers=there.headers, metadata=there.metadata):
                with lock:
                    left.append(item)

        for_each(look, self._left, workers=self._workers)
        self._left = left
        return sorted(f"{region}: {one.key}" for region, one in left)
