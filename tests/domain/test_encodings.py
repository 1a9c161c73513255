"""Which files have precompressed variants: decided by name alone, the same here and at the edge."""

import pytest
import quickjs
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.domain import headers
from bluegreen_cdn.domain.encodings import (
    COMPRESSIBLE_EXTENSIONS,
    COMPRESSIBLE_PATTERN,
    ENCODINGS,
    Variant,
    is_compressible,
    variant_key,
)

names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=6)
extensions = st.sampled_from(COMPRESSIBLE_EXTENSIONS)


@pytest.mark.parametrize(
    "path", ["index.html", "assets/index-B3x9aZ0q.js", "a.b/LOGO.SVG", "engine.wasm", ".json", "index.js.map"]
)
def test_what_shrinks(path: str) -> None:
    assert is_compressible(path)


@pytest.mark.parametrize(
    "path",
    ["a.woff2", "a.woff", "a.png", "a.jpg", "a.zip", "a.mp4", "a.pdf", "js", "a.js/b", "a.js.br", "a.js.gz", "ajs"],
)
def test_what_does_not_or_is_a_variant_itself(path: str) -> None:
    assert not is_compressible(path)


@given(names, extensions | names, st.booleans())
def test_the_edge_decides_the_same(name: str, extension: str, upper: bool) -> None:
    path = f"{name}.{extension.upper() if upper else extension}"
    matches = quickjs.Context().eval(f"(path) => /{COMPRESSIBLE_PATTERN}/i.test(path)")
    assert matches(path) == is_compressible(path)


def test_the_case_of_letters_beyond_ascii_makes_no_extension() -> None:
    assert not is_compressible("notes.mar\N{KELVIN SIGN}down")
    assert not is_compressible("a.j\N{LATIN SMALL LETTER LONG S}")


def test_every_text_has_variants_and_what_is_compressed_inside_has_none() -> None:
    known = {**headers._TEXT_TYPES, **headers._BINARY_TYPES}
    assert set(headers._TEXT_TYPES) <= set(COMPRESSIBLE_EXTENSIONS) <= set(known)
    packed = ("video/", "audio/", "image/png", "image/jpeg", "image/webp", "image/avif", "font/woff")
    assert not [one for one in COMPRESSIBLE_EXTENSIONS if known[one].startswith(packed)]


def test_the_pattern_is_small_enough_for_a_function_of_ten_kilobytes() -> None:
    assert len(COMPRESSIBLE_PATTERN) < 250
    assert len(set(COMPRESSIBLE_EXTENSIONS)) == len(COMPRESSIBLE_EXTENSIONS)


@given(names)
def test_a_variant_lies_beside_its_file_and_has_none_itself(name: str) -> None:
    keys = [variant_key(f"shared/{name}.js", encoding) for encoding in ENCODINGS]
    assert keys == [f"shared/{name}.js.br", f"shared/{name}.js.gz"]
    assert not any(map(is_compressible, keys))


def test_a_variant_survives_writing_and_reading() -> None:
    variant = Variant(encoding="br", size=0, sha256="a" * 64)
    assert Variant.from_json(variant.to_json()) == variant


@pytest.mark.parametrize(
    "value",
    [
        None,
        "br",
        {},
        {"encoding": "zstd", "size": 1, "sha256": "a" * 64},
        {"encoding": ["br"], "size": 1, "sha256": "a" * 64},
        {"encoding": "br", "size": -1, "sha256": "a" * 64},
        {"encoding": "br", "size": True, "sha256": "a" * 64},
        {"encoding": "br", "size": 1, "sha256": "a" * 63},
        {"encoding": "br", "size": 1, "sha256": 1},
    ],
)
def test_what_is_no_variant(value: object) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        Variant.from_json(value)
