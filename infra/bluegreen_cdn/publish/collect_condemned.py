"""What retention has condemned: written by the collector's first sweep, heeded by publishers and verifiers.

Under `condemned/<sweep>/` in the primary bucket lie

- `<region>/<number>`: the condemned versions of one region, a line `[key, version id]` each;
- `keys`: the set of all condemned keys, which is all that a publisher needs;
- `sweep.json`: written last. Without it the sweep does not exist; its time begins the wait.
"""

import hashlib
import io
import json
import time
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from bluegreen_cdn.defaults import CONDEMNED_PREFIX, DIGEST_METADATA
from bluegreen_cdn.domain.headers import ObjectHeaders
from bluegreen_cdn.domain.retention import KeySet, PublishedBuild
from bluegreen_cdn.errors import ForeignState, NotFound, UnsupportedFormat
from bluegreen_cdn.publish.object_store import NewObject, ObjectStore, StoredObject

SWEEP_FORMAT = 1
_MARKER = "/sweep.json"
_HEADERS = ObjectHeaders(content_type="application/octet-stream", cache_control="no-store")


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A first sweep that is complete.

    Attributes:
        id: Its name.
        builds: The builds it condemned, with the version of the manifest that it saw.
        began: When the wait began, in epoch seconds of the store's clock. Default: not yet.
    """

    id: str
    builds: tuple[PublishedBuild, ...]
    began: float = 0.0

    def to_json_bytes(self) -> bytes:
        """The sweep as it is stored."""
        builds = [[build.build, build.published, build.version] for build in self.builds]
        return json.dumps({"format": SWEEP_FORMAT, "builds": builds}).encode()

    @classmethod
    def from_json_bytes(cls, sweep_id: str, data: bytes, began: float) -> Self:
        """Read a stored sweep.

        Raises:
            UnsupportedFormat: A newer version of this package wrote it.
            ForeignState: This package did not write it.
        """
        try:
            value = json.loads(data)
            if value["format"] > SWEEP_FORMAT:
                raise UnsupportedFormat(
                    f"sweep '{sweep_id}' under '{CONDEMNED_PREFIX}' has format {value['format']}, this version of "
                    f"bluegreen-cdn reads up to {SWEEP_FORMAT}: upgrade it here"
                )
            builds = tuple(
                PublishedBuild(build=str(build), published=float(published), version=str(version))
                for build, published, version in value["builds"]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ForeignState(
                f"'{marker_key(sweep_id)}' was not written by bluegreen-cdn ({type(error).__name__}: {error}): "
                f"remove it"
            ) from error
        return cls(id=sweep_id, builds=builds, began=began)


@dataclass(frozen=True)
class Condemned:
    """What is condemned just now.

    Attributes:
        sweeps: The sweeps that wait, each with its keys. Default: none.
        read_at: When the bucket was asked, as `time.time()` and `time.monotonic()`. Default: never.
    """

    sweeps: tuple[tuple[Sweep, KeySet], ...] = ()
    read_at: tuple[float, float] | None = None

    def __contains__(self, key: str) -> bool:
        """Whether some version of a key is condemned."""
        return any(key in keys for _, keys in self.sweeps)

    def dooms(self, there: StoredObject) -> bool:
        """Whether this very object is condemned, rather than one put at its key since."""
        return any(there.modified < sweep.began and there.key in keys for sweep, keys in self.sweeps)

    def age_seconds(self, now: float, monotonic: float) -> float:
        """How long ago the bucket was asked, by the clock that says more: one stops in suspend, one may be set."""
        return 0.0 if self.read_at is None else max(now - self.read_at[0], monotonic - self.read_at[1])

    @classmethod
    def load(cls, store: ObjectStore, *, known: Container[str] = ()) -> Self:
        """Read what is condemned: one listing, and two small objects for each sweep that waits.

        Args:
            store: The primary bucket.
            known: Sweeps that are left out. Default: none.

        Raises:
            UnsupportedFormat: A newer version of this package condemned it.
            CloudError: The store refused.
        """
        read_at = (time.time(), time.monotonic())
        found = []
        for sweep in waiting_sweeps(store, known=known):
            try:
                found.append((sweep, KeySet.from_bytes(store.get(keys_key(sweep.id)))))
            except NotFound:  # carried out since the listing
                continue
            except ValueError as error:
                raise ForeignState(f"'{keys_key(sweep.id)}' of {store.name} is damaged ({error})") from error
        return cls(tuple(found), read_at)


def waiting_sweeps(store: ObjectStore, *, known: Container[str] = ()) -> list[Sweep]:
    """The complete sweeps in a bucket, the oldest first, without those that are known."""
    found = []
    for key in store.list_keys(CONDEMNED_PREFIX):
        sweep_id = key[len(CONDEMNED_PREFIX) :].removesuffix(_MARKER)
        if not key.endswith(_MARKER) or sweep_id in known:
            continue
        there = store.head(key)
        if there is None:
            continue
        try:
            found.append(Sweep.from_json_bytes(sweep_id, store.get(key), there.modified))
        except NotFound:
            continue
    return sorted(found, key=lambda sweep: (sweep.began, sweep.id))


def sweep_prefix(sweep_id: str) -> str:
    """Where all of a sweep lies."""
    return f"{CONDEMNED_PREFIX}{sweep_id}/"


def marker_key(sweep_id: str) -> str:
    """The object that makes a sweep complete."""
    return f"{CONDEMNED_PREFIX}{sweep_id}{_MARKER}"


def keys_key(sweep_id: str) -> str:
    """The set of a sweep's keys."""
    return f"{sweep_prefix(sweep_id)}keys"


def chunk_prefix(sweep_id: str, region: str) -> str:
    """Where the condemned versions of a region lie."""
    return f"{sweep_prefix(sweep_id)}{region}/"


def chunk_key(sweep_id: str, region: str, number: int) -> str:
    """Some of the condemned versions of a region."""
    return f"{chunk_prefix(sweep_id, region)}{number:06}"


def write_note(store: ObjectStore, key: str, body: bytes) -> None:
    """Write one of a sweep's objects."""
    sha256 = hashlib.sha256(body).hexdigest()
    new = NewObject(key=key, size=len(body), sha256=sha256, headers=_HEADERS, metadata={DIGEST_METADATA: sha256})
    store.put_if_absent(new, io.BytesIO(body))


def chunk_bytes(versions: Iterable[tuple[str, str]]) -> bytes:
    """Condemned versions as they are stored."""
    return b"\n".join(json.dumps([key, version], ensure_ascii=False).encode() for key, version in versions)


def read_chunk(store: ObjectStore, key: str) -> Sequence[tuple[str, str]]:
    """Read condemned versions.

    Raises:
        ForeignState: They are damaged.
    """
    try:
        return [(str(name), str(version)) for name, version in map(json.loads, store.lines(key))]
    except (TypeError, ValueError) as error:
        raise ForeignState(f"'{key}' of {store.name} is damaged ({error}): nothing was deleted by it") from error
