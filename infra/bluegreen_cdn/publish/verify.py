"""Verify a build: every object of its manifest and supplements, in every region, in memory that stays the same."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bluegreen_cdn.defaults import FINDINGS_LISTED, VERIFY_WORKERS
from bluegreen_cdn.domain.manifest import manifest_key
from bluegreen_cdn.domain.verification import ExpectedObject, Fault, Finding, difference, expected_objects
from bluegreen_cdn.errors import NotFound, VerificationFailed
from bluegreen_cdn.publish.collect_condemned import Condemned
from bluegreen_cdn.publish.collect_keys import all_files_of, files_of
from bluegreen_cdn.publish.object_store import ObjectStore, StoredObject
from bluegreen_cdn.publish.parallel import for_each

Mend = Callable[[ExpectedObject, Finding], bool]


@dataclass
class Verification:
    """What was found in every region.

    Attributes:
        build_id: The build.
        objects: Objects looked at, in all regions.
        wrong: What is wrong, by region; mended ones are not counted.
        mended: What a repair has put right, by region.
        findings: The first of what was wrong, `FINDINGS_LISTED` at most.
    """

    build_id: str
    objects: int = 0
    wrong: dict[str, int] = field(default_factory=dict)
    mended: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every region has every object as it must be."""
        return not any(self.wrong.values())

    def add(self, finding: Finding) -> None:
        """Count a finding."""
        counts = self.mended if finding.mended else self.wrong
        counts[finding.region] = counts.get(finding.region, 0) + 1
        if len(self.findings) < FINDINGS_LISTED:
            self.findings.append(finding)

    def to_json(self) -> dict[str, Any]:
        """The result for other programs."""
        return {
            "build_id": self.build_id,
            "complete": self.complete,
            "objects": self.objects,
            "wrong": self.wrong,
            "mended": self.mended,
            "findings": [finding.to_json() for finding in sorted(self.findings, key=lambda one: (one.region, one.key))],
        }


class Verifier:
    """Verifies one build; asked again, it looks only at what was not right before.

    That holds for what was found by then: objects are immutable, and one that was right stays right.

    Args:
        build_id: The build.
        stores: The bucket of every region, the primary one first.
        workers: Threads that look. Default: `VERIFY_WORKERS`.
        mend: Tries to put right what is wrong, and says whether it did. Default: nobody.
        watch: Called after every object, from several threads but one at a time. Default: nobody.

    Raises:
        VerificationFailed: The primary bucket has no manifest of it.
    """

    def __init__(
        self,
        build_id: str,
        stores: Mapping[str, ObjectStore],
        *,
        workers: int = VERIFY_WORKERS,
        mend: Mend | None = None,
        watch: Callable[[Verification], None] = lambda so_far: None,
    ) -> None:
        self._build_id, self._stores, self._workers, self._mend = build_id, stores, workers, mend
        self._watch = watch
        self._region, self._primary = next(iter(stores.items()))
        self._again: list[tuple[str, ExpectedObject]] | None = None
        self._lock = threading.Lock()

    def look(self) -> Verification:
        """Look at every object, or at those that were not right the last time.

        Raises:
            VerificationFailed: The build is not published, or a region has another manifest under its id.
            UnsupportedFormat: A newer version of this package wrote the manifest.
            ForeignState: It is not a manifest.
            CloudError: A store refused.
        """
        condemned = Condemned.load(self._primary)
        result = Verification(build_id=self._build_id)
        left: list[tuple[str, ExpectedObject]] = []

        def check(item: tuple[str, ExpectedObject]) -> None:
            region, expected = item
            finding = self._finding(region, expected, condemned)
            if finding is not None and self._mend is not None and self._mend(expected, finding):
                finding = replace(finding, mended=True)
            with self._lock:
                result.objects += 1
                self._watch(result)
                if finding is None:
                    return
                result.add(finding)
                if not finding.mended and len(left) <= FINDINGS_LISTED:
                    left.append(item)

        for_each(check, self._items(), workers=self._workers)
        # With more than that the next look is at everything: memory stays the same however much is wrong.
        self._again = left if len(left) <= FINDINGS_LISTED else None
        return result

    def _items(self) -> Iterator[tuple[str, ExpectedObject]]:
        if self._again is not None:
            yield from self._again
            return
        manifest = self._manifest()
        for region in self._stores:
            yield region, manifest
        for file in all_files_of(self._primary, self._build_id):
            for expected in expected_objects(file, self._build_id):
                for region in self._stores:
                    yield region, expected

    def _manifest(self) -> ExpectedObject:
        """The manifest itself, which must be the primary's in every region."""
        key = manifest_key(self._build_id)
        try:
            next(files_of(self._primary, self._build_id), None)  # a manifest of ours, and of this build
            there = self._primary.head(key)
        except NotFound:
            there = None
        if there is None:
            raise VerificationFailed(
                f"build {self._build_id} has no manifest in {self._region} ({self._primary.name}), so it is not "
                f"published; publish it first"
            )
        return ExpectedObject(
            key=key, size=there.size, sha256=there.sha256, headers=there.headers, metadata=there.metadata
        )

    def _finding(self, region: str, expected: ExpectedObject, condemned: Condemned) -> Finding | None:
        there = self._stores[region].head(expected.key)
        wrong = _fault(expected, there, condemned)
        return wrong and Finding(region=region, key=expected.key, fault=wrong[0], detail=wrong[1])


def _fault(expected: ExpectedObject, there: StoredObject | None, condemned: Condemned) -> tuple[Fault, str] | None:
    if there is None:
        return Fault.MISSING, "missing"
    if condemned.dooms(there):
        return Fault.CONDEMNED, "condemned by retention, which will delete it (publish the build again)"
    return difference(expected, size=there.size, headers=there.headers, metadata=there.metadata)
