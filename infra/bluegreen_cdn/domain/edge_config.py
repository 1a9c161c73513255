"""The configuration that the edge functions carry in their code: CloudFront Functions have no environment."""

from __future__ import annotations

import json
import re

from bluegreen_cdn.domain.classification import (
    COMPANION,
    HASH_TOKEN_AS_FOLDER,
    HASH_TOKEN_IN_NAME,
    NOTHING,
    ClassificationRules,
)
from bluegreen_cdn.domain.encodings import COMPRESSIBLE_PATTERN
from bluegreen_cdn.domain.requests import DocumentMode, accepts_pattern


def function_config(
    rules: ClassificationRules, mode: DocumentMode | str, site: str, *, precompress: bool = True, direct: bool = False
) -> dict[str, str]:
    """The members of the functions' `CONFIG`, as JavaScript source.

    Args:
        rules: The site's classification.
        mode: The site's document mode: `spa`, `directory` or `html`.
        site: The site's name.
        precompress: The site's builds have precompressed variants. Default: they have.
        direct: No origin request follows, so that viewer request itself puts `/builds/<id>` before the path. Told to
            the function, for path and behaviours may not change at the same moment. Default: one follows.

    Raises:
        InvalidRules: There is no such mode.
    """
    patterns = rules.patterns()
    return {
        "site": json.dumps(site),
        "mode": json.dumps(str(DocumentMode.parse(mode))),
        "direct": json.dumps(direct),
        "entry": _literal(patterns.entry),
        "unhashed": _literal(patterns.unhashed),
        "hashed": _literal(patterns.hashed),
        "folder": _literal(patterns.folder),
        "companion": _literal(COMPANION),
        "token": _literal(HASH_TOKEN_IN_NAME),
        "tokenFolder": _literal(HASH_TOKEN_AS_FOLDER),
        "compressible": _literal(COMPRESSIBLE_PATTERN) + "i" if precompress else _literal(NOTHING),
        "brotli": _literal(accepts_pattern("br")),
        "gzip": _literal(accepts_pattern("gzip")),
    }


def _literal(pattern: str) -> str:
    """A JavaScript regular expression literal, in ASCII; characters beyond the first plane become surrogate pairs."""
    escaped = re.sub(r"(?<!\\)((?:\\\\)*)/", r"\1\\/", pattern)
    return "/" + "".join(c if c.isascii() else json.dumps(c)[1:-1] for c in escaped) + "/"
