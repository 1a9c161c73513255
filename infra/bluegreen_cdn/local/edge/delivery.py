"""From a whole answer to what this viewer asked for: not modified, a range, no body; and CloudFront's compression."""

from __future__ import annotations

import gzip
import re
from email.utils import parsedate_to_datetime

from bluegreen_cdn.local.edge.messages import Request, Response

try:
    import brotli
except ImportError:  # optional: then CloudFront's brotli is not simulated
    brotli = None

COMPRESS_MINIMUM_BYTES = 1_000
COMPRESS_MAXIMUM_BYTES = 10_000_000
COMPRESSIBLE = frozenset(
    [
        "application/dash+xml",
        "application/eot",
        "application/font",
        "application/font-sfnt",
        "application/javascript",
        "application/json",
        "application/opentype",
        "application/otf",
        "application/pdf",
        "application/pkcs7-mime",
        "application/protobuf",
        "application/rss+xml",
        "application/truetype",
        "application/ttf",
        "application/vnd.apple.mpegurl",
        "application/vnd.mapbox-vector-tile",
        "application/vnd.ms-fontobject",
        "application/wasm",
        "application/xhtml+xml",
        "application/xml",
        "application/x-font-opentype",
        "application/x-font-truetype",
        "application/x-font-ttf",
        "application/x-httpd-cgi",
        "application/x-javascript",
        "application/x-mpegurl",
        "application/x-opentype",
        "application/x-otf",
        "application/x-perl",
        "application/x-ttf",
        "font/eot",
        "font/opentype",
        "font/otf",
        "font/ttf",
        "image/svg+xml",
        "text/css",
        "text/csv",
        "text/html",
        "text/javascript",
        "text/js",
        "text/plain",
        "text/richtext",
        "text/tab-separated-values",
        "text/xml",
        "text/x-component",
        "text/x-java-source",
        "text/x-script",
        "vnd.apple.mpegurl",
    ]
)
_RANGE = re.compile(r"^bytes=(\d*)-(\d*)$")


def compressed(response: Response, encodings: str) -> Response:
    """The answer as CloudFront compresses it, or as it is.

    Args:
        response: From the origin.
        encodings: The normalised `Accept-Encoding` of the cache key.
    """
    content_type = (response.header("content-type") or "").partition(";")[0].strip().lower()
    size = len(response.body)
    if (
        not encodings
        or response.status != 200
        or "content-encoding" in response.headers
        or content_type not in COMPRESSIBLE
        or not COMPRESS_MINIMUM_BYTES <= size <= COMPRESS_MAXIMUM_BYTES
    ):
        return response
    if "br" in encodings.split(",") and brotli is not None:
        name, body = "br", brotli.compress(response.body, quality=5)
    elif "gzip" in encodings.split(","):
        name, body = "gzip", gzip.compress(response.body, compresslevel=6, mtime=0)
    else:
        return response
    answer = response.copy()
    answer.body = body
    answer.headers["content-encoding"] = [name]
    answer.headers["vary"] = [*answer.headers.get("vary", []), "Accept-Encoding"]
    etag = answer.header("etag")
    if etag and not etag.startswith("W/"):
        answer.headers["etag"] = [f"W/{etag}"]
    answer.headers.pop("accept-ranges", None)
    return answer


def for_viewer(response: Response, request: Request) -> Response:
    """A 304, a part, or the whole of an answer, as the viewer's conditions and range ask."""
    if response.status != 200 or request.method not in ("GET", "HEAD"):
        return response
    if _not_modified(response, request):
        kept = {
            name: values
            for name, values in response.headers.items()
            if name not in ("content-type", "content-encoding", "content-length", "content-range", "accept-ranges")
        }
        return Response(304, kept)
    wanted = request.header("range")
    if wanted and _range_holds(response, request):
        return _part(response, wanted)
    return response


def _opaque(etag: str) -> str:
    return etag.strip().removeprefix("W/")


def _not_modified(response: Response, request: Request) -> bool:
    asked = request.header("if-none-match")
    if asked is not None:
        etag = response.header("etag")
        candidates = [_opaque(part) for part in asked.split(",")]
        return etag is not None and ("*" in candidates or _opaque(etag) in candidates)
    since = request.header("if-modified-since")
    modified = response.header("last-modified")
    if since is None or modified is None:
        return False
    try:
        return parsedate_to_datetime(modified) <= parsedate_to_datetime(since)
    except (TypeError, ValueError):
        return False


def _range_holds(response: Response, request: Request) -> bool:
    condition = request.header("if-range")
    return condition is None or condition in (response.header("etag"), response.header("last-modified"))


def _part(response: Response, wanted: str) -> Response:
    match = _RANGE.match(wanted.strip())
    if match is None or (not match[1] and not match[2]):
        return response  # several ranges, or none that we can read: the whole is allowed
    size = len(response.body)
    if match[1]:
        first, last = int(match[1]), min(int(match[2]) if match[2] else size - 1, size - 1)
        if match[2] and int(match[2]) < int(match[1]):
            return response
    else:
        first, last = max(size - int(match[2]), 0), size - 1
    if first >= size or first > last:
        return Response(416, {"content-range": [f"bytes */{size}"]})
    answer = response.copy()
    answer.status = 206
    answer.body = response.body[first : last + 1]
    answer.headers["content-range"] = [f"bytes {first}-{last}/{size}"]
    return answer
