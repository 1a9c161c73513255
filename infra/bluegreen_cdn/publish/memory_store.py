"""Fakes of the publishing ports: a bucket and a registry in memory, which fail when they are told to."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, BinaryIO

from bluegreen_cdn.errors import CloudError, FileChanged, NotFound
from bluegreen_cdn.publish.object_store import NewObject, PutOutcome, StoredObject


@dataclass
class Faults:
    """Counts the calls to the fakes that share it, and lets one fail.

    Attributes:
        fail_at: The call that fails, counted from 1. Default: none.
        after_effect: It fails after its effect, as when only the answer is lost. Default: before.
        watch: Called after every effect, with the lock held. Default: nobody.
    """

    fail_at: int | None = None
    after_effect: bool = False
    watch: Callable[[], None] = lambda: None
    calls: list[str] = field(default_factory=list)

    def begin(self, call: str) -> int:
        """Count a call; raise if it is the one to fail before its effect."""
        self.calls.append(call)
        number = len(self.calls)
        if number == self.fail_at and not self.after_effect:
            raise CloudError(f"told to fail at call {number}: {call}", service="memory", operation=call)
        return number

    def end(self, number: int) -> None:
        """Raise if this call is the one to fail after its effect."""
        self.watch()
        if number == self.fail_at and self.after_effect:
            raise CloudError(f"told to lose the answer to call {number}", service="memory")


class MemoryStore:
    """A bucket in memory.

    Args:
        faults: Which call fails. Default: none.
    """

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.objects: dict[str, tuple[StoredObject, bytes]] = {}
        self._lock = threading.RLock()

    @property
    def name(self) -> str:
        """The bucket, for messages."""
        return "memory://bucket"

    def put_if_absent(self, new: NewObject, body: BinaryIO) -> PutOutcome:
        """Write an object unless its key exists."""
        data = body.read()
        with self._lock:
            number = self.faults.begin(f"put {new.key}")
            _check(new, data)
            outcome = PutOutcome.EXISTS
            if new.key not in self.objects:
                self._write(new, data)
                outcome = PutOutcome.CREATED
            self.faults.end(number)
            return outcome

    def put_again(self, new: NewObject, body: BinaryIO) -> None:
        """Write an object whether its key exists or not."""
        data = body.read()
        with self._lock:
            number = self.faults.begin(f"put again {new.key}")
            _check(new, data)
            self._write(new, data)
            self.faults.end(number)

    def copy_if_absent(self, source_key: str, new: NewObject) -> PutOutcome:
        """Write an object with the bytes of another one, unless its key exists."""
        with self._lock:
            number = self.faults.begin(f"copy {source_key} to {new.key}")
            outcome = PutOutcome.EXISTS
            if new.key not in self.objects:
                if source_key not in self.objects:
                    raise NotFound(f"'{source_key}' is not in {self.name}", service="memory", code="NoSuchKey")
                data = self.objects[source_key][1]
                if len(data) != new.size or hashlib.sha256(data).hexdigest() != new.sha256:
                    raise CloudError(f"'{source_key}' has not the bytes of '{new.key}'", service="memory")
                self._write(new, data)
                outcome = PutOutcome.CREATED
            self.faults.end(number)
            return outcome

    def _write(self, new: NewObject, data: bytes) -> None:
        stored = StoredObject(key=new.key, size=new.size, headers=new.headers, metadata=dict(new.metadata))
        self.objects[new.key] = (stored, data)

    def head(self, key: str) -> StoredObject | None:
        """What lies at a key."""
        with self._lock:
            number = self.faults.begin(f"head {key}")
            found = self.objects.get(key)
            self.faults.end(number)
            return found[0] if found else None

    def get(self, key: str) -> bytes:
        """The bytes of an object."""
        with self._lock:
            number = self.faults.begin(f"get {key}")
            if key not in self.objects:
                raise NotFound(f"'{key}' is not in {self.name}", service="memory", operation="get", code="NoSuchKey")
            self.faults.end(number)
            return self.objects[key][1]

    def download(self, key: str, target: IO[bytes]) -> None:
        """Write an object's bytes to a stream."""
        target.write(self.get(key))

    def lines(self, key: str) -> Iterator[bytes]:
        """The lines of an object."""
        yield from self.get(key).splitlines()

    def list_keys(self, prefix: str) -> Iterator[str]:
        """The keys under a prefix, sorted."""
        with self._lock:
            number = self.faults.begin(f"list {prefix}")
            keys = sorted(key for key in self.objects if key.startswith(prefix))
            self.faults.end(number)
        yield from keys


def _check(new: NewObject, data: bytes) -> None:
    if len(data) != new.size or hashlib.sha256(data).hexdigest() != new.sha256:
        raise FileChanged(f"the bytes for '{new.key}' are not those that were announced")


class MemoryRegistry:
    """A registry of builds in memory.

    Args:
        faults: Which call fails; share it with a store to count their calls together. Default: none.
    """

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.builds: set[str] = set()

    def retain(self, build_id: str) -> None:
        """Remember a build."""
        number = self.faults.begin(f"retain {build_id}")
        self.builds.add(build_id)
        self.faults.end(number)
