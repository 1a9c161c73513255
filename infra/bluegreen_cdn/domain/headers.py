"""What an object is served with: content type, cache control, and the metadata that functions and publishers read.

The table of content types is ours alone. Python's `mimetypes` reads the machine's own tables and changes between Python
versions, so two machines would publish the same build with different headers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bluegreen_cdn.defaults import (
    BUILD_METADATA,
    DIGEST_METADATA,
    FILE_DIGEST_METADATA,
    IMMUTABLE_CACHE_CONTROL,
    REVALIDATE_CACHE_CONTROL,
)
from bluegreen_cdn.domain.classification import CacheClass

UNKNOWN_CONTENT_TYPE = "application/octet-stream"

_TEXT_TYPES = {
    "appcache": "text/cache-manifest",
    "atom": "application/atom+xml",
    "cjs": "text/javascript",
    "css": "text/css",
    "csv": "text/csv",
    "geojson": "application/geo+json",
    "gltf": "model/gltf+json",
    "htm": "text/html",
    "html": "text/html",
    "ics": "text/calendar",
    "js": "text/javascript",
    "json": "application/json",
    "json5": "application/json5",
    "jsonld": "application/ld+json",
    "map": "application/json",
    "markdown": "text/markdown",
    "md": "text/markdown",
    "mjs": "text/javascript",
    "ndjson": "application/x-ndjson",
    "rss": "application/rss+xml",
    "svg": "image/svg+xml",
    "text": "text/plain",
    "topojson": "application/json",
    "tsv": "text/tab-separated-values",
    "txt": "text/plain",
    "vcf": "text/vcard",
    "vtt": "text/vtt",
    "webmanifest": "application/manifest+json",
    "xhtml": "application/xhtml+xml",
    "xml": "application/xml",
    "xsl": "application/xslt+xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
}
_BINARY_TYPES = {
    "7z": "application/x-7z-compressed",
    "aac": "audio/aac",
    "apng": "image/apng",
    "avif": "image/avif",
    "bmp": "image/bmp",
    "cur": "image/x-icon",
    "eot": "application/vnd.ms-fontobject",
    "flac": "audio/flac",
    "gif": "image/gif",
    "glb": "model/gltf-binary",
    "gz": "application/gzip",
    "heic": "image/heic",
    "ico": "image/x-icon",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "jxl": "image/jxl",
    "ktx2": "image/ktx2",
    "m4a": "audio/mp4",
    "m4v": "video/mp4",
    "mid": "audio/midi",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "mpd": "application/dash+xml",
    "m3u8": "application/vnd.apple.mpegurl",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "ogv": "video/ogg",
    "opus": "audio/ogg",
    "otf": "font/otf",
    "pdf": "application/pdf",
    "png": "image/png",
    "rtf": "application/rtf",
    "tar": "application/x-tar",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "ts": "video/mp2t",
    "ttf": "font/ttf",
    "wasm": "application/wasm",
    "wav": "audio/wav",
    "weba": "audio/webm",
    "webm": "video/webm",
    "webp": "image/webp",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "zip": "application/zip",
}
# Names without an extension that browsers and operating systems ask for.
_NAMES = {
    "apple-app-site-association": "application/json; charset=utf-8",
    "LICENSE": "text/plain; charset=utf-8",
    "NOTICE": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectHeaders:
    """The headers that an object is stored with, and served with.

    Attributes:
        content_type: Content-Type.
        cache_control: Cache-Control.
        content_encoding: Content-Encoding of a precompressed variant. Default: none.
        content_disposition: Content-Disposition. Default: none.
        content_language: Content-Language. Default: none.
    """

    content_type: str
    cache_control: str
    content_encoding: str | None = None
    content_disposition: str | None = None
    content_language: str | None = None


def content_type(path: str) -> str:
    """The Content-Type of a file, by its name; text says that it is UTF-8."""
    name = path.rpartition("/")[2]
    if name in _NAMES:
        return _NAMES[name]
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    if extension in _TEXT_TYPES:
        return f"{_TEXT_TYPES[extension]}; charset=utf-8"
    return _BINARY_TYPES.get(extension, UNKNOWN_CONTENT_TYPE)


def cache_control(cache_class: CacheClass) -> str:
    """The Cache-Control of a cache class: for ever if the name carries the content's hash, else ask every time."""
    return IMMUTABLE_CACHE_CONTROL if cache_class is CacheClass.SHARED else REVALIDATE_CACHE_CONTROL


def object_metadata(cache_class: CacheClass, build_id: str, sha256: str) -> dict[str, str]:
    """The metadata of an object: its digest, and its build unless all builds share it."""
    if cache_class is CacheClass.SHARED:
        return {DIGEST_METADATA: sha256}
    return {BUILD_METADATA: build_id, DIGEST_METADATA: sha256}


def variant_metadata(metadata: Mapping[str, str], sha256: str) -> dict[str, str]:
    """The metadata of a precompressed variant.

    Args:
        metadata: That of the file.
        sha256: Digest of the variant's own bytes.
    """
    return {**metadata, FILE_DIGEST_METADATA: metadata[DIGEST_METADATA], DIGEST_METADATA: sha256}
