"""The builds that a rehearsal releases: checked before anything starts, copied where they have to be changed."""

import hashlib
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bluegreen_cdn.domain.builds import content_build_id
from bluegreen_cdn.domain.classification import CacheClass, ClassificationRules
from bluegreen_cdn.errors import InvalidBuild
from bluegreen_cdn.local.rehearsal.observations import BuildFiles

CLIENT_TAG = '<script src="/_bluegreen/client.js"></script>'
_CLIENT = "_bluegreen/client."
_FAILURE = (
    "<script>/* put here by bluegreen rehearse --bad */"
    'throw new Error("this build is bad on purpose, to show the rollback")</script>'
)
PAGES_LIMIT = 20
_ERROR_PAGE = re.compile(r"(?:.*/)?(?:[45]\d\d|_?error|offline)\.html", re.IGNORECASE)
_HEAD = re.compile(r"<head(\s[^>]*)?>", re.IGNORECASE)
_HTML = re.compile(r"<html(\s[^>]*)?>|<!doctype[^>]*>", re.IGNORECASE)
_CLIENT_ELEMENT = re.compile(r"<script[^>]*_bluegreen/client\.js[^>]*>\s*</script>", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class PreparedBuild:
    """A build folder, ready to be deployed."""

    name: str
    folder: Path
    files: BuildFiles
    is_bad: bool = False

    @property
    def build_id(self) -> str:
        """The id that its content gives it."""
        return self.files.build_id


def check_folder(folder: Path, option: str) -> Path:
    """Return the folder if it can be a build.

    Raises:
        InvalidBuild: It is missing, no folder, empty, or has no document.
    """
    if not folder.exists():
        raise InvalidBuild(f"{option} {folder}: there is no such folder; pass the output folder of a build")
    if not folder.is_dir():
        raise InvalidBuild(f"{option} {folder}: this is a file; pass the folder that a build wrote, such as dist/")
    files = [path for path in folder.rglob("*") if path.is_file()]
    if not files:
        raise InvalidBuild(f"{option} {folder}: the folder is empty; run the build first")
    if not any(path.suffix == ".html" for path in files):
        raise InvalidBuild(
            f"{option} {folder}: none of its {len(files)} files is a document (*.html); "
            "pass the folder that holds index.html"
        )
    return folder.resolve()


def prepare(folder: Path, name: str, work: Path, *, bad: bool = False) -> tuple[PreparedBuild, str]:
    """Make a build ready: insert the client script where it is missing, and the failure where it is wanted.

    Args:
        folder: The user's build; never changed.
        name: What the report calls it.
        work: Folder for a copy, made only when something has to be inserted.
        bad: Insert an error into every document.

    Returns:
        The build, and a sentence about what was inserted (empty when nothing was).
    """
    reports = _mentions_client(folder)
    if reports and not bad:
        return PreparedBuild(name=name, folder=folder, files=read(folder)), ""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(folder, work)
    for document in sorted(work.rglob("*.html")):
        text = document.read_text(encoding="utf-8", errors="surrogateescape")
        if not reports:
            text = insert_client(text)
        if bad:
            text = insert_failure(text)
        document.write_text(text, encoding="utf-8", errors="surrogateescape")
    done = [] if reports else ["the client script, which reports for it"]
    done += ["an error in every document"] if bad else []
    note = f"the {name} is a copy of {folder} with {', and '.join(done)}"
    return PreparedBuild(name=name, folder=work, files=read(work), is_bad=bad), note


def common_pages(builds: Sequence[PreparedBuild]) -> tuple[str, ...]:
    """Paths of the documents that all builds have, but for error pages: what visitors can open at any time."""
    common = set.intersection(*({path for path in build.files.digests if path.endswith(".html")} for build in builds))
    first = ["/"] if "index.html" in common else []
    named = sorted(path for path in common if not _ERROR_PAGE.fullmatch(path) and path != "index.html")
    return tuple([*first, *(f"/{path}" for path in named)][:PAGES_LIMIT])


def check_different(builds: Iterable[PreparedBuild]) -> None:
    """Refuse two builds with the same content: releasing the same build again releases nothing.

    Raises:
        InvalidBuild: Two have the same id.
    """
    seen: dict[str, PreparedBuild] = {}
    for build in builds:
        other = seen.setdefault(build.build_id, build)
        if other is not build:
            raise InvalidBuild(
                f"the {other.name} and the {build.name} have the same content (build id {build.build_id}): "
                "there is nothing to release; pass two different builds"
            )


def insert_client(document: str) -> str:
    """Put the client script's tag first into a document's head."""
    return _insert_first(document, CLIENT_TAG)


def insert_failure(document: str) -> str:
    """Put a script that throws into a document, behind the client script that has to see it."""
    return insert_behind_client(document, _FAILURE)


def insert_behind_client(document: str, element: str) -> str:
    """Put something into a document's head, behind the client script where there is one."""
    client = _CLIENT_ELEMENT.search(document)
    if client is not None:
        return document[: client.end()] + element + document[client.end() :]
    return _insert_first(document, element)


def read(folder: Path) -> BuildFiles:
    """List a build's files with their digests, and give it the id of its content."""
    rules = ClassificationRules.default()
    digests = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    hashed = frozenset(path for path in digests if rules.classify(path) is CacheClass.SHARED)
    return BuildFiles(build_id=content_build_id(digests.items()), digests=digests, hashed=hashed)


def _insert_first(document: str, element: str) -> str:
    """Insert at the head's beginning; without a head behind the `html` tag or the doctype, whichever is last."""
    beginning = document[:4096]
    places = list(_HEAD.finditer(beginning))[:1] or list(_HTML.finditer(beginning))[-1:]
    end = places[0].end() if places else 0
    return document[:end] + element + document[end:]


def _mentions_client(folder: Path) -> bool:
    return any(
        _CLIENT in path.read_text(encoding="utf-8", errors="replace")
        for path in folder.rglob("*")
        if path.suffix in (".html", ".js", ".mjs") and path.is_file()
    )
