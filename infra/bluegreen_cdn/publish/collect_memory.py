"""Fakes of retention's ports: a bucket in memory that keeps versions, and what is in use as a test says."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from bluegreen_cdn.domain.retention import InUse
from bluegreen_cdn.errors import InvalidInput, NotFound
from bluegreen_cdn.publish.collect_ports import ObjectVersion, RepairableStore
from bluegreen_cdn.publish.memory_store import Faults, MemoryStore
from bluegreen_cdn.publish.object_store import NewObject, StoredObject

Stored = tuple[StoredObject, bytes]


class MemoryVersionedStore(MemoryStore):
    """A bucket in memory that keeps versions.

    Args:
        faults: Which call fails. Default: none.
        clock: Its time. Default: it stands still.
        name: What messages call it. Default: `bucket`.
    """

    def __init__(
        self, faults: Faults | None = None, *, clock: Callable[[], float] = lambda: 0.0, name: str = "bucket"
    ) -> None:
        super().__init__(faults)
        self._clock, self._name = clock, name
        self._numbers = itertools.count(1)
        self.versioned = True
        self.history: dict[str, list[Stored]] = {}
        self.deleted: list[tuple[str, str]] = []

    @property
    def name(self) -> str:
        """The bucket, for messages."""
        return f"memory://{self._name}"

    def check_versioned(self) -> None:
        """See that the bucket keeps versions."""
        if not self.versioned:
            raise InvalidInput(f"{self.name} keeps no versions, so nothing can be deleted safely: turn versioning on")

    def now(self) -> float:
        """The store's own time."""
        return self._clock()

    def versions(self, prefix: str) -> Iterator[ObjectVersion]:
        """The versions of the objects under a prefix."""
        with self._lock:
            number = self.faults.begin(f"versions {prefix}")
            found = [
                ObjectVersion(
                    key=key,
                    version=stored.version,
                    size=stored.size,
                    modified=stored.modified,
                    latest=stored.version == history[-1][0].version,
                )
                for key, history in sorted(self.history.items())
                if key.startswith(prefix)
                for stored, _ in reversed(history)
            ]
            self.faults.end(number)
        yield from found

    def delete_versions(self, versions: Sequence[tuple[str, str]]) -> None:
        """Delete these versions and no other."""
        with self._lock:
            number = self.faults.begin(f"delete {len(versions)} versions")
            for key, version in versions:
                self._delete(key, version)
            self.faults.end(number)

    def copy_from(self, source: RepairableStore, there: StoredObject, wanted: NewObject) -> None:
        """Write an object with another bucket's bytes."""
        if not isinstance(source, MemoryVersionedStore):
            raise TypeError(f"{source.name} is no bucket in memory")
        for stored, data in source.history.get(there.key, ()):
            if stored.version == there.version:
                with self._lock:
                    number = self.faults.begin(f"copy {wanted.key}")
                    self._write(wanted, data)
                    self.faults.end(number)
                return
        raise NotFound(f"version {there.version} of '{there.key}' is not in {source.name}", service="memory")

    def replicate(self, stored: StoredObject, data: bytes) -> None:
        """Take a version that was written elsewhere, with its id and its time, as S3's replication does."""
        with self._lock:
            history = self.history.setdefault(stored.key, [])
            if all(stored.version != other.version for other, _ in history):
                history.append((stored, data))
                history.sort(key=lambda item: item[0].modified)
                self.objects[stored.key] = history[-1]

    def _write(self, new: NewObject, data: bytes) -> None:
        super()._write(new, data)
        stored = replace(self.objects[new.key][0], version=f"v{next(self._numbers)}", modified=self.now())
        self.objects[new.key] = (stored, data)
        self.history.setdefault(new.key, []).append((stored, data))

    def _delete(self, key: str, version: str) -> None:
        history = self.history.get(key, [])
        left = [item for item in history if item[0].version != version]
        if len(left) == len(history):
            return
        self.deleted.append((key, version))
        if left:
            self.history[key] = left
            self.objects[key] = left[-1]
        else:
            del self.history[key]
            self.objects.pop(key, None)


@dataclass
class MemoryUsedBuilds:
    """What is in use, as a test says.

    Attributes:
        used: What `in_use` answers.
        builds: The builds that the edge may serve.
    """

    used: InUse = field(default_factory=InUse)
    builds: set[str] = field(default_factory=set)

    def in_use(self) -> InUse:
        """What a test says."""
        return self.used

    def retain(self, build_id: str) -> None:
        """Remember a build."""
        self.builds.add(build_id)

    def forget(self, build_ids: Sequence[str]) -> None:
        """Forget builds."""
        self.builds.difference_update(build_ids)
