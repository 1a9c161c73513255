"""Which build a stack releases: a folder on this machine, or one that has been published already."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bluegreen_cdn.domain.builds import check_build_id, content_build_id, content_digest
from bluegreen_cdn.domain.header_rules import HeaderRules
from bluegreen_cdn.errors import InvalidBuild, InvalidInput
from bluegreen_cdn.publish.folder_source import FolderSource
from bluegreen_cdn.publish.source import SourceFile


@dataclass(frozen=True, kw_only=True)
class Build:
    """A build to release. Make one with `folder` or `published`.

    Attributes:
        build_id: Its name.
        path: The folder with its files; none if it has been published already.
        digest: Of its content (hex); empty if it has been published already.
        headers: What its files are served with, and whether source maps are published.
        allow_missing: Globs of paths that its documents may lead to though it lacks them.
        files: Its files; none if it has been published already.
    """

    build_id: str
    path: Path | None = None
    digest: str = ""
    headers: HeaderRules = field(default_factory=HeaderRules)
    allow_missing: tuple[str, ...] = ()
    files: tuple[SourceFile, ...] = field(default=(), repr=False)

    @classmethod
    def folder(
        cls,
        path: str | os.PathLike[str],
        *,
        build_id: str | None = None,
        headers: HeaderRules | None = None,
        allow_missing: Sequence[str] = (),
    ) -> Build:
        """A build in a folder; it is published while the stack is deployed.

        Example:
            `Build.folder("dist")`, `Build.folder("dist", build_id=os.environ["GITHUB_SHA"])`

        Args:
            path: What the bundler wrote.
            build_id: What to call it. Default: the digest of its content.
            headers: What its files are served with, and whether source maps are published. Default: by name, and no.
            allow_missing: Globs of paths that its documents may lead to though it lacks them, such as `api/**`: what
                something else serves. Default: none.

        Raises:
            InvalidBuildId: It cannot be called that.
            InvalidBuild: The folder is missing, empty, or holds what cannot be published.
        """
        if build_id is not None:
            check_build_id(build_id)
        folder = Path(path)
        if not folder.is_dir():
            what = "is not a folder" if folder.exists() else "does not exist"
            raise InvalidBuild(f"build folder '{folder}' {what}; build the app first, then pass its output folder")
        if isinstance(allow_missing, str):
            raise InvalidInput(f"allow_missing is the text {allow_missing!r}; it must be a list: [{allow_missing!r}]")
        listing = FolderSource(folder).listing()
        files = [(file.path, file.sha256) for file in listing]
        return cls(
            build_id=build_id or content_build_id(files),
            path=folder.resolve(),
            digest=content_digest(files),
            headers=headers or HeaderRules(),
            allow_missing=tuple(allow_missing),
            files=listing,
        )

    @classmethod
    def published(cls, build_id: str) -> Build:
        """A build that exists already: of an earlier release, or from `bluegreen publish`.

        Args:
            build_id: Its name.

        Raises:
            InvalidBuildId: No build can be called that.
        """
        return cls(build_id=check_build_id(build_id))
