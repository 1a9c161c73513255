"""The rules as JavaScript: the same regular expressions, in ASCII."""

import re

import pytest

from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.edge_config import function_config
from bluegreen_cdn.errors import InvalidRules

RULES = ClassificationRules.preset("vite", hashed=("bilder/😀/*.png", "a\\b"), entries=("widget.js",))


def test_every_pattern_is_a_literal_in_ascii() -> None:
    config = function_config(RULES, "spa", "shop")
    assert set(config) == {
        "site", "mode", "entry", "unhashed", "hashed", "folder", "companion", "token", "tokenFolder",
        "compressible", "brotli", "gzip", "direct",
    }  # fmt: skip
    for name, literal in config.items():
        assert literal.isascii(), name
        if name not in ("site", "mode", "direct"):
            assert literal.startswith("/")
            assert literal.endswith("/i" if name == "compressible" else "/")
            # Nothing ends the literal early, for that would be code of the user's making.
            assert re.search(r"(?<!\\)(?:\\\\)*/", literal.rstrip("i")[1:-1]) is None, name
    assert r"\ud83d\ude00" in config["hashed"]


def test_texts_are_quoted() -> None:
    assert function_config(RULES, "html", 'a"b')["site"] == '"a\\"b"'


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(InvalidRules, match="no document mode 'mpa'"):
        function_config(RULES, "mpa", "shop")


def test_a_site_without_variants_asks_for_none() -> None:
    assert function_config(RULES, "spa", "shop", precompress=False)["compressible"] == "/^(?!)/"
