"""What a document refers to: its elements, its inline styles and scripts, its import map and speculation rules."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from html import unescape

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
_ELEMENTS = {*_LOADED, *_FRAMED, *_LINKED, "base", "link"}
_TEXT_ELEMENTS = {"script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"}
"""Their content is text, up to their end tag."""

# Tags and comments as the tokenizer of the HTML standard sees them. The possessive quantifiers keep the time linear,
# which html.parser's is not, and a third of its time is enough.
_TAG = re.compile(
    r"""<(?:
        !--(?: -?> | .*? (?: --!?> | \Z ) )
        | [!?][^>]*+
        | /(?P<template_end>template)(?=[\s/>])
        | (?P<name>[a-z][^\s/>]*+)
          (?P<attributes>(?:
              [\s/]++
              | [^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+))?+
          )*+)
          >
        | [a-z][\s\S]*+
    )""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(
    r"""(?P<name>[^\s/>][^\s/>=]*+)
        (?:\s*+=\s*+(?:"(?P<double>[^"]*+)"|'(?P<single>[^']*+)'|(?P<bare>[^\s>"'][^\s>]*+)))?+""",
    re.VERBOSE,
)
# Without a semicolon, `&copy=2` in an address is no sign.
_CHARACTER_REFERENCE = re.compile(r"&(?:\#(?:\d++|[xX][0-9a-fA-F]++);?|[A-Za-z0-9]++(?:;|(?!=)))")
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
    document.read(text)
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


class _Document:
    def __init__(self) -> None:
        self.found: dict[Reference, None] = {}
        self.base = ""
        self._templates = 0

    def read(self, text: str) -> None:
        """Go from tag to tag."""
        position = 0
        while match := _TAG.search(text, position):
            position = match.end()
            name = match["name"]
            if name is None:
                if match["template_end"] and self._templates:
                    self._templates -= 1
                continue
            name = name.lower()
            attributes = match["attributes"]
            # The content of a template is inert, and full of placeholders.
            if not self._templates and (name in _ELEMENTS or "style" in attributes):
                self._element(name, _values(attributes))
            if name == "template" and "shadowrootmode" not in attributes:
                self._templates += 1
            elif name in _TEXT_ELEMENTS and not attributes.endswith("/"):
                end = _text_end(name).search(text, position)
                if end is None:
                    return
                # Most scripts are elsewhere, and have no text.
                if not self._templates and end.start() > position:
                    self._text(name, attributes, text[position : end.start()])
                position = end.end()

    def _text(self, name: str, attributes: str, content: str) -> None:
        kind = name
        if name == "script":
            script_type = _values(attributes).get("type", "").strip().lower()
            kind = "script" if _SCRIPT_TYPE.fullmatch(script_type) else script_type
        if kind in _INLINE:
            self._add_all(_INLINE[kind](content))

    def _element(self, tag: str, values: dict[str, str]) -> None:
        if tag == "base":
            self.base = self.base or values.get("href", "")
        elif tag == "link":
            self._link(values)
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


@cache
def _text_end(name: str) -> re.Pattern[str]:
    return re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)


def _values(attributes: str) -> dict[str, str]:
    """The attributes of a tag that have a value; the first of a name counts."""
    values: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(attributes):
        value = match["double"] or match["single"] or match["bare"]
        if value:
            values.setdefault(match["name"].lower(), _CHARACTER_REFERENCE.sub(_character, value))
    return values


def _character(match: re.Match[str]) -> str:
    return unescape(match[0])
