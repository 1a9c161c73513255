"""What a document, a style sheet or a script asks a browser to load.

Scanning is by text, as a visitor without a script engine has to do it: HTML by its tags, CSS by `url()` and `@import`,
JavaScript by its static imports and by string literals that name a file. A literal that names nothing is possible, so
the caller keeps only what the build of the page really contains.
"""

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

_HERE = "http://site.invalid"

_ATTRIBUTES = {
    "script": ("src",),
    "img": ("src",),
    "source": ("src",),
    "video": ("src", "poster"),
    "audio": ("src",),
    "track": ("src",),
    "embed": ("src",),
    "input": ("src",),
    "object": ("data",),
    "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
}
_LINK_RELATIONS = {"stylesheet", "modulepreload", "preload", "icon", "manifest", "apple-touch-icon", "mask-icon"}

_CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_CSS_URL = re.compile(r"""url\(\s*(?:"([^"\n]*)"|'([^'\n]*)'|([^"'()\s]+))\s*\)""", re.IGNORECASE)
_CSS_IMPORT = re.compile(r"""@import\s+(?:"([^"\n]*)"|'([^'\n]*)')""", re.IGNORECASE)

_STATIC_IMPORT = re.compile(r"""\b(?:import|export)\b(?:[\w\s{},*$]*\bfrom)?\s*["']([^"'\n]+)["']""")
_DYNAMIC_IMPORT = re.compile(r"""\bimport\(\s*(?:/\*.*?\*/\s*)?["'`]([^"'`\n$]+)["'`]\s*\)""")
_LITERAL = re.compile(
    r"""["'`]((?:\.{0,2}/)?[\w@.~+-]+(?:/[\w@.~+-]+)*\.(?:m?js|css|json|svg|png|jpe?g|gif|webp|avif|ico|woff2?|wasm|mp4|webm))["'`]"""
)


@dataclass(frozen=True, kw_only=True)
class References:
    """What one text asks for: `eager` at once, `lazy` when the visitor gets there; as written, not yet resolved."""

    eager: tuple[str, ...] = ()
    lazy: tuple[str, ...] = ()
    base: str = ""


class _Document(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.eager: list[str] = []
        self.lazy: list[str] = []
        self.base = ""
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value for name, value in attrs if value}
        self._inside = tag if tag in ("script", "style") else ""
        if tag == "base" and not self.base:
            self.base = values.get("href", "")
        elif tag == "link":
            relations = set(values.get("rel", "").lower().split())
            if relations & _LINK_RELATIONS and "href" in values:
                self.eager.append(values["href"])
        else:
            self.eager.extend(values[name] for name in _ATTRIBUTES.get(tag, ()) if name in values)
        if tag in ("img", "source") and "srcset" in values:
            self.eager.extend(part.split()[0] for part in values["srcset"].split(",") if part.strip())
        if "style" in values:
            self.eager.extend(scan_css(values["style"]).eager)

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.eager.extend(scan_css(data).eager)
        elif self._inside == "script":
            found = scan_script(data)
            self.eager.extend(found.eager)
            self.lazy.extend(found.lazy)


def scan_html(text: str) -> References:
    """Find what a document refers to, inline styles and scripts included."""
    document = _Document()
    document.feed(text)
    document.close()
    return _references(document.eager, document.lazy, document.base)


def scan_css(text: str) -> References:
    """Find the files that a style sheet names."""
    text = _CSS_COMMENT.sub("", text)
    found = [
        match for pattern in (_CSS_IMPORT, _CSS_URL) for groups in pattern.findall(text) for match in groups if match
    ]
    return _references(found, ())


def scan_script(text: str) -> References:
    """Find a script's static imports (eager), and its dynamic imports and file names in literals (lazy)."""
    eager = _STATIC_IMPORT.findall(text)
    lazy = _DYNAMIC_IMPORT.findall(text) + _LITERAL.findall(text)
    return _references(eager, [name for name in lazy if name not in eager])


def resolve(reference: str, *, base: str) -> str | None:
    """Turn a reference into a path of this site without its leading slash; None when it points elsewhere.

    Args:
        reference: As written, such as `./chunk-a1b2c3d4.js` or `/favicon.svg`.
        base: The path of the file it stands in, such as `/assets/index.js`.
    """
    reference = reference.strip()
    if not reference or reference.startswith(("#", "data:", "blob:", "about:", "javascript:", "mailto:")):
        return None
    try:
        target = urlsplit(urljoin(_HERE + base, reference))
    except ValueError:
        return None
    if f"{target.scheme}://{target.netloc}" != _HERE:
        return None
    return unquote(target.path).removeprefix("/") or None


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


def _references(eager: list[str] | tuple[str, ...], lazy: list[str] | tuple[str, ...], base: str = "") -> References:
    return References(eager=tuple(dict.fromkeys(eager)), lazy=tuple(dict.fromkeys(lazy)), base=base)
