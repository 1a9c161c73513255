"""What a document, a style sheet or a script asks a browser to load.

The publisher's own scanners find what a text names for certain. A visitor without a script engine also has to guess:
it takes string literals in scripts that look like a file for one, and the caller keeps only what the build of the page
really contains.
"""

import re
from dataclasses import dataclass

from bluegreen_cdn.domain import references_css, references_html, references_script
from bluegreen_cdn.domain.references import ReferenceKind, Scan, resolve

__all__ = ["References", "resolve", "resolve_literal", "scan_css", "scan_html", "scan_script"]

_EAGER = (ReferenceKind.LOAD, ReferenceKind.MANIFEST)
_LITERAL = re.compile(
    r"""["'`]((?:\.{0,2}/)?[\w@.~+-]+(?:/[\w@.~+-]+)*\.(?:m?js|css|json|svg|png|jpe?g|gif|webp|avif|ico|woff2?|wasm|mp4|webm))["'`]"""
)


@dataclass(frozen=True, kw_only=True)
class References:
    """What one text asks for: `eager` at once, `lazy` when the visitor gets there; as written, not yet resolved."""

    eager: tuple[str, ...] = ()
    lazy: tuple[str, ...] = ()
    base: str = ""


def scan_html(text: str) -> References:
    """Find what a document refers to, inline styles and scripts included; where its links lead to is not followed."""
    return _references(references_html.scan_html(text))


def scan_css(text: str) -> References:
    """Find the files that a style sheet names."""
    return _references(references_css.scan_css(text))


def scan_script(text: str) -> References:
    """Find a script's static imports (eager), and its dynamic imports and file names in literals (lazy)."""
    return _references(references_script.scan_script(text), _LITERAL.findall(text))


def resolve_literal(reference: str, *, base: str, known: frozenset[str] | set[str]) -> str | None:
    """Resolve a literal found in a script against the site's root, then against the script's folder.

    Vite's preload lists are relative to the root, `import()` to the script; only a file that exists settles which is
    meant.
    """
    for place in (base, "/"):
        path = resolve(reference, base=place)
        if path is not None and path in known:
            return path
    return None


def _references(scan: Scan, literals: tuple[str, ...] | list[str] = ()) -> References:
    eager = dict.fromkeys(one.target for one in scan.references if one.kind in _EAGER)
    lazy = [one.target for one in scan.references if one.kind is ReferenceKind.LAZY]
    return References(
        eager=tuple(eager),
        lazy=tuple(dict.fromkeys(name for name in (*lazy, *literals) if name not in eager)),
        base=scan.base,
    )
