"""A reference: what a file of a build names, and which path of the site is meant by it.

What to look for stands in one file for each language: `references_html`, `references_css`, `references_script` and
`references_json`.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from urllib.parse import unquote, urljoin, urlsplit

_HERE = "http://site.invalid"
_STRIPPED = "".join(map(chr, range(0x21)))
_REMOVED = re.compile(r"[\t\n\r]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


class ReferenceKind(StrEnum):
    """What a browser does with a reference."""

    LOAD = "load"
    """Loaded with the page."""
    LAZY = "lazy"
    """Loaded when the code gets there."""
    MANIFEST = "manifest"
    """Loaded with the page, and a web app manifest."""
    FRAME = "frame"
    """A document inside of the page."""
    LINK = "link"
    """A document, or a download, that the visitor may go to."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Something that a file names.

    Attributes:
        target: As written, such as `./chunk-a1b2c3d4.js`.
        kind: What a browser does with it.
        from_above: It is relative to the file that names it or to any folder above, as in lists whose base is worked
            out in the browser; one place where it exists is enough. Default: relative to the file.
    """

    target: str
    kind: ReferenceKind = ReferenceKind.LOAD
    from_above: bool = False


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found in a text.

    Attributes:
        references: In the order of their appearance, each once.
        base: What a document's `<base>` says all of them are relative to. Default: the document itself.
    """

    references: tuple[Reference, ...]
    base: str = ""


def text_of(data: bytes) -> str:
    """A file's text, as far as names in it matter."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    # Browsers, too, put a replacement character where the bytes make no sense; names in ASCII survive any encoding.
    return data.decode("utf-8", "replace")


def site_url(target: str, base: str) -> str | None:
    """The path on this site that a reference asks for, as a browser sends it; None when it asks for none.

    Other origins, data, fragments of the same file and what is no address at all give None.

    Args:
        target: As written, such as `../logo.svg?v=2#mark`.
        base: The path of the file it stands in, such as `/assets/index.js`, or the address in its `<base>`.
    """
    target = _REMOVED.sub("", target.strip(_STRIPPED))
    if not target or target.startswith("#"):
        return None
    path, mark, rest = _split(target)
    if not _SCHEME.match(target):
        # Browsers take a backslash in an address for a slash.
        target = path.replace("\\", "/") + mark + rest
    try:
        joined = urlsplit(urljoin(_absolute(base), target))
    except ValueError:
        return None
    return (joined.path or "/") if f"{joined.scheme}://{joined.netloc}" == _HERE else None


def resolve(target: str, *, base: str) -> str | None:
    """The file of this site that a reference names, without a leading slash; None when it names none.

    Args:
        target: As written.
        base: The path of the file it stands in, such as `/assets/index.js`.
    """
    url = site_url(target, base)
    return unquote(url).removeprefix("/") or None if url is not None else None


@lru_cache(maxsize=1024)
def _absolute(base: str) -> str:
    return urljoin(_HERE, base)


def _split(target: str) -> tuple[str, str, str]:
    match = re.search(r"[?#]", target)
    return (target, "", "") if match is None else (target[: match.start()], match[0], target[match.end() :])
