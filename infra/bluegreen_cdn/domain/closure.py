"""Whether everything is there that the documents of a build lead to.

Begins at the entries and at what bundlers say they wrote, and follows every reference the way the edge answers it:
`plan_request` decides what a request asks for, so a route of a single-page app is a document here too.

Telling an import from a text that looks like one takes most of the time. So first everything that looks like one is
followed. Where that leads nowhere wrong, the real ones, which are among them, do not either; else all is looked at
again, exactly.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import chain, repeat
from urllib.parse import unquote

from bluegreen_cdn.defaults import RESERVED_TOP_FOLDERS
from bluegreen_cdn.domain.classification import ClassificationRules, check_glob, glob_pattern
from bluegreen_cdn.domain.references import Reference, ReferenceKind, Scan, site_url
from bluegreen_cdn.domain.references_css import scan_css
from bluegreen_cdn.domain.references_html import scan_html
from bluegreen_cdn.domain.references_json import scan_bundler_manifest, scan_web_manifest
from bluegreen_cdn.domain.references_script import (
    NEXT_BUILD_MANIFEST,
    SCRIPTS,
    scan_next_build_manifest,
    scan_script,
)
from bluegreen_cdn.domain.requests import DocumentMode, Plan, plan_request

_DOCUMENTS = (".html", ".htm")
_BUNDLER_MANIFESTS = {
    *("manifest.json", "asset-manifest.json", "assets-manifest.json", "webpack-assets.json"),
    *("stats.json", "webpack-stats.json", "build-manifest.json", "app-build-manifest.json"),
}
_SERVED_BY_THE_EDGE = {"_bluegreen/client.js", "_bluegreen/client.mjs", "_bluegreen/release.json"}
_DESTINATIONS = {ReferenceKind.LINK: "document", ReferenceKind.FRAME: "iframe"}
_REMEMBERED_ANSWERS = 100_000
_PLAIN_NAME = r"[A-Za-z0-9_-][A-Za-z0-9_.-]*"
_PLAIN = re.compile(
    rf"(?:(?P<top>/)|(?P<up>(?:\.\./)*)(?:\./)?)(?P<rest>(?:{_PLAIN_NAME}/)*[A-Za-z0-9_-]+\.[A-Za-z0-9_.-]+)"
)
_PLAIN_BASE = re.compile(rf"/(?:{_PLAIN_NAME}/)*(?:{_PLAIN_NAME})?")
_EDGES_OWN = tuple(f"{folder}/" for folder in RESERVED_TOP_FOLDERS)
_FOLLOWED = (ReferenceKind.LOAD, ReferenceKind.LAZY, ReferenceKind.MANIFEST)


@dataclass(frozen=True, slots=True)
class Dangling:
    """A reference that leads nowhere in the build.

    Attributes:
        referrer: The file that has it.
        target: As written there.
        path: What the edge would look for.
    """

    referrer: str
    target: str
    path: str


@dataclass(frozen=True, slots=True)
class Settled:
    """What a file refers to, as far as that can be said by whoever does not know the build.

    Attributes:
        loads: The paths of files that it loads, said the short way; where all of them exist, that is the answer.
        left: All other references, to be looked up.
    """

    loads: tuple[str, ...]
    left: Scan


@dataclass(frozen=True, kw_only=True)
class Closure:
    """What following all references has shown.

    Attributes:
        missing: References to files that the build does not have.
        elsewhere: References below `/builds/`, `/shared/`, `/manifests/` and `/_bluegreen/`, where the edge does not
            look into this build.
        allowed: As `missing`, but expected by the caller.
        scanned: How many files were read.
        unread: Files that could not be read as text, or are too large.
    """

    missing: tuple[Dangling, ...]
    elsewhere: tuple[Dangling, ...]
    allowed: tuple[Dangling, ...]
    scanned: int
    unread: tuple[str, ...]


def find_closure(
    paths: Collection[str],
    read: Callable[[str], str | None],
    *,
    rules: ClassificationRules,
    mode: DocumentMode,
    build_id: str | None = None,
    allow_missing: Iterable[str] = (),
    known: Callable[[str], Settled | None] | None = None,
) -> Closure:
    """Follow every reference from the entries of a build.

    Args:
        paths: The files of the build.
        read: Gives the text of a file, None if it has none that can be scanned.
        rules: The site's classification.
        mode: The site's document mode.
        build_id: The build's name, under which it may refer to itself as `/builds/<id>/…`. Default: it has none.
        allow_missing: Globs of paths that may be missing, such as `api/**`. Default: none.
        known: What a file refers to, as `settle` says it; None if that is not known, and the file is to be read.
            Default: of none it is known.

    Raises:
        InvalidRules: A glob that matches nothing.
    """
    for certain in (False, True):
        walk = _Walk(frozenset(paths), rules, mode, build_id, allow_missing)
        walk.follow(read, None if certain else known, certain=certain)
        if not (walk.missing or walk.elsewhere or walk.allowed or walk.unread):
            break
    return Closure(
        missing=tuple(walk.missing),
        elsewhere=tuple(walk.elsewhere),
        allowed=tuple(walk.allowed),
        scanned=walk.scanned,
        unread=tuple(walk.unread),
    )


class _Answer(StrEnum):
    FOUND = "found"
    MISSING = "missing"
    ELSEWHERE = "elsewhere"


class _Walk:
    def __init__(
        self,
        paths: frozenset[str],
        rules: ClassificationRules,
        mode: DocumentMode,
        build_id: str | None,
        allow_missing: Iterable[str],
    ) -> None:
        self._paths = paths
        self._rules = rules
        self._mode = mode
        self._build_id = build_id
        globs = [check_glob(glob.removeprefix("/"), "allow_missing") for glob in allow_missing]
        self._allowed = re.compile("|".join(glob_pattern(glob) for glob in globs)) if globs else None
        self._answers: dict[tuple[str, str, ReferenceKind], tuple[_Answer, str] | None] = {}
        self.missing: dict[Dangling, None] = {}
        self.elsewhere: dict[Dangling, None] = {}
        self.allowed: dict[Dangling, None] = {}
        self.unread: list[str] = []
        self.scanned = 0

    def follow(
        self, read: Callable[[str], str | None], known: Callable[[str], Settled | None] | None, *, certain: bool
    ) -> None:
        """Read what can be reached, each file once for each role it has; see `scan_script` for `certain`."""
        waiting: deque[tuple[str, ReferenceKind]] = deque(self._roots())
        seen = set(waiting)
        while waiting:
            path, kind = waiting.popleft()
            scan_text = _scanner(path, kind, certain)
            if scan_text is None:
                continue
            settled = known(path) if known is not None and kind is ReferenceKind.LOAD else None
            loads: tuple[str, ...] = ()
            if settled is not None and self._paths.issuperset(settled.loads):
                loads, scan = settled.loads, settled.left
            else:
                text = read(path)
                if text is None:
                    self.unread.append(path)
                    continue
                scan = scan_text(text)
            self.scanned += 1
            for found in chain(zip(loads, repeat(ReferenceKind.LOAD)), self._look_up_all(path, scan)):
                if found not in seen:
                    seen.add(found)
                    waiting.append(found)

    def _roots(self) -> Iterator[tuple[str, ReferenceKind]]:
        for path in sorted(self._paths):
            name = path.rpartition("/")[2]
            if self._rules.is_entry(path) or name in _BUNDLER_MANIFESTS or name == NEXT_BUILD_MANIFEST:
                yield path, _role(path, ReferenceKind.LOAD)

    def _look_up_all(self, referrer: str, scan: Scan) -> Iterator[tuple[str, ReferenceKind]]:
        base = _base(referrer, scan)
        for reference in scan.references:
            if (found := self._look_up(referrer, base, reference)) is not None:
                yield found, _role(found, reference.kind)

    def _look_up(self, referrer: str, base: str, reference: Reference) -> str | None:
        """The file that a reference leads to; what leads nowhere is noted."""
        outcome = None
        for place in _places(base) if reference.from_above else (base,):
            if (plain := _plain_path(reference.target, place)) in self._paths:
                return plain
            outcome = self._answer(reference.target, place, reference.kind)
            if outcome is None or outcome[0] is _Answer.FOUND:
                break
        if outcome is None:
            return None
        answer, path = outcome
        if answer is _Answer.FOUND:
            return path if path in self._paths else None
        dangling = Dangling(referrer, reference.target, path)
        if answer is _Answer.ELSEWHERE:
            self.elsewhere[dangling] = None
        elif self._is_allowed(path, reference.target, base):
            self.allowed[dangling] = None
        else:
            self.missing[dangling] = None
        return None

    def _answer(self, target: str, base: str, kind: ReferenceKind) -> tuple[_Answer, str] | None:
        """What the edge makes of a reference; None if it is not of this site."""
        place = base if target.startswith("?") else base.rpartition("/")[0] + "/"
        key = ("" if target.startswith("/") and base.startswith("/") else place, target, kind)
        if key not in self._answers:
            if len(self._answers) >= _REMEMBERED_ANSWERS:
                self._answers.clear()
            url = site_url(target, base)
            self._answers[key] = None if url is None else self._answer_url(url, kind)
        return self._answers[key]

    def _answer_url(self, url: str, kind: ReferenceKind) -> tuple[_Answer, str]:
        destination = _DESTINATIONS.get(kind, "script")
        accept = "text/html" if kind in _DESTINATIONS else "*/*"
        planned = plan_request(url, self._rules, self._mode, accept=accept, fetch_destination=destination)
        path = unquote(planned.uri).removeprefix("/")
        own = f"builds/{self._build_id}/"
        match planned.plan:
            case Plan.INTERNAL:
                return (_Answer.FOUND if path in _SERVED_BY_THE_EDGE else _Answer.ELSEWHERE), path
            case Plan.MISSING:
                return _Answer.ELSEWHERE, path
            case Plan.BUILT if not path.startswith(own):
                return _Answer.ELSEWHERE, path
            case Plan.BUILT:
                path = path.removeprefix(own)
            case Plan.SHARED:
                asked = unquote(url).removeprefix("/")
                if asked.startswith("builds/") and not asked.startswith(own):
                    return _Answer.ELSEWHERE, asked
                path = path.removeprefix("shared/")
            case Plan.MALFORMED:
                return _Answer.MISSING, path
        return (_Answer.FOUND if path in self._paths else _Answer.MISSING), path

    def _is_allowed(self, path: str, target: str, base: str) -> bool:
        if self._allowed is None:
            return False
        # A glob may be meant for the document that is missing, or for the address that asks for it.
        asked = unquote(site_url(target, base) or "").removeprefix("/")
        return any(self._allowed.fullmatch(name) is not None for name in (path, asked))


_scan_script_quickly = partial(scan_script, certain=False)


def is_read(path: str) -> bool:
    """Whether a file is looked through if a page loads it."""
    return _scanner(path, ReferenceKind.LOAD, certain=False) is not None


def settle(path: str, text: str) -> Settled:
    """What a file that pages load refers to, or only seems to: all that `find_closure` needs to know to begin with.

    Args:
        path: The file, one that `is_read`.
        text: Its text.
    """
    scan_text = _scanner(path, ReferenceKind.LOAD, certain=False)
    scan = scan_text(text) if scan_text else Scan(())
    base = _base(path, scan)
    loads: dict[str, None] = {}
    left = []
    for reference in scan.references:
        plain = None if reference.from_above else _plain_path(reference.target, base)
        if plain is not None and _role(plain, reference.kind) is ReferenceKind.LOAD:
            loads[plain] = None
        else:
            left.append(reference)
    return Settled(tuple(loads), Scan(tuple(left), scan.base))


def _base(referrer: str, scan: Scan) -> str:
    base = f"/{referrer}"
    return (site_url(scan.base, base) or scan.base) if scan.base else base


def _plain_path(target: str, base: str) -> str | None:
    """The file that nearly every reference names, the short way: one with an extension, of characters that stand for
    themselves, outside of the edge's own folders. If the build has it, it is what the edge answers with.
    """
    match = _PLAIN.fullmatch(target)
    if match is None:
        return None
    if match["top"]:
        path: str = match["rest"]
    elif _PLAIN_BASE.fullmatch(base):
        folder = base[1 : base.rfind("/") + 1]
        for _ in range(len(match["up"]) // 3):
            if not folder:
                return None
            folder = folder[: folder.rfind("/", 0, -1) + 1]
        path = folder + match["rest"]
    else:
        return None
    return None if path.startswith(_EDGES_OWN) else path


def _places(base: str) -> Iterator[str]:
    """The folder of a file and every one above, up to the site's root."""
    folder = base.rpartition("/")[0]
    while folder:
        yield f"{folder}/"
        folder = folder.rpartition("/")[0]
    yield "/"


def _role(path: str, kind: ReferenceKind) -> ReferenceKind:
    """The one kind that stands for all by which a file is read in the same way."""
    if kind is ReferenceKind.MANIFEST or path.endswith(_DOCUMENTS):
        return kind if kind is ReferenceKind.MANIFEST else ReferenceKind.LOAD
    return ReferenceKind.LOAD if kind in _FOLLOWED else kind


def _scanner(path: str, kind: ReferenceKind, certain: bool) -> Callable[[str], Scan] | None:
    """How to read a file; None if it is not read.

    A script that a page links to is not run by it.
    """
    name = path.rpartition("/")[2]
    lowered = name.lower()
    if kind is ReferenceKind.MANIFEST:
        return scan_web_manifest
    if lowered.endswith(_DOCUMENTS):
        return scan_html
    if kind is not ReferenceKind.LOAD:
        return None
    if name == NEXT_BUILD_MANIFEST:
        return scan_next_build_manifest
    if lowered.endswith(SCRIPTS):
        return scan_script if certain else _scan_script_quickly
    if lowered.endswith(".css"):
        return scan_css
    if name in _BUNDLER_MANIFESTS:
        return lambda text: scan_bundler_manifest(path, text)
    return None
