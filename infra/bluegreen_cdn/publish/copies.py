"""Where the bytes of a file already lie in the bucket, for files that every build has at a key of its own."""

from bluegreen_cdn.defaults import COPY_MINIMUM_BYTES
from bluegreen_cdn.domain.classification import CacheClass
from bluegreen_cdn.domain.manifest import ManifestFile


class CopySources:
    """Files of retained builds that are worth copying on the server, by their digests.

    What retention has condemned is among them: a copy is an object of its own, and where the source is gone by then
    the file is uploaded.
    """

    def __init__(self) -> None:
        self._found: dict[str, tuple[ManifestFile, str]] = {}

    def add(self, file: ManifestFile, build_id: str) -> None:
        """Remember a file of a retained build."""
        if file.size >= COPY_MINIMUM_BYTES:
            self._found.setdefault(file.sha256, (file, build_id))

    def of(self, file: ManifestFile) -> tuple[str, str] | None:
        """The key that has a file's bytes and the build that named it; None if it is better uploaded.

        A shared file is never copied: its key belongs to no build, so that nobody could be sure of who writes it.
        """
        if file.cache_class is CacheClass.SHARED or file.size < COPY_MINIMUM_BYTES:
            return None
        there, build_id = self._found.get(file.sha256, (None, ""))
        if there is None or there.size != file.size:
            return None
        return there.key, build_id
