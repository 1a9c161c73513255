"""Which files of a build are shared by all builds, which follow the rollout, which belong to one build.

The publisher decides by these rules where a file is stored, the edge where it is looked for, so both must give the
same answer. Therefore each rule is one regular expression, made here and used as it stands in Python and, through
`edge_config`, in the CloudFront Functions. It keeps to what both engines read alike (`\\d` and `\\w` are
ASCII, no look-behind, no flags).

A file is *shared* when it lies in a hashed folder and its name carries a **hash token** (or a folder below the hashed
one is such a token, as in Next's `_next/static/<build>/`):

- 8 or more hex digits, one of them a decimal digit, as a whole part of the name (`main.073c9b0a.chunk.js`);
- exactly 8 of `[A-Za-z0-9_-]` at the end of a part, after the name's start, `-` or `.` (`index-B3x9aZ0q.js`,
  `CWj6FrbW.js`);
- 9 or more characters with an upper-case letter, a lower-case letter and a decimal digit
  (`hero.CqR5x8dK_Z1dGkqS.webp`).

Source maps and other companions (`x.js.map`, `x.js.LICENSE.txt`) are never shared, whatever globs say: their names
carry the script's hash.

Names are ambiguous, and the two mistakes do not cost the same:

- *taken for hashed, but written by hand*: works until somebody changes the file under the same name. Then publishing
  refuses and names the file; `unhashed=[…]` is the cure. Loud, nothing broken.
- *hashed, but not recognised*: stored with its build and found through the build cookie, so caching across builds is
  lost, and a visitor with tabs of two builds may miss it. Silent; `hashed=[…]` is the cure.

So the rule leans towards "hashed" and only spares what looks like words, dates and sizes:
`background-photograph.png`, `Inter-SemiBold.ttf`, `photo-20240115.png`, `hero-1024x768.png`, `icon-user_add.svg`,
`logo-image2024.png`. That costs 0.3 % of the 8-character base64url tokens (those that happen to look like a word) and
0.04 % of 8-digit hex ones; the presets close the gap where a bundler's own folders or scripts allow it. Hand-written
names that are still taken for hashed: mixed case of exactly 8 letters (`OpenSans.ttf`), 8 capitals
(`logo-DOWNLOAD.png`), with Vite's preset also 8 letters before `.js` (`jquery-calendar.js`). Base64url hashes longer
than 8 characters are recognised only with upper case, lower case and digit, and without an inner `-` where `-`
separates them: a bundler configured that way wants a `hashed` glob.

Globs: `*` is any run of characters within a folder, `**` across folders (`**/` also matches none), `?` one ASCII
character other than `/`, `{a,b}` either; everything else stands for itself, `[slug]` included. A glob matches the
whole path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bluegreen_cdn.domain.presets import PRESETS
from bluegreen_cdn.errors import ForeignState, InvalidRules

_SIZE_OR_WORD = r"(?:[A-Z]?[a-z]{2,}|\d+x?)"
_LOOKS_HUMAN = (
    r"(?:(?:Semi|Demi)Bold|[A-Z]?[a-z]{7,}|[a-z]{4,}\d{1,4}|\d+x\d+|(?:19|20)\d+"
    rf"|{_SIZE_OR_WORD}(?:[-_]{_SIZE_OR_WORD})+)(?:\.|$)"
)
_HEX = r"(?!(?:19|20)\d+(?:[-._]|$))(?=[a-f]*\d)[0-9a-f]{8,}(?=[-._]|$)"


def _mixed(characters: str) -> str:
    return rf"(?={characters}*\d)(?={characters}*[A-Z])(?={characters}*[a-z]){characters}"


_MIXED = _mixed(r"\w")
_MIXED_WITH_DASH = _mixed(r"[\w-]")
HASH_TOKEN_IN_NAME = (
    rf"(?:^|[-._]){_HEX}"
    rf"|(?:^|[-.])(?!{_LOOKS_HUMAN})[\w-]{{8}}(?=\.|$)"
    rf"|-{_MIXED}{{9,}}(?=\.|$)"
    rf"|\.{_MIXED_WITH_DASH}{{9,}}(?=\.|$)"
)
HASH_TOKEN_AS_FOLDER = rf"^(?:{_HEX}$|{_MIXED_WITH_DASH}{{12,}}$|(?=.*[A-Z])(?=.*[a-z])[\w-]{{21}}$)"
"""21 characters are a nanoid, Next's default build id; one in 35 of them has no digit."""
COMPANION = r"\.(?:map|(?:[cm]?js|css)\.[\w.]+)$"
_END = r"(?:\.br|\.gz)?$"
"""Of an entry: its precompressed variants follow the rollout, too, or whoever asks for one by name gets any build's."""
ENTRY_BY_NAME = rf"\.html?{_END}"
LONGEST_KEY = 1024
"""S3's limit. It also keeps the edge's regular expressions from being fed to death."""
NOTHING = r"^(?!)"
_BRACES = re.compile(r"\{[^{}]*\}")


class CacheClass(StrEnum):
    """What may be done with a file between builds."""

    SHARED = "shared"
    """The name carries the content's hash: one copy for all builds, cached for a year."""
    ENTRY = "entry"
    """Asked for by a fixed name and follows the rollout: documents, service workers, embeddable scripts."""
    VERSIONED = "versioned"
    """Belongs to one build and is served by the build of the visitor's last document."""


def glob_pattern(glob: str) -> str:
    """Translates a glob to a regular expression (without anchors) that Python and JavaScript read alike."""
    parts = []
    position = 0
    in_braces = False
    while position < len(glob):
        character = glob[position]
        if glob.startswith("**/", position) and (position == 0 or glob[position - 1] == "/"):
            parts.append(r"(?:[\s\S]*/)?")
            position += 3
        elif glob.startswith("**", position):
            parts.append(r"[\s\S]*")
            position += 2
        else:
            run = 1
            if character in "{}":
                in_braces = character == "{"
                parts.append("(?:" if in_braces else ")")
            elif character == "," and in_braces:
                parts.append("|")
            elif character == "*":
                parts.append("[^/]*")
            elif character == "?":
                run = len(glob) - position - len(glob[position:].lstrip("?"))
                parts.append("[!-.0-~]" if run == 1 else f"[!-.0-~]{{{run}}}")
            else:
                parts.append("\\" + character if character in r"\^$.|+()[]" else character)
            position += run
    return "".join(parts)


def check_glob(glob: str, where: str) -> str:
    """Return a glob unchanged if it can match a file.

    Args:
        glob: The glob.
        where: What it stands in, for the message.

    Raises:
        InvalidRules: It can match none.
    """
    if not glob or glob.startswith("/"):
        raise InvalidRules(f"glob {glob!r} in {where} can match no file: paths have no leading slash")
    if re.search(r"[{}]", _BRACES.sub("", glob)):
        raise InvalidRules(f"glob {glob!r} in {where}: braces are for alternatives, as in '{{main,chunk}}.js'")
    return glob


def _any_glob(globs: Iterable[str], end: str = "$") -> str:
    alternatives = "|".join(glob_pattern(glob) for glob in globs)
    return f"^(?:{alternatives}){end}" if alternatives else NOTHING


@dataclass(frozen=True, kw_only=True)
class ClassificationPatterns:
    """The rules as regular expression sources, the form in which the edge gets them.

    Attributes:
        entry: Paths that follow the rollout.
        unhashed: Paths that are not hashed whatever their name.
        hashed: Paths that are hashed whatever their name.
        folder: The start of a path in a hashed folder; the match is the folder.
    """

    entry: str
    unhashed: str
    hashed: str
    folder: str


@dataclass(frozen=True, kw_only=True)
class ClassificationRules:
    """The classification of a site's files.

    Example:
        >>> rules = ClassificationRules.preset("vite")
        >>> rules.classify("assets/index-B3x9aZ0q.js")
        <CacheClass.SHARED: 'shared'>

    Attributes:
        hashed_folders: Folders where bundlers put hashed files, such as `assets/`; no leading, one trailing slash.
        hashed: Globs of files that are hashed though the rule says no. Default: none.
        unhashed: Globs of files that are not hashed though the rule says yes; stronger than `hashed`. Default: none.
        entries: Globs of files beside `*.html` that follow the rollout: `widget.js`, `sw.js`; strongest. Default: none.

    Raises:
        InvalidRules: A folder or glob that can never match, or the same glob under two headings.
    """

    hashed_folders: tuple[str, ...]
    hashed: tuple[str, ...] = ()
    unhashed: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    _compiled: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("hashed_folders", "hashed", "unhashed", "entries"):
            values = getattr(self, name)
            if isinstance(values, str):
                raise InvalidRules(f"{name} is the text {values!r}; it must be a list of texts: [{values!r}]")
            object.__setattr__(self, name, tuple(values))
        for folder in self.hashed_folders:
            if not folder.endswith("/") or folder.startswith("/") or "//" in folder or folder == "/":
                raise InvalidRules(
                    f"hashed folder {folder!r} must be a path below the site's root without a leading slash and with a "
                    f"trailing one, such as 'assets/'"
                )
            if re.search(r"[*?]", folder):
                raise InvalidRules(f"hashed folder {folder!r} is a glob; put globs into `hashed`")
        headings: dict[str, str] = {}
        for name in ("hashed", "unhashed", "entries"):
            for glob in getattr(self, name):
                check_glob(glob, name)
                if name != headings.setdefault(glob, name):
                    raise InvalidRules(f"glob {glob!r} stands in {headings[glob]} and in {name}; keep one of them")
        patterns = self.patterns()
        sources = (patterns.entry, patterns.unhashed, patterns.hashed, patterns.folder)
        object.__setattr__(self, "_compiled", tuple(re.compile(source, re.ASCII) for source in sources))

    def patterns(self) -> ClassificationPatterns:
        """The rules as regular expressions for `re.search` and for JavaScript's `RegExp.exec`."""
        entries = _any_glob(self.entries, _END)
        # The longest folder first: "static/js/" before "static/", for the rest of the path begins after it.
        folders = "|".join(glob_pattern(folder) for folder in sorted(self.hashed_folders, key=lambda f: (-len(f), f)))
        return ClassificationPatterns(
            entry=ENTRY_BY_NAME if entries == NOTHING else f"{ENTRY_BY_NAME}|{entries}",
            unhashed=_any_glob(self.unhashed),
            hashed=_any_glob(self.hashed),
            folder=f"^(?:{folders})" if folders else NOTHING,
        )

    def classify(self, path: str) -> CacheClass:
        """Says how a file may be cached.

        Args:
            path: The file's path in the build, decoded, without a leading slash.
        """
        entry, unhashed, hashed, folder = self._compiled
        if len(path) > LONGEST_KEY:
            return CacheClass.VERSIONED
        if entry.search(path):
            return CacheClass.ENTRY
        if unhashed.search(path) or _COMPANION.search(path):
            return CacheClass.VERSIONED
        if hashed.search(path):
            return CacheClass.SHARED
        start = folder.search(path)
        if start is None:
            return CacheClass.VERSIONED
        *folders, name = path[start.end() :].split("/")
        if _IN_NAME.search(name) or any(_AS_FOLDER.search(part) for part in folders):
            return CacheClass.SHARED
        return CacheClass.VERSIONED

    def is_entry(self, path: str) -> bool:
        """Whether a file follows the rollout: what `classify` says, for whoever wants to know no more."""
        return len(path) <= LONGEST_KEY and self._compiled[0].search(path) is not None

    def to_json(self) -> dict[str, Any]:
        """The rules as they stand in a manifest."""
        return {
            "hashedFolders": list(self.hashed_folders),
            "hashed": list(self.hashed),
            "unhashed": list(self.unhashed),
            "entries": list(self.entries),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ClassificationRules:
        """Reads what `to_json` wrote.

        Raises:
            ForeignState: The value is not a set of rules.
        """
        names = {"hashedFolders": "hashed_folders", "hashed": "hashed", "unhashed": "unhashed", "entries": "entries"}
        lists: dict[str, tuple[str, ...]] = {}
        if not isinstance(value, Mapping) or "hashedFolders" not in value:
            raise ForeignState(
                f"classification rules {value!r} are not ours: expected an object with {', '.join(names)}"
            )
        for key, name in names.items():
            entries = value.get(key, [])
            if not isinstance(entries, list | tuple) or not all(isinstance(entry, str) for entry in entries):
                raise ForeignState(f"{key} of the classification rules is {entries!r}; expected a list of texts")
            lists[name] = tuple(entries)
        return cls(**lists)

    @classmethod
    def preset(
        cls,
        *names: str,
        hashed: Iterable[str] = (),
        unhashed: Iterable[str] = (),
        entries: Iterable[str] = (),
    ) -> ClassificationRules:
        """The rules for the output of known bundlers.

        Args:
            *names: One or more of `vite`, `next`, `cra`, `sveltekit`, `nuxt`, `astro`, `angular`, `webpack`.
            hashed: Further globs of hashed files. Default: none.
            unhashed: Globs of files that only look hashed. Default: none.
            entries: Globs of entries beside `*.html`. Default: none.

        Raises:
            InvalidRules: A preset that does not exist, or none given.
        """
        for name in names:
            if name not in PRESETS:
                raise InvalidRules(f"there is no preset {name!r}; there are {', '.join(PRESETS)}")
        if not names:
            raise InvalidRules(f"no preset given; there are {', '.join(PRESETS)}")
        chosen = [PRESETS[name] for name in names]
        return cls(
            hashed_folders=_union(preset.hashed_folders for preset in chosen),
            hashed=_union([*(preset.hashed for preset in chosen), tuple(hashed)]),
            unhashed=_union([*(preset.unhashed for preset in chosen), tuple(unhashed)]),
            entries=tuple(entries),
        )

    @classmethod
    def default(cls) -> ClassificationRules:
        """All presets together, for a site that names none."""
        return cls.preset(*PRESETS)


def _union(groups: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for group in groups for value in group))


_IN_NAME = re.compile(HASH_TOKEN_IN_NAME, re.ASCII)
_AS_FOLDER = re.compile(HASH_TOKEN_AS_FOLDER, re.ASCII)
_COMPANION = re.compile(COMPANION, re.ASCII)
