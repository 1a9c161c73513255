"""Precompressed variants: which files have them, and where they lie. One table for the publisher, the edge and gc.

The edge sees a name only, so a file has both variants or none, by its extension alone and at any size.
"""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

_SUFFIXES = {"br": ".br", "gzip": ".gz"}
"""Content encoding to what the variant's key ends in; the better one first."""

ENCODINGS = tuple(_SUFFIXES)

COMPRESSIBLE_EXTENSIONS = (
    # Every type of `headers` that is text.
    *("appcache", "atom", "cjs", "css", "csv", "geojson", "gltf", "htm", "html", "ics", "js", "json", "json5"),
    *("jsonld", "map", "markdown", "md", "mjs", "ndjson", "rss", "svg", "text", "topojson", "tsv", "txt", "vcf"),
    *("vtt", "webmanifest", "xhtml", "xml", "xsl", "yaml", "yml"),
    # What is not, and shrinks as text does. CloudFront compresses the most of it, too.
    *("bmp", "eot", "ico", "m3u8", "mpd", "otf", "ttf", "wasm"),
    # Left out: what is compressed inside (woff, woff2, png, jpg, zip, pdf), and media, which are asked for by range.
)

COMPRESSIBLE_PATTERN = rf"\.(?:{'|'.join(COMPRESSIBLE_EXTENSIONS)})$"
"""The same in Python and in JavaScript, where it takes the flag `i`: no letter beyond ASCII counts as one within."""
_COMPRESSIBLE = re.compile(COMPRESSIBLE_PATTERN, re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """A precompressed variant of a file, as it lies in the bucket.

    Attributes:
        encoding: Its Content-Encoding, of `ENCODINGS`.
        size: Bytes of the variant.
        sha256: Digest (hex) of those bytes. Another version of a compressor makes others of the same file.
    """

    encoding: str
    size: int
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """The variant as the manifest writes it."""
        return {"encoding": self.encoding, "size": self.size, "sha256": self.sha256}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Read a variant of a manifest.

        Raises:
            ValueError: It is none. (Also KeyError and TypeError.)
        """
        encoding, size, sha256 = value["encoding"], value["size"], value["sha256"]
        if encoding not in ENCODINGS:
            raise ValueError(f"encoding {encoding!r} is none of {', '.join(ENCODINGS)}")
        if type(size) is not int or size < 0:
            raise ValueError(f"size of the variant in {encoding!r} is {size!r}")
        if not isinstance(sha256, str) or not is_sha256(sha256):
            raise ValueError(f"sha256 of the variant in {encoding!r} is {sha256!r}")
        return cls(encoding=encoding, size=size, sha256=sha256)


_SHA256 = re.compile("[0-9a-f]{64}")
_PACKED = struct.Struct("Q32s" * len(ENCODINGS))


def pack_variants(variants: Mapping[str, Variant]) -> bytes:
    """All variants of a file, by encoding, in a fifth of the memory: a build may have 100,000 such files."""
    each = (variants[encoding] for encoding in ENCODINGS)
    return _PACKED.pack(*(part for one in each for part in (one.size, bytes.fromhex(one.sha256))))


def unpack_variants(packed: bytes) -> tuple[Variant, ...]:
    """The variants that were packed, the better one first."""
    parts = iter(_PACKED.unpack(packed))
    return tuple(
        Variant(encoding=encoding, size=size, sha256=digest.hex())
        for encoding, size, digest in zip(ENCODINGS, parts, parts, strict=True)
    )


def is_sha256(text: str) -> bool:
    """Whether a text is a digest as it is written everywhere: 64 digits in hex, in small letters."""
    return _SHA256.fullmatch(text) is not None


def is_compressible(path: str) -> bool:
    """Whether a file has precompressed variants, by the extension of its name."""
    return _COMPRESSIBLE.search(path) is not None


def variant_key(key: str, encoding: str) -> str:
    """The key of a variant: `br` beside the file with `.br`, `gzip` with `.gz`."""
    return key + _SUFFIXES[encoding]
