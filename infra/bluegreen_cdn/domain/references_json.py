"""What JSON files and JSON in documents refer to: web app manifests, import maps, and what bundlers say they wrote."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from bluegreen_cdn.domain.references import Reference, ReferenceKind, Scan

_NOT_SERVED = (".map", ".LICENSE.txt", ".hot-update.js", ".hot-update.json")
_NEXT_LISTS = ("pages", "rootMainFiles", "polyfillFiles", "lowPriorityFiles")


def scan_import_map(text: str) -> Scan:
    """Find the addresses in the text of `<script type="importmap">`."""
    value = _object(text)
    maps = [value.get("imports"), *_values(value.get("scopes"))]
    # An address that ends in a slash is the start of others.
    targets = [target for entries in maps for target in _texts(_values(entries)) if not target.endswith("/")]
    return _scan((target, ReferenceKind.LAZY) for target in targets if target.startswith(("/", "./", "../")))


def scan_speculation_rules(text: str) -> Scan:
    """Find the documents that `<script type="speculationrules">` lists by name."""
    rules = [rule for action in ("prefetch", "prerender") for rule in _list(_object(text).get(action))]
    return _scan((url, ReferenceKind.LINK) for rule in rules for url in _texts(_list(_get(rule, "urls"))))


def scan_web_manifest(text: str) -> Scan:
    """Find the icons, screenshots and pages that a web app manifest names."""
    value = _object(text)
    shortcuts = _list(value.get("shortcuts"))
    images = [
        image
        for holder in (value, *shortcuts)
        for name in ("icons", "screenshots")
        for image in _list(_get(holder, name))
    ]
    pages = [value.get("start_url"), *(_get(shortcut, "url") for shortcut in shortcuts)]
    pages += [_get(handler, "action") for handler in _list(value.get("file_handlers"))]
    return _scan(
        [
            *((src, ReferenceKind.LAZY) for src in _texts(_get(image, "src") for image in images)),
            *((page, ReferenceKind.LINK) for page in _texts(pages)),
        ]
    )


def scan_bundler_manifest(path: str, text: str) -> Scan:
    """Find the files that a bundler says it wrote; none if the file is no bundler's.

    Known are the manifests of Vite, webpack (`asset-manifest.json`, `stats.json`, the manifest plugin's flat list) and
    Next.

    Args:
        path: Where it lies in the build.
        text: Its content.
    """
    value = _object(text)
    folder = posixpath.dirname(path)
    if _is_vite(value):
        above = "../" if posixpath.basename(folder) == ".vite" else ""
        return _files(map(quote, _vite_files(value)), above)
    if isinstance(value.get("assets"), list):
        names = _texts(_get(asset, "name") for asset in value["assets"])
        return _files(quote(name.partition("?")[0]) for name in names)
    if isinstance(value.get("files"), dict):
        return _files(_texts(value["files"].values()))
    if isinstance(value.get("pages"), dict) and any(name in value for name in _NEXT_LISTS[1:]):
        next_folder = "" if "_next" in folder.split("/") else "_next/"
        return _files(_texts(file for name in _NEXT_LISTS for file in _flat(value.get(name))), next_folder)
    if value and all(_is_file_name(name) and _is_file_name(file) for name, file in value.items()):
        return _files(_texts(value.values()))
    return Scan(())


def _is_vite(value: dict[str, Any]) -> bool:
    return bool(value) and all(
        isinstance(chunk, dict) and _is_file_name(chunk.get("file")) and not isinstance(chunk.get("name"), list)
        for chunk in value.values()
    )


def _vite_files(value: dict[str, Any]) -> Iterator[str]:
    for chunk in value.values():
        yield chunk["file"]
        for name in ("css", "assets"):
            yield from _texts(_list(chunk.get(name)))


def _files(names: Iterable[str], prefix: str = "") -> Scan:
    served = (name for name in names if not name.endswith(_NOT_SERVED) and not name.startswith("../"))
    targets = (name if name.startswith("/") or ":" in name else prefix + name for name in served)
    return _scan((target, ReferenceKind.LAZY) for target in targets)


def _is_file_name(value: object) -> bool:
    return isinstance(value, str) and "." in value.rpartition("/")[2]


def _flat(value: object) -> Iterator[object]:
    """The members of nested lists and objects."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for member in value:
            yield from _flat(member)
    else:
        yield value


def _scan(found: Iterable[tuple[str, ReferenceKind]]) -> Scan:
    return Scan(tuple(dict.fromkeys(Reference(target, kind) for target, kind in found)))


def _object(text: str) -> dict[str, Any]:
    """The JSON object in a text; an empty one if there is none, which is for others to complain about."""
    try:
        value = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _get(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _values(value: object) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else []


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(values: Iterable[object]) -> list[str]:
    return [value for value in values if isinstance(value, str)]
