"""Put the files of published builds where an edge with other rules will look for them, before it does.

Nothing is overwritten and nothing is deleted. The supplement of a build is written after its files, so that it never
names what is not there; whoever is interrupted repeats it and finds what was put.
"""

import hashlib
import io
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bluegreen_cdn.defaults import DEFAULT_DOCUMENT_MODE, DIGEST_METADATA, UPLOAD_WORKERS
from bluegreen_cdn.domain.headers import ObjectHeaders
from bluegreen_cdn.domain.healing import EdgeRules, Healing, Survey, healings, survey, unhealed
from bluegreen_cdn.domain.manifest import Manifest, ManifestFile, supplement_key
from bluegreen_cdn.errors import NotFound
from bluegreen_cdn.publish.collect_condemned import Condemned
from bluegreen_cdn.publish.collect_keys import files_of, supplement_files
from bluegreen_cdn.publish.heal_files import FileHealer
from bluegreen_cdn.publish.object_store import NewObject, ObjectStore
from bluegreen_cdn.publish.parallel import for_each

_INTERNAL_HEADERS = ObjectHeaders(content_type="application/json", cache_control="no-store")


@dataclass(frozen=True, kw_only=True)
class HealedBuild:
    """What one build needs, or what was done for it.

    Attributes:
        build_id: The build.
        files: Files that are put elsewhere, too.
        compressed: Files that are compressed.
        bytes: Of those files.
        examples: The first of their paths.
    """

    build_id: str
    files: int = 0
    compressed: int = 0
    bytes: int = 0
    examples: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The build for other programs."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


class Healer:
    """Heals the builds of one bucket.

    Args:
        store: The primary bucket.
        edge: What will be in force.
        workers: Threads that copy. Default: `UPLOAD_WORKERS`.
    """

    def __init__(self, store: ObjectStore, edge: EdgeRules, *, workers: int = UPLOAD_WORKERS) -> None:
        self._store, self._edge, self._workers = store, edge, workers

    def outlook(self, build_ids: Sequence[str]) -> list[HealedBuild]:
        """What would be done; changes nothing.

        Raises:
            SharedFileConflict: Two builds have other bytes under a name that will count as hashed.
            CloudError: The store refused.
        """
        surveyed = self._survey(build_ids)
        found = ((build_id, self._left(build_id, surveyed)) for build_id in build_ids)
        return [_summary(build_id, left) for build_id, left in found if left]

    def heal(self, build_ids: Sequence[str]) -> list[HealedBuild]:
        """Put everything where the edge will look; a build that needs nothing is not named in the answer.

        Raises:
            SharedFileConflict: A name that will count as hashed exists with other bytes.
            ForeignState: Something that this package did not write lies at a key.
            CloudError: The store refused.
        """
        # Before the manifests, as for a publish: what is condemned later outlasts this.
        condemned = Condemned.load(self._store)
        surveyed = self._survey(build_ids)
        return [done for build_id in build_ids if (done := self._heal(build_id, surveyed, condemned)) is not None]

    def _survey(self, build_ids: Sequence[str]) -> Survey:
        return survey(((build_id, self._files(build_id)) for build_id in build_ids), self._edge)

    def _files(self, build_id: str) -> Iterator[ManifestFile]:
        try:
            yield from files_of(self._store, build_id)
        except NotFound:  # collected, or never completed
            return

    def _left(self, build_id: str, surveyed: Survey) -> list[Healing]:
        """What is wanted and in no supplement yet."""
        if next(self._files(build_id), None) is None:
            return []
        put = {key for file in supplement_files(self._store, build_id) for key in (file.key, *file.variant_keys())}
        wanted = healings(build_id, self._files(build_id), self._edge, surveyed)
        return [healing for healing in wanted if not put.issuperset(healing.keys())]

    def _heal(self, build_id: str, surveyed: Survey, condemned: Condemned) -> HealedBuild | None:
        left = self._left(build_id, surveyed)
        if not left:
            return None
        files = FileHealer(self._store, self._edge.rules, condemned)
        put: list[ManifestFile] = []
        lock = threading.Lock()

        def one(healing: Healing) -> None:
            file = files.put(build_id, healing)
            with lock:
                put.append(file)

        for_each(one, left, workers=self._workers)
        self._write_supplement(build_id, put)
        return _summary(build_id, left)

    def _write_supplement(self, build_id: str, files: Sequence[ManifestFile]) -> None:
        supplement = Manifest(build_id=build_id, mode=DEFAULT_DOCUMENT_MODE, rules=self._edge.rules, files=tuple(files))
        body = supplement.to_json_bytes()
        sha256 = hashlib.sha256(body).hexdigest()
        new = NewObject(
            key=supplement_key(build_id, sha256),
            size=len(body),
            sha256=sha256,
            headers=_INTERNAL_HEADERS,
            metadata={DIGEST_METADATA: sha256},
        )
        self._store.put_if_absent(new, io.BytesIO(body))


def unhealed_paths(store: ObjectStore, build_id: str, edge: EdgeRules) -> Iterator[str]:
    """The paths of a published build that an edge would look for in vain.

    Raises:
        NotFound: The build has no manifest.
        CloudError: The store refused.
    """
    yield from unhealed(build_id, files_of(store, build_id), supplement_files(store, build_id), edge)


def _summary(build_id: str, left: Sequence[Healing]) -> HealedBuild:
    return HealedBuild(
        build_id=build_id,
        files=sum(healing.moves for healing in left),
        compressed=sum(bool(healing.compress) for healing in left),
        bytes=sum(healing.source.size for healing in left),
        examples=tuple(healing.source.path for healing in left[:3]),
    )
