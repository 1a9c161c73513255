"""Whether a published build could be served just now: what a pin must be sure of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from bluegreen_cdn.defaults import VERIFY_WORKERS
from bluegreen_cdn.domain.classification import CacheClass, ClassificationRules
from bluegreen_cdn.domain.healing import EdgeRules, unhealed
from bluegreen_cdn.domain.manifest import manifest_key
from bluegreen_cdn.domain.manifest_stream import ManifestStream
from bluegreen_cdn.errors import AccessDenied, CloudError, NotFound, VerificationFailed
from bluegreen_cdn.publish.collect_keys import files_of, supplement_files
from bluegreen_cdn.publish.object_store import ObjectStore
from bluegreen_cdn.publish.verify import Verification, Verifier

_NAMED_IN_MESSAGE = 3


class Watcher(Protocol):
    """Whom a check tells how far it is."""

    def verified(self, build: str, objects: int) -> None:
        """So many objects of a build have been looked at."""

    def left_out(self, region: str, why: str) -> None:
        """A region does not answer and was left out of a quick check."""


class Unwatched:
    """Nobody is told."""

    def verified(self, build: str, objects: int) -> None:
        """Nothing."""

    def left_out(self, region: str, why: str) -> None:
        """Nothing."""


@dataclass(frozen=True, kw_only=True)
class Fitness:
    """Looks at a build in every region.

    Attributes:
        buckets: The bucket of every region, the primary one first.
        rules: The classification rules of the edge; None if it does not say.
        precompress: Whether the edge asks for precompressed variants.
        quick: Look at manifests, documents and other entries alone, and do without a replica that does not answer.
        watcher: Whom to tell how far it is.
    """

    buckets: Mapping[str, ObjectStore]
    rules: ClassificationRules | None
    precompress: bool
    quick: bool
    watcher: Watcher

    def unfit(self, build: str) -> str | None:
        """Why the build could not be served; None if it could.

        Raises:
            CloudError: A region does not answer, and it is the primary one or the check is not quick.
        """
        elsewhere = self._looked_for_in_vain(build)
        if elsewhere is not None:
            return (
                f"the site's edge would look for {elsewhere!r} in vain: the build was published under other "
                f"classification rules, or without the variants that the edge asks for, and was not put where it "
                f"looks; publish it again under a new build id"
            )
        return self._by_entries(build) if self.quick else self._by_everything(build)

    def _looked_for_in_vain(self, build: str) -> str | None:
        if self.rules is None:
            return None
        primary = next(iter(self.buckets.values()))
        edge = EdgeRules(rules=self.rules, precompress=self.precompress)
        return next(unhealed(build, files_of(primary, build), supplement_files(primary, build), edge), None)

    def _by_everything(self, build: str) -> str | None:
        def tell(so_far: Verification) -> None:
            self.watcher.verified(build, so_far.objects)

        try:
            found = Verifier(build, self.buckets, workers=VERIFY_WORKERS, watch=tell).look()
        except VerificationFailed as error:
            return str(error)
        if found.complete:
            return None
        named = sorted(f"{one.region}: {one}" for one in found.findings)[:_NAMED_IN_MESSAGE]
        more = sum(found.wrong.values()) - len(named)
        return (
            f"it is not complete in every region; {'; '.join(named)}{f' and {more} more' if more else ''}; mend it "
            f"(bluegreen verify {build} --repair); if it cannot wait, --quick looks at its documents alone"
        )

    def _by_entries(self, build: str) -> str | None:
        primary = next(iter(self.buckets))
        for region, bucket in self.buckets.items():
            try:
                why = _entries_missing(region, bucket, build)
            except (NotFound, AccessDenied):
                raise
            except CloudError as error:
                if region == primary:
                    raise
                self.watcher.left_out(region, str(error))
            else:
                if why is not None:
                    return why
        return None


def _entries_missing(region: str, bucket: ObjectStore, build: str) -> str | None:
    try:
        for file in ManifestStream.open(bucket.lines(manifest_key(build)), build).files:
            if file.cache_class is not CacheClass.ENTRY:
                continue
            there = bucket.head(file.key)
            if there is None or (there.size, there.sha256) != (file.size, file.sha256):
                return f"'{file.key}' is missing or differs in {region} ({bucket.name}); publish it again"
    except NotFound:
        return f"its manifest is not in {region} ({bucket.name}); look at the replication of the primary bucket"
    return None
