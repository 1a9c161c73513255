"""What a document refers to: its elements, its inline styles and scripts, its import map and speculation rules."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

from bluegreen_cdn.domain.references import Reference, ReferenceKind, Scan
from bluegreen_cdn.domain.references_css import scan_css
from bluegreen_cdn.domain.references_json import scan_import_map, scan_speculation_rules
from bluegreen_cdn.domain.references_script import scan_script

_LOADED = {
    "script": ("src", "href", "xlink:href"),
    "img": ("src",),
    "source": ("src",),
    "video": ("src", "poster"),
    "audio": ("src",),
    "track": ("src",),
    "embed": ("src",),
    "input": ("src",),
    "image": ("href", "xlink:href"),
    "feimage": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
    "body": ("background",),
    "table": ("background",),
    "td": ("background",),
    "th": ("background",),
}
_FRAMED = {"iframe": "src", "frame": "src", "object": "data"}
_LINKED = {"a": ("href", "xlink:href"), "area": ("href",)}
_LINK_RELATIONS = {
    "apple-touch-icon": ReferenceKind.LOAD,
    "apple-touch-icon-precomposed": ReferenceKind.LOAD,
    "apple-touch-startup-image": ReferenceKind.LOAD,
    "icon": ReferenceKind.LOAD,
    "manifest": ReferenceKind.MANIFEST,
    "mask-icon": ReferenceKind.LOAD,
    "modulepreload": ReferenceKind.LOAD,
    "prefetch": ReferenceKind.LAZY,
    "preload": ReferenceKind.LOAD,
    "prerender": ReferenceKind.LINK,
    "stylesheet": ReferenceKind.LOAD,
}
"""`canonical`, `alternate`, `next` and the like tell machines something, and browsers load nothing for them."""
_TEXT_ELEMENTS = {"textarea", "title", "xmp", "iframe", "noembed", "noframes"}
"""Their content is text for browsers. html.parser knows this of `script` and `style` only."""
_INLINE: dict[str, Callable[[str], Scan]] = {
    "style": scan_css,
    "script": scan_script,
    "importmap": scan_import_map,
    "speculationrules": scan_speculation_rules,
}
_SCRIPT_TYPE = re.compile(r"(?:(?:text|application)/(?:x-)?(?:java|ecma)script|module)?", re.IGNORECASE)
_CANDIDATE = re.compile(r"[\s,]*(?P<url>\S+)(?P<descriptors>(?:\([^)]*\)|[^,(])*)")


def scan_html(text: str) -> Scan:
    """Find what a document refers to."""
    document = _Document()
    document.feed(text)
    document.close()
    return Scan(tuple(document.found), document.base)


def srcset_targets(value: str) -> tuple[str, ...]:
    """The addresses in a `srcset`, by HTML's own rules: commas end a candidate only where no address has them."""
    targets = []
    position = 0
    while match := _CANDIDATE.match(value, position):
        address = match["url"]
        position = match.end()
        if address.endswith(","):
            address = address.rstrip(",")
            position = match.end("url")
        if address:
            targets.append(address)
    return tuple(targets)


class _Document(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: dict[Reference, None] = {}
        self.base = ""
        self._collects = ""
        self._collected: list[str] = []
        self._in_text = ""
        self._in_templates = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._element(tag, attrs)
        if self._in_text:
            return
        if tag in _TEXT_ELEMENTS:
            self._in_text = tag
        elif tag == "template" and not any(name == "shadowrootmode" for name, _ in attrs):
            self._in_templates += 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # `<title/>` ends itself in SVG, where it is common, and nowhere else, where nobody writes it.
        self._element(tag, attrs)
        self._collects = ""

    def handle_endtag(self, tag: str) -> None:
        self._scan_collected()
        if tag == self._in_text:
            self._in_text = ""
        elif tag == "template" and not self._in_text and self._in_templates:
            self._in_templates -= 1

    def handle_data(self, data: str) -> None:
        # The text of one script comes in pieces when it has `</` in it.
        if self._collects:
            self._collected.append(data)

    def close(self) -> None:
        super().close()
        self._scan_collected()

    def _scan_collected(self) -> None:
        if self._collects:
            self._add_all(_INLINE[self._collects]("".join(self._collected)))
        self._collects = ""
        self._collected.clear()

    def _element(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # The content of a template is inert, and full of placeholders.
        if self._in_text or self._in_templates:
            return
        values: dict[str, str] = {}
        for name, value in attrs:
            if value:
                values.setdefault(name, value)
        if tag == "base":
            self.base = self.base or values.get("href", "")
        elif tag == "link":
            self._link(values)
        elif tag == "script":
            script_type = values.get("type", "").strip().lower()
            self._collects = "script" if _SCRIPT_TYPE.fullmatch(script_type) else script_type
            self._collects = self._collects if self._collects in _INLINE else ""
        elif tag == "style":
            self._collects = "style"
        self._attributes(tag, values)

    def _attributes(self, tag: str, values: dict[str, str]) -> None:
        for name in _LOADED.get(tag, ()):
            if name in values:
                self._add(values[name], ReferenceKind.LOAD)
        if tag in ("img", "source") and "srcset" in values:
            self._add_each(srcset_targets(values["srcset"]))
        if tag in _FRAMED and _FRAMED[tag] in values:
            self._add(values[_FRAMED[tag]], ReferenceKind.FRAME)
        for name in _LINKED.get(tag, ()):
            if name in values:
                self._add(values[name], ReferenceKind.LINK)
        if "style" in values:
            self._add_all(scan_css(values["style"]))

    def _link(self, values: dict[str, str]) -> None:
        kinds = [_LINK_RELATIONS[name] for name in values.get("rel", "").lower().split() if name in _LINK_RELATIONS]
        if not kinds:
            return
        if "href" in values:
            kind = kinds[0]
            if kind is ReferenceKind.LAZY and "." not in values["href"].rpartition("/")[2]:
                kind = ReferenceKind.LINK
            self._add(values["href"], kind)
        self._add_each(srcset_targets(values.get("imagesrcset", "")))

    def _add(self, target: str, kind: ReferenceKind) -> None:
        self.found[Reference(target, kind)] = None

    def _add_each(self, targets: tuple[str, ...]) -> None:
        for target in targets:
            self._add(target, ReferenceKind.LOAD)

    def _add_all(self, scan: Scan) -> None:
        self.found.update(dict.fromkeys(scan.references))
