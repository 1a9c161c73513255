"""What a script refers to by name: static and dynamic imports of addresses, Vite's preload lists, Next's page lists.

There is no parser here, only as much of a lexer as keeps apart code from strings, comments, templates and regular
expressions: an `import` in the text of a tutorial is none. Names that a script puts together are not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bluegreen_cdn.domain.references import Reference, ReferenceKind, Scan

SCRIPTS = (".js", ".mjs")
"""What their names end in."""
NEXT_BUILD_MANIFEST = "_buildManifest.js"

_SPACE = r"(?:\s|/\*(?:(?!\*/)[\s\S])*+\*/|//[^\n]*\n)*+"
# Bare names such as `react` are resolved by import maps, whose targets are references of their own.
_ADDRESS = r"""(?P<quote>["'`])(?P<target>(?:\.{1,2}/|/)[^"'`\\\n$]*)(?P=quote)"""
_IMPORT = re.compile(
    rf"""(?<![\w$.#\\])(?:
        import{_SPACE}(?: (?P<call>\(){_SPACE} | (?:(?!\bimport\b)[\w$\s{{}},*])*?\bfrom{_SPACE} )?
        | export{_SPACE}(?: \*[\w$\s]*? | \{{[^{{}}"'`]*+\}} ){_SPACE}from{_SPACE}
    ){_ADDRESS}(?(call){_SPACE}[,)])""",
    re.VERBOSE,
)
_CODE = re.compile(r"""["'`/]|(?<![\w$.#\\])(?:import|export)(?![\w$])""")
_CODE_IN_TEMPLATE = re.compile(_CODE.pattern + "|[{}]")
_STRINGS = {
    '"': re.compile(r'"(?:[^"\\\n]|\\.)*+"?', re.DOTALL),
    "'": re.compile(r"'(?:[^'\\\n]|\\.)*+'?", re.DOTALL),
}
_TEMPLATE_TEXT = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*+(?P<end>`|\$\{)?", re.DOTALL)
_REGULAR_EXPRESSION = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*+\])++/[a-z]*")
_USED_AS_SUCH = re.compile(r"\s*\.\s*(?:test|exec|source|flags)\b")
_BEFORE_AN_OPERAND = {
    *("await", "case", "delete", "do", "else", "in", "instanceof", "new", "of", "return", "throw", "typeof", "void"),
    "yield",
}
_WORD_BEFORE = re.compile(r"[\w$]+")

_PRELOADS = "__vite__mapDeps"
_PRELOAD_LIST = re.compile(_PRELOADS + r"""\b[^\[\]]{0,200}?=\s*\[(?P<names>(?:\s*"(?:[^"\\\n]|\\.)*+"\s*,?)*+\s*)\]""")
_NAME = re.compile(r'"([^"\\]+)"')
_NEXT_FILE = re.compile(r'"(static/[^"\\]+\.(?:js|css))"')


def scan_script(text: str, *, certain: bool = True) -> Scan:
    """Find the files that a script, module or not, names as such.

    Args:
        text: The script.
        certain: Tell code from what only looks like it, in a string or a comment, which takes most of the time. If not,
            everything that looks like a reference is found: all that would be found otherwise, and more.
    """
    found: dict[Reference, None] = {}
    imports = {match.start(): match for match in _possible_imports(text)}
    if imports:
        for position in _keywords(text, max(imports)) if certain else imports:
            if match := imports.get(position):
                kind = ReferenceKind.LAZY if match["call"] else ReferenceKind.LOAD
                found[Reference(match["target"], kind)] = None
    for listed in _PRELOAD_LIST.finditer(text) if _PRELOADS in text else ():
        # Relative to the script or to Vite's base, as the browser is told elsewhere.
        for name in _NAME.findall(listed["names"]):
            found[Reference(name, ReferenceKind.LAZY, from_above=True)] = None
    return Scan(tuple(found))


def scan_next_build_manifest(text: str) -> Scan:
    """Find the files of all pages in Next's `_next/static/<build>/_buildManifest.js`."""
    names = _NEXT_FILE.findall(text.replace("\\u002F", "/"))
    return Scan(tuple(dict.fromkeys(Reference(f"../../{name}", ReferenceKind.LAZY) for name in names)))


def _possible_imports(text: str) -> Iterator[re.Match[str]]:
    """What would be imports of addresses if it is code."""
    # Much quicker than having the expression search for itself; what both keywords end in takes one search for both.
    position = text.find("port", 2)
    while position >= 0:
        if text.startswith(("im", "ex"), position - 2) and (match := _IMPORT.match(text, position - 2)):
            yield match
        position = text.find("port", position + 1)


def _keywords(text: str, last: int) -> Iterator[int]:
    """Where `import` and `export` stand as code, up to a position."""
    position = 0
    # For each template whose `${` we are in: how many braces are open there.
    substitutions: list[int] = []
    while match := (_CODE_IN_TEMPLATE if substitutions else _CODE).search(text, position):
        start, position = match.span()
        if start > last:
            return
        found = match[0]
        if found in _STRINGS:
            position = _end(_STRINGS[found], text, start)
        elif found == "/":
            position = _after_slash(text, start)
        elif found == "{":
            substitutions[-1] += 1
        elif found == "}" and substitutions[-1]:
            substitutions[-1] -= 1
        elif found in "`}":
            if found == "}":
                substitutions.pop()
            rest = _TEMPLATE_TEXT.match(text, position)
            if rest is None or rest["end"] is None:
                return
            position = rest.end()
            if rest["end"] == "${":
                substitutions.append(0)
        else:
            yield start


def _after_slash(text: str, start: int) -> int:
    """The end of what a slash begins: a comment, a regular expression, or only a division."""
    if text.startswith("//", start):
        end = text.find("\n", start)
        return len(text) if end < 0 else end
    if text.startswith("/*", start):
        end = text.find("*/", start + 2)
        return len(text) if end < 0 else end + 2
    literal = _REGULAR_EXPRESSION.match(text, start)
    if literal is None:
        return start + 1
    before = text[max(0, start - 40) : start].rstrip()
    last = before[-1:]
    if last in (")", "}") and last:
        # The end of a condition or a block, or of an operand: only a parser could tell.
        is_literal = _USED_AS_SUCH.match(text, literal.end()) is not None
    elif last.isalnum() or last in ("_", "$"):
        word = _WORD_BEFORE.findall(before)[-1:]
        is_literal = bool(word) and word[0] in _BEFORE_AN_OPERAND and not before.endswith(f".{word[0]}")
    else:
        is_literal = last not in ("]", '"', "'", "`") and not before.endswith(("++", "--"))
    return literal.end() if is_literal else start + 1


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match else start + 1
