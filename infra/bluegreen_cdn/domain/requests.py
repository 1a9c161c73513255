"""What a viewer's request asks for: the twin of the first half of `viewer_request.js`.

S3 decodes the path it is asked for, so decisions are taken on the decoded path and the path that goes on is encoded
anew, in one way: `[slug]` and `%5Bslug%5D` are one file and one cache entry, and a `+`, which S3 reads as a space,
becomes `%2B`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import quote, unquote_to_bytes

from bluegreen_cdn.domain.classification import CacheClass, ClassificationRules
from bluegreen_cdn.domain.encodings import ENCODINGS, is_compressible, variant_key
from bluegreen_cdn.domain.routing import is_build_id
from bluegreen_cdn.errors import InvalidRules


class DocumentMode(StrEnum):
    """How a path without an extension becomes a document."""

    SPA = "spa"
    """`/checkout` → `/index.html`."""
    DIRECTORY = "directory"
    """`/about` and `/about/` → `/about/index.html`."""
    HTML = "html"
    """`/about` and `/about/` → `/about.html`."""

    @classmethod
    def parse(cls, value: str) -> DocumentMode:
        """Reads a mode by its name.

        Raises:
            InvalidRules: There is no such mode.
        """
        try:
            return cls(value)
        except ValueError:
            raise InvalidRules(f"there is no document mode {value!r}; there are {', '.join(cls)}") from None


class Plan(StrEnum):
    """What viewer request does with a path."""

    SHARED = "shared"
    """`/shared/…`, for all builds."""
    ENTRY = "entry"
    """Build by slot; the origin request adds the build to the path, or viewer request where none follows."""
    FILE = "file"
    """Build of the visitor's last document; else as `ENTRY`."""
    BUILT = "built"
    """`/builds/<id>/…`, asked for as such."""
    INTERNAL = "internal"
    """`/_bluegreen/…`."""
    MISSING = "missing"
    """404."""
    MALFORMED = "malformed"
    """400."""


@dataclass(frozen=True)
class PlannedRequest:
    """A plan and the path it applies to, encoded.

    Attributes:
        plan: What is to be done.
        uri: The path that goes on; where a precompressed variant answers, that variant's.
    """

    plan: Plan
    uri: str


def accepts_pattern(encoding: str) -> str:
    """A regular expression, for Python and JavaScript: the `accept-encoding` headers that take an encoding by name."""
    return rf"(?:^|,)[ \t]*{encoding}[ \t]*(?:;[ \t]*[qQ]=(?!0(?:\.0*)?[ \t]*(?![^,]))[^,]*)?(?![^,])"


_ACCEPTS = {encoding: re.compile(accepts_pattern(encoding)) for encoding in ENCODINGS}
_FROM_BUCKET = (Plan.SHARED, Plan.BUILT, Plan.ENTRY, Plan.FILE)
_MALFORMED = re.compile(r"%(?![0-9A-Fa-f]{2})")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]|(?:^|/)\.\.?(?:/|$)")
_HTML_DESTINATIONS = ("document", "iframe", "frame", "embed", "object", "fencedframe")


def wants_document(path: str, mode: DocumentMode, *, accept: str | None, fetch_destination: str | None) -> bool:
    """Whether a request may be answered with an HTML document that its path does not name.

    Args:
        path: Decoded, without a leading slash.
        mode: The site's document mode.
        accept: The `accept` header.
        fetch_destination: The `sec-fetch-dest` header.
    """
    if "." in path.rpartition("/")[2] or path.startswith(".well-known/"):
        return False
    if fetch_destination in _HTML_DESTINATIONS:
        return True
    if fetch_destination not in (None, "", "empty"):
        return False
    if not accept or "text/html" in accept:
        return True
    # In a single-page app every path would answer a script's fetch; there it must ask for HTML by name.
    by_name_only = mode is DocumentMode.SPA and fetch_destination == "empty" and path != ""
    return "*/*" in accept and not by_name_only


def plan_request(
    uri: str,
    rules: ClassificationRules,
    mode: DocumentMode,
    *,
    accept: str | None = None,
    fetch_destination: str | None = None,
    precompress: bool = False,
    accept_encoding: str | None = None,
    ranged: bool = False,
) -> PlannedRequest:
    """Says what a path asks for and under which path it goes on.

    Args:
        uri: The path as the viewer sent it, with its leading slash.
        rules: The site's classification.
        mode: The site's document mode.
        accept: The `accept` header. Default: none.
        fetch_destination: The `sec-fetch-dest` header. Default: none.
        precompress: The site's builds have precompressed variants. Default: they have none.
        accept_encoding: The `accept-encoding` header. Default: none.
        ranged: There is a `range` header: a part is of the file itself, as browsers ask for it too. Default: no.
    """
    planned = _plan(uri, rules, mode, accept, fetch_destination)
    encoding = accepted_encoding(accept_encoding) if precompress and not ranged else None
    if encoding is None or planned.plan not in _FROM_BUCKET or not is_compressible(planned.uri):
        return planned
    return replace(planned, uri=variant_key(planned.uri, encoding))


def accepted_encoding(accept_encoding: str | None) -> str | None:
    """The best encoding that a viewer takes of those that variants have; None for the file itself."""
    return next((name for name in ENCODINGS if _ACCEPTS[name].search(accept_encoding or "")), None)


def _plan(
    uri: str, rules: ClassificationRules, mode: DocumentMode, accept: str | None, fetch_destination: str | None
) -> PlannedRequest:
    try:
        if _MALFORMED.search(uri):
            return PlannedRequest(Plan.MALFORMED, uri)
        path = unquote_to_bytes(uri).decode()[1:]
    except UnicodeDecodeError:
        return PlannedRequest(Plan.MALFORMED, uri)
    if not uri.startswith("/") or _FORBIDDEN.search(path):
        return PlannedRequest(Plan.MALFORMED, uri)
    top, _, rest = path.partition("/")
    if top == "_bluegreen":
        return PlannedRequest(Plan.INTERNAL, _encode(path))
    reserved = top in ("shared", "manifests", "builds")
    cache_class = None if reserved else rules.classify(path)
    if cache_class is CacheClass.SHARED:
        return PlannedRequest(Plan.SHARED, _encode(f"shared/{path}"))
    if cache_class is CacheClass.ENTRY:
        return PlannedRequest(Plan.ENTRY, _encode(path))
    # Before the buckets' own folders: a page may well be called /shared or /builds/7, and is of no old build.
    if wants_document(path, mode, accept=accept, fetch_destination=fetch_destination):
        return PlannedRequest(Plan.ENTRY, _encode(_document(path, mode)))
    if top == "builds":
        build, _, name = rest.partition("/")
        return _plan_built(path, build, name, rules.classify(name))
    return PlannedRequest(Plan.MISSING if reserved else Plan.FILE, _encode(path))


def _plan_built(path: str, build: str, name: str, cache_class: CacheClass) -> PlannedRequest:
    if not is_build_id(build) or cache_class is CacheClass.ENTRY or "." not in name.rpartition("/")[2]:
        return PlannedRequest(Plan.MISSING, _encode(path))
    if cache_class is CacheClass.SHARED:
        return PlannedRequest(Plan.SHARED, _encode(f"shared/{name}"))
    return PlannedRequest(Plan.BUILT, _encode(path))


def _document(path: str, mode: DocumentMode) -> str:
    folder = path.rstrip("/")
    if mode is DocumentMode.SPA or not folder:
        return "index.html"
    return f"{folder}/index.html" if mode is DocumentMode.DIRECTORY else f"{folder}.html"


def _encode(path: str) -> str:
    return quote("/" + path, safe="/!'()*~@")
