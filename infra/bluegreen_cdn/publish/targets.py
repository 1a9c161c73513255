"""The buckets of a publish, and what is asked of one of another make before it is trusted with a build."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from bluegreen_cdn.errors import AccessDenied, CloudError, FileChanged, TargetFailed, Throttled
from bluegreen_cdn.publish.object_store import NewObject, ObjectStore, PutOutcome

_OTHER_DIGEST = hashlib.sha256(b"what no object of ours has").hexdigest()


@dataclass(kw_only=True)
class Target:
    """A bucket that a build is published to.

    Attributes:
        name: What messages call it.
        place: The bucket and whose it is; tells targets apart.
        store: The bucket.
        probed: Whether the store is asked first if it keeps what publishing relies on. Default: no, it is S3.
    """

    name: str
    place: str
    store: ObjectStore
    probed: bool = False

    @contextmanager
    def named(self) -> Iterator[None]:
        """Say which target it was that refused.

        Raises:
            TargetFailed: The store refused.
        """
        try:
            yield
        except CloudError as error:
            raise TargetFailed(
                f"target {self.name!r} ({self.place}) failed: {error}; no target has a manifest without its files: "
                f"publish again once it answers, what was written is found again"
            ) from error


def probe(target: Target, there: NewObject, body: bytes) -> bool:
    """See that a store writes conditionally, and whether it verifies checksums; changes nothing that is there.

    Args:
        target: The store's target.
        there: An object that lies there.
        body: Its bytes.

    Returns:
        Whether the store verifies the checksums of what it is sent.

    Raises:
        TargetFailed: The store overwrites, so that two publishers could mix their builds there.
    """
    if target.store.put_if_absent(there, io.BytesIO(body)) is not PutOutcome.EXISTS:
        raise TargetFailed(
            f"target {target.name!r} ({target.place}) ignores If-None-Match: it overwrites what exists, so that two "
            f"publishers could mix their builds; use a store that writes conditionally"
        )
    try:
        # The right bytes under a wrong checksum: refused, or written as they were.
        target.store.put_again(replace(there, sha256=_OTHER_DIGEST), io.BytesIO(body))
    except (Throttled, AccessDenied):
        raise
    except (FileChanged, CloudError):
        return True
    return False
