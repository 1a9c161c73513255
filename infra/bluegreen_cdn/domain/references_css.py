"""What a style sheet refers to: `url()`, `@import` and `image-set()`, by the tokens of CSS Syntax."""

from __future__ import annotations

import re

from bluegreen_cdn.domain.references import Reference, Scan

# An escape outside of strings comes before all else: `.bg-\[url\(x\)\]` and `\'` are parts of a selector.
_TOKEN = re.compile(
    r"""
    /\*.*?(?:\*/|\Z)
    | \\.
    | (?P<string> "(?:[^"\\\n]|\\.)*"? | '(?:[^'\\\n]|\\.)*'? )
    | url\(\s*(?P<url> (?!["'\s])(?:[^"'()\\\s]|\\(?:[0-9a-f]{1,6}\s?|.))* )\s*(?:\)|\Z)
    | (?P<function> (?<![\w-])[\w-]*\( )
    | (?P<closed> \) )
    | (?P<rule> @[\w-]+ )
    | (?P<end> [;{}] )
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|\n|(.))", re.DOTALL)
_IMAGE_SETS = ("image-set(", "-webkit-image-set(")


def scan_css(text: str) -> Scan:
    """Find what a style sheet, or the value of a style attribute, refers to."""
    found: dict[Reference, None] = {}
    functions: list[str] = []
    rule = ""
    for token in _TOKEN.finditer(text):
        match token.lastgroup:
            case "string":
                inner = functions[-1] if functions else ""
                if inner == "url(" or inner in _IMAGE_SETS or (rule == "@import" and not functions):
                    _add(found, token["string"], rule, quoted=True)
            case "url":
                _add(found, token["url"], rule, quoted=False)
            case "function":
                functions.append(token["function"].lower())
            case "closed":
                if functions:
                    functions.pop()
            case "rule":
                rule = token["rule"].lower()
            case "end":
                # An open parenthesis ends with its declaration, so that one mistake does not hide the rest.
                functions.clear()
                rule = ""
    return Scan(tuple(found))


def _add(found: dict[Reference, None], written: str, rule: str, *, quoted: bool) -> None:
    target = written
    if quoted:
        target = target[1:-1] if len(target) > 1 and target[-1] == target[0] else target[1:]
    target = _ESCAPE.sub(_unescaped, target).strip()
    # The address of a namespace is a name.
    if target and rule != "@namespace":
        found[Reference(target)] = None


def _unescaped(match: re.Match[str]) -> str:
    if match[1]:
        number = int(match[1], 16)
        return chr(number) if 0 < number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else "\ufffd"
    return match[2] or ""
