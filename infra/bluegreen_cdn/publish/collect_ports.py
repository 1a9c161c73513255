"""The ports of retention: a bucket whose versions can be deleted, and whoever knows which builds are in use."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from bluegreen_cdn.domain.retention import InUse
from bluegreen_cdn.publish.object_store import NewObject, ObjectStore, StoredObject


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectVersion:
    """One version of an object.

    Attributes:
        key: The object's key.
        version: The version's id.
        size: Bytes it has.
        modified: When it was written, in epoch seconds of the store's clock.
        latest: Whether it is the one that readers get.
    """

    key: str
    version: str
    size: int
    modified: float
    latest: bool


class RepairableStore(ObjectStore, Protocol):
    """A bucket that objects can be copied to from another one."""

    def copy_from(self, source: "RepairableStore", there: StoredObject, wanted: NewObject) -> None:
        """Write an object with another bucket's bytes, whether it exists here or not; no bytes come by here.

        Args:
            source: The other bucket.
            there: The object there; exactly this version is copied.
            wanted: What it becomes here: its key, headers and metadata.

        Raises:
            CloudError: A store refused.
        """


class VersionedStore(RepairableStore, Protocol):
    """A bucket that keeps versions, for retention alone. Every method may be called from several threads."""

    def check_versioned(self) -> None:
        """See that the bucket keeps versions.

        Raises:
            InvalidInput: It does not, so that nothing could be deleted safely.
        """

    def now(self) -> float:
        """The store's own time, in epoch seconds: what `modified` is measured by."""

    def versions(self, prefix: str) -> Iterator[ObjectVersion]:
        """The versions of the objects under a prefix, sorted by key; without delete markers.

        Raises:
            CloudError: The store refused.
        """

    def delete_versions(self, versions: Sequence[tuple[str, str]]) -> None:
        """Delete these versions and no other; nothing happens for one that is gone.

        Args:
            versions: Pairs of key and version id, 1,000 at most.

        Raises:
            CloudError: The store refused, all or some.
        """


class UsedBuilds(Protocol):
    """Whoever knows which builds the site uses, and tells the edge which it may still serve."""

    def in_use(self) -> InUse:
        """The builds in use just now.

        Raises:
            BlueGreenError: It cannot be said for certain; nothing may be deleted then.
        """

    def retain(self, build_id: str) -> None:
        """Make a build one that the edge may serve; nothing happens if it is one already."""

    def forget(self, build_ids: Sequence[str]) -> None:
        """Make builds ones that the edge does not serve to whoever has an old page; nothing happens if it is so."""
