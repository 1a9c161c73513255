"""Which behaviour a request falls under: path patterns in the order of their precedence."""

from __future__ import annotations

import re
from functools import lru_cache

from bluegreen_cdn.local.edge.config import Behavior, Distribution


@lru_cache(maxsize=512)
def _compile(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    body = "".join(parts.get(character) or re.escape(character) for character in pattern.removeprefix("/"))
    return re.compile(f"/{body}", re.DOTALL)


def pattern_matches(pattern: str, uri: str) -> bool:
    """Whether a CloudFront path pattern matches: `*` spans slashes, `?` is one character, case counts."""
    return _compile(pattern).fullmatch(uri) is not None


def match_behavior(distribution: Distribution, uri: str) -> Behavior:
    """The first behaviour whose pattern matches the path that the viewer sent; the default one is last."""
    for behavior in distribution.behaviors:
        if pattern_matches(behavior.pattern, uri):
            return behavior
    return distribution.behaviors[-1]
