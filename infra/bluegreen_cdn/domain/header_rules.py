"""Headers by rule: how long browsers keep a file, what type it has, and which further headers it is stored with.

Where a file lies and who shares it is decided by its name alone (`classification`); these rules change what it is
served with. Documents, service workers and web app manifests are asked for by names that stay while their content
changes: no rule may let a browser keep one without asking.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import Any

from bluegreen_cdn.defaults import IMMUTABLE_CACHE_CONTROL, REVALIDATE_CACHE_CONTROL
from bluegreen_cdn.domain.classification import CacheClass, check_glob, glob_pattern
from bluegreen_cdn.domain.headers import ObjectHeaders, content_type
from bluegreen_cdn.errors import InvalidRules

IMMUTABLE = "immutable"
REVALIDATE = "revalidate"
NO_STORE = "no-store"
_MAX_AGE = re.compile(r"max-age=(0|[1-9]\d{0,8})")
_CACHE_CONTROL = {IMMUTABLE: IMMUTABLE_CACHE_CONTROL, REVALIDATE: REVALIDATE_CACHE_CONTROL, NO_STORE: NO_STORE}

EXTRA_HEADERS = ("content-disposition", "content-language")
"""What S3 stores with an object and serves again. All others are the business of a response headers policy."""
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(?:\s*;\s*[\w-]+=(?:[\w.+-]+|\"[^\"\\\x00-\x1f\x7f]*\"))*", re.ASCII)
_HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")

_DOCUMENT = re.compile(r"\.html?$")
_DOCUMENT_TYPES = ("text/html", "application/xhtml+xml")
_SERVICE_WORKER = re.compile(
    r"(?:sw|service[-_]?worker|firebase-messaging-sw|ngsw-worker|OneSignalSDK(?:Updater)?Worker)\.m?js|ngsw\.json",
    re.IGNORECASE,
)
_SOURCE_MAP = re.compile(r"\.(?:[cm]?js|css|wasm)\.map$")
_BRACES = re.compile(r"\{([^{}]*)\}")
_WILDCARDS = re.compile(r"\*\*/|\*+|\?")


@dataclass(frozen=True, kw_only=True)
class HeaderRule:
    """What the files of a glob are served with; what it does not say stays as it is.

    Attributes:
        glob: Which files, such as `fonts/**`; the same globs as in `ClassificationRules`.
        cache: `immutable`, `revalidate`, `no-store`, or `max-age=<seconds>`. Default: as without the rule.
        content_type: Content-Type; text without a charset gets UTF-8. Default: as without the rule.
        headers: Further headers, of `EXTRA_HEADERS`. Default: none.

    Raises:
        InvalidRules: Something in it can never work.
    """

    glob: str
    cache: str | None = None
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_glob(self.glob, "header rules")
        where = f"header rule for {self.glob!r}"
        if self.cache is None and self.content_type is None and not self.headers:
            raise InvalidRules(f"{where} says nothing: give it cache, content_type or headers")
        if self.cache is not None and self.cache not in _CACHE_CONTROL and not _MAX_AGE.fullmatch(self.cache):
            raise InvalidRules(
                f"{where}: cache {self.cache!r} is unknown: use one of {', '.join(_CACHE_CONTROL)}, or "
                f"'max-age=<seconds>'"
            )
        if self.content_type is not None:
            object.__setattr__(self, "content_type", _checked_type(self.content_type, where))
        headers = {name.lower(): value for name, value in self.headers.items()}
        for name, value in headers.items():
            if name in ("content-type", "cache-control"):
                use = "content_type" if name == "content-type" else "cache"
                raise InvalidRules(f"{where}: header {name!r} has a place of its own: use {use}")
            if name not in EXTRA_HEADERS:
                raise InvalidRules(
                    f"{where}: header {name!r} cannot be stored with an object, only {', '.join(EXTRA_HEADERS)} can: "
                    f"give the distribution a response headers policy for it"
                )
            if _HEADER_VALUE.fullmatch(value) is None:
                raise InvalidRules(f"{where}: header {name!r} has the value {value!r}: use printable ASCII")
        object.__setattr__(self, "headers", dict(sorted(headers.items())))

    def __hash__(self) -> int:
        return hash((self.glob, self.cache, self.content_type, tuple(self.headers.items())))

    def to_json(self) -> dict[str, Any]:
        """The rule as a file has it."""
        value: dict[str, Any] = {"glob": self.glob}
        if self.cache is not None:
            value["cache"] = self.cache
        if self.content_type is not None:
            value["contentType"] = self.content_type
        return value | ({"headers": dict(self.headers)} if self.headers else {})

    @classmethod
    def from_json(cls, value: object) -> HeaderRule:
        """Read one rule.

        Raises:
            InvalidRules: It is none.
        """
        _check_members(value, ("glob", "cache", "contentType", "headers"), "a header rule")
        assert isinstance(value, dict)  # noqa: S101  for mypy; checked above
        headers = value.get("headers", {})
        texts = [value.get("glob"), value.get("cache", ""), value.get("contentType", "")]
        texts += [*headers, *headers.values()] if isinstance(headers, dict) else [None]
        if not all(isinstance(text, str) for text in texts):
            raise InvalidRules(f"header rule {value!r}: a glob is needed, and all of its members are texts")
        return cls(glob=value["glob"], cache=value.get("cache"), content_type=value.get("contentType"), headers=headers)


PRESETS = {
    "fonts": (HeaderRule(glob="**/*.{woff2,woff,ttf,otf,eot}", cache="max-age=86400"),),
    "images": (HeaderRule(glob="**/*.{png,jpg,jpeg,gif,webp,avif,svg,ico}", cache="max-age=3600"),),
    "downloads": (HeaderRule(glob="downloads/**", headers={"content-disposition": "attachment"}),),
}
"""`fonts` and `images` let browsers keep what has no hash in its name for a day and an hour. Hashed files are not
touched by them."""


@dataclass(frozen=True, kw_only=True)
class HeaderRules:
    """What the files of a site are served with.

    Example:
        `HeaderRules(rules=(HeaderRule(glob="fonts/**", cache="max-age=86400"),))`

    Attributes:
        rules: Of all that match a file, the last that says something wins. Default: none.
        presets: Names of sets of rules that come before these: `fonts`, `images`, `downloads`. Default: none.
        source_maps: Publish source maps (`x.js.map`), so that everybody can read the sources. Default: leave them out.

    Raises:
        InvalidRules: A rule would let browsers keep a document, or there is no such preset.
    """

    rules: tuple[HeaderRule, ...] = ()
    presets: tuple[str, ...] = ()
    source_maps: bool = False
    _compiled: tuple[tuple[re.Pattern[str], HeaderRule], ...] = field(init=False, repr=False, compare=False)
    _from_presets: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", tuple(self.rules))
        object.__setattr__(self, "presets", tuple(self.presets))
        for name in self.presets:
            if name not in PRESETS:
                raise InvalidRules(f"there is no header preset {name!r}; there are {', '.join(PRESETS)}")
        preset_rules = [rule for name in self.presets for rule in PRESETS[name]]
        compiled = tuple((re.compile(glob_pattern(rule.glob)), rule) for rule in (*preset_rules, *self.rules))
        object.__setattr__(self, "_compiled", compiled)
        object.__setattr__(self, "_from_presets", len(preset_rules))
        for rule in self.rules:
            if rule.cache is not None or rule.content_type is not None:
                for path in _named_documents(rule.glob):
                    self.headers_for(path, CacheClass.ENTRY)

    def publishes(self, path: str) -> bool:
        """Whether a file is published at all: a source map is only when asked for."""
        return self.source_maps or _SOURCE_MAP.search(path) is None

    def headers_for(self, path: str, cache_class: CacheClass) -> ObjectHeaders:
        """What a file is stored and served with.

        Args:
            path: The file's path in the build.
            cache_class: What the classification rules say of it.

        Raises:
            InvalidRules: A rule would let browsers keep what they have to ask for every time.
        """
        must_ask = _must_ask(path)
        cache = IMMUTABLE if cache_class is CacheClass.SHARED and must_ask is None else REVALIDATE
        kind = content_type(path)
        if not self._compiled:
            return _without_rules(kind, _CACHE_CONTROL[cache])
        extra: dict[str, str] = {}
        cache_rule = None
        for number, (pattern, rule) in enumerate(self._compiled):
            if pattern.fullmatch(path) is None:
                continue
            is_preset = number < self._from_presets
            if rule.cache is not None and not (is_preset and (cache == IMMUTABLE or must_ask is not None)):
                cache, cache_rule = rule.cache, rule
            kind = rule.content_type or kind
            extra |= rule.headers
        if cache_rule is not None:
            _check_cache(path, cache_class, cache, cache_rule.glob, must_ask)
        if _DOCUMENT.search(path) and kind.partition(";")[0].strip().lower() not in _DOCUMENT_TYPES:
            raise InvalidRules(f"document {path!r} would get the content type {kind!r}: it must be text/html")
        return ObjectHeaders(
            content_type=kind,
            cache_control=_CACHE_CONTROL.get(cache) or f"public, {cache}",
            content_disposition=extra.get("content-disposition"),
            content_language=extra.get("content-language"),
        )

    def to_json(self) -> dict[str, Any]:
        """The rules as a file has them."""
        return {
            "presets": list(self.presets),
            "rules": [rule.to_json() for rule in self.rules],
            "sourceMaps": self.source_maps,
        }

    @classmethod
    def from_json(cls, value: object) -> HeaderRules:
        """Read header rules.

        Raises:
            InvalidRules: They are none, or contradict themselves.
        """
        _check_members(value, ("presets", "rules", "sourceMaps"), "header rules")
        assert isinstance(value, dict)  # noqa: S101  for mypy; checked above
        presets, rules, source_maps = value.get("presets", []), value.get("rules", []), value.get("sourceMaps", False)
        if not isinstance(rules, list) or not isinstance(source_maps, bool):
            raise InvalidRules("header rules: 'rules' must be a list, and 'sourceMaps' true or false")
        if not isinstance(presets, list) or not all(isinstance(name, str) for name in presets):
            raise InvalidRules(f"header rules: 'presets' must be a list of {', '.join(PRESETS)}")
        return cls(rules=tuple(map(HeaderRule.from_json, rules)), presets=tuple(presets), source_maps=source_maps)


def _must_ask(path: str) -> str | None:
    """What a file is if browsers must ask for it every time, whatever its name carries."""
    name = path.rpartition("/")[2]
    if name.endswith((".html", ".htm")):
        return "document"
    if _SERVICE_WORKER.fullmatch(name):
        return "service worker"
    return "web app manifest" if name == "manifest.json" or name.endswith(".webmanifest") else None


@lru_cache(maxsize=256)
def _without_rules(kind: str, cache: str) -> ObjectHeaders:
    """The headers of most files are the same few."""
    return ObjectHeaders(content_type=kind, cache_control=cache)


def _check_cache(path: str, cache_class: CacheClass, cache: str, glob: str, must_ask: str | None) -> None:
    if cache in (REVALIDATE, NO_STORE, "max-age=0"):
        return
    what = must_ask or ("entry" if cache_class is CacheClass.ENTRY and cache == IMMUTABLE else None)
    if what is not None:
        raise InvalidRules(
            f"header rule for {glob!r} would make browsers keep {what} {path!r} ({cache}), and no release or rollback "
            f"would reach them: let a later rule say {{'glob': {path!r}, 'cache': '{REVALIDATE}'}}, or narrow the glob"
        )


def _named_documents(glob: str) -> Iterator[str]:
    """Documents that a glob is meant for: of each name, or of every name that ends in `.html`.

    `fonts/**` is meant for fonts; should a document lie there, it is found when the build is published.
    """
    if re.fullmatch(glob_pattern(glob), "index.html"):
        yield "index.html"
    parts = _BRACES.split(glob)
    choices = [part.split(",") if number % 2 else [part] for number, part in enumerate(parts)]
    for chosen in product(*choices):
        example = _WILDCARDS.sub(_example, "".join(chosen))
        if _DOCUMENT.search(example) and not example.startswith("/"):
            yield example


def _example(wildcard: re.Match[str]) -> str:
    return {"**/": "", "?": "m"}.get(wildcard[0], "index")


def _checked_type(value: str, where: str) -> str:
    if _MEDIA_TYPE.fullmatch(value) is None:
        raise InvalidRules(f"{where}: content type {value!r} is none: use one such as 'text/plain; charset=utf-8'")
    return f"{value}; charset=utf-8" if value.startswith("text/") and ";" not in value else value


def _check_members(value: object, known: Iterable[str], what: str) -> None:
    if not isinstance(value, dict):
        raise InvalidRules(f"{what} must be an object with {', '.join(known)}, not {value!r}")
    for name in value:
        if name not in known:
            raise InvalidRules(f"{what}: member {name!r} is unknown; there are {', '.join(known)}")
