"""Mend a build: put what one region lacks from another that has it, copied by the stores themselves."""

from collections.abc import Mapping

from bluegreen_cdn.domain.verification import ExpectedObject, Fault, Finding, difference
from bluegreen_cdn.errors import CloudError
from bluegreen_cdn.publish.collect_ports import RepairableStore
from bluegreen_cdn.publish.object_store import NewObject, StoredObject


class Repair:
    """Mends objects; hand its `mend` to a `Verifier`.

    Args:
        stores: The bucket of every region, the primary one first.
    """

    def __init__(self, stores: Mapping[str, RepairableStore]) -> None:
        self._stores = stores
        self.refused: list[str] = []

    def mend(self, expected: ExpectedObject, finding: Finding) -> bool:
        """Put an object right, and see that it is. Called from several threads.

        Args:
            expected: What it must be.
            finding: What is wrong, and where.

        Returns:
            Whether it is right now; not if no region has its bytes, or a store refused.
        """
        target = self._stores[finding.region]
        try:
            source = self._source(expected, finding)
            if source is None:
                return False
            store, there = source
            target.copy_from(store, there, _wanted(expected, there))
            found = target.head(expected.key)
        except CloudError as error:
            if len(self.refused) < 10:  # the first say why
                self.refused.append(str(error))
            return False
        return found is not None and _is_right(expected, found)

    def _source(self, expected: ExpectedObject, finding: Finding) -> tuple[RepairableStore, StoredObject] | None:
        """A bucket with the right bytes, which what is wrong with headers alone, or condemned, has itself."""
        first = [finding.region] if finding.fault in (Fault.HEADERS, Fault.CONDEMNED) else []
        for region in dict.fromkeys([*first, *self._stores]):
            there = self._stores[region].head(expected.key)
            if there is not None and _has_bytes(expected, there):
                return self._stores[region], there
        return None


def _has_bytes(expected: ExpectedObject, there: StoredObject) -> bool:
    """Whether an object has the right bytes, whatever its headers."""
    return there.size == expected.size and there.sha256 is not None and there.sha256 == expected.sha256


def _is_right(expected: ExpectedObject, there: StoredObject) -> bool:
    return difference(expected, size=there.size, headers=there.headers, metadata=there.metadata) is None


def _wanted(expected: ExpectedObject, there: StoredObject) -> NewObject:
    return NewObject(
        key=expected.key,
        size=there.size,
        sha256=str(there.sha256),
        headers=expected.headers,
        metadata={**there.metadata, **expected.metadata},
    )
