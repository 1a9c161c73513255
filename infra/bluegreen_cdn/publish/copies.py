"""Where the bytes of a file already lie in the bucket, for files that every build has at a key of its own."""

from bluegreen_cdn.defaults import COPY_MINIMUM_BYTES
from bluegreen_cdn.domain.classification import CacheClass
from bluegreen_cdn.domain.manifest import Manifest, ManifestFile


class CopySources:
    """Files of retained builds that are worth copying on the server, by their digests.

    What retention has condemned is among them: a copy is an object of its own, and where the source is gone by then
    the file is uploaded.

    Args:
        manifest: The build to be published; what it has no use for is not remembered.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._wanted = frozenset(file.sha256 for file in manifest.files if _is_worth_it(file))
        self._found: dict[str, tuple[ManifestFile, str]] = {}

    def add(self, file: ManifestFile, build_id: str) -> None:
        """Remember a file of a retained build."""
        if file.sha256 in self._wanted:
            self._found.setdefault(file.sha256, (file, build_id))

    def of(self, file: ManifestFile) -> tuple[str, str] | None:
        """The key that has a file's bytes and the build that named it; None if it is better uploaded."""
        if not _is_worth_it(file):
            return None
        there, build_id = self._found.get(file.sha256, (None, ""))
        if there is None or there.size != file.size:
            return None
        return there.key, build_id


def _is_worth_it(file: ManifestFile) -> bool:
    """Whether a file may be copied and is large enough.

    A shared file is never copied: its key belongs to no build, so that nobody could be sure of who writes it.
    """
    return file.cache_class is not CacheClass.SHARED and file.size >= COPY_MINIMUM_BYTES
