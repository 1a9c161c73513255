"""What the builds in a bucket have already of a new one, in memory that grows with the new build alone."""

from bluegreen_cdn.domain.classification import CacheClass
from bluegreen_cdn.domain.headers import ObjectHeaders
from bluegreen_cdn.domain.manifest import Manifest, ManifestFile
from bluegreen_cdn.errors import SharedFileConflict


class KnownFiles:
    """The shared files of a build that other builds' manifests name.

    Args:
        manifest: The build to be published.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._wanted = {file.key: file for file in manifest.files if file.cache_class is CacheClass.SHARED}
        self._known: dict[str, tuple[ObjectHeaders | None, str]] = {}
        self._headers: dict[ObjectHeaders, ObjectHeaders] = {}
        self._conflicts: dict[str, SharedFileConflict] = {}

    def see(self, file: ManifestFile, build_id: str) -> None:
        """Take notice of a file of another build; of several builds the first one counts."""
        if file.cache_class is not CacheClass.SHARED or file.key in self._known or file.key in self._conflicts:
            return
        wanted = self._wanted.get(file.key)
        if wanted is None:
            return
        if file is wanted:
            self._known[wanted.key] = (None, build_id)
            return
        if file.sha256 != wanted.sha256:
            self._conflicts[wanted.key] = shared_file_conflict(
                wanted.path, there=file.sha256, here=wanted.sha256, where=f"build {build_id!r}"
            )
            return
        # Nearly all have the same few headers: one copy of each.
        self._known[wanted.key] = (self._headers.setdefault(file.headers, file.headers), build_id)

    def find(self, key: str) -> tuple[ObjectHeaders | None, str] | None:
        """What a key is served with (None: as wanted), and a build that has it; None if no build has.

        Raises:
            SharedFileConflict: A build has other bytes there.
        """
        if key in self._conflicts:
            raise self._conflicts[key]
        return self._known.get(key)


def shared_file_conflict(path: str, *, there: str, here: str, where: str) -> SharedFileConflict:
    """The error for a hashed name that exists with other bytes."""
    return SharedFileConflict(
        f"file {path!r} counts as hashed, but {where} has it with sha256 {there} and this build with sha256 {here}: "
        f"its name does not follow its content; amend the rules with unhashed=[{path!r}] (--unhashed {path!r}), or "
        f"let the bundler put a content hash into the name"
    )
