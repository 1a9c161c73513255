"""The smoke fetch's requests, answered by this project's own edge code: what is right there must be found right."""

import gzip
import hashlib
import time

import brotli
import pytest
from tests.edge_simulator.test_own_functions import SCRIPT, put_with_variants, shop

from bluegreen_cdn import defaults
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.encodings import Variant
from bluegreen_cdn.domain.headers import cache_control, content_type
from bluegreen_cdn.domain.manifest import ManifestFile, object_key
from bluegreen_cdn.domain.requests import DocumentMode
from bluegreen_cdn.domain.smoke import Answer, judge, probes
from bluegreen_cdn.domain.tokens import TokenPurpose, sign_token

__all__ = ["shop"]
RULES = ClassificationRules.default()
BODIES = {"index.html": "<p>b2", "favicon.ico": "b2", "assets/app-B3x9aZ0q.js": SCRIPT}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def published(path: str) -> ManifestFile:
    kind, body = RULES.classify(path), BODIES[path].encode()
    variants = {"br": brotli.compress(body), "gzip": gzip.compress(body, mtime=0)}
    return ManifestFile(
        path=path,
        key=object_key("b2", path, kind),
        size=len(body),
        sha256=digest(body),
        content_type=content_type(path),
        cache_class=kind,
        cache_control=cache_control(kind),
        encodings=tuple(Variant(encoding=one, size=len(data), sha256=digest(data)) for one, data in variants.items()),
    )


@pytest.fixture
def candidate(shop):
    """Build b2 as its publisher would have put it; b1 is what visitors get."""
    for path, body in BODIES.items():
        file = published(path)
        kept = {} if file.key.startswith("shared/") else {"x_amz_meta_build_id": "b2"}
        put_with_variants(
            shop, file.key, body, content_type=file.content_type, cache_control=file.cache_control, **kept
        )
    shop.route(candidate="b2", weight=0)
    return shop


def findings(shop, *, preview: str = "b2") -> list[str]:
    token = sign_token("ab" * 32, preview, purpose=TokenPurpose.PREVIEW, expires=int(time.time()) + 60)
    found = []
    for path in BODIES:
        for probe in probes(published(path), RULES, DocumentMode.SPA):
            headers = {name.replace("-", "_"): value for name, value in probe.headers.items()}
            came = shop.get(
                probe.uri, accept_encoding=probe.encoding, cookie=f"{defaults.PREVIEW_COOKIE}={token}", **headers
            )
            encoding = came.header("content-encoding")
            decoded = gzip.decompress(came.body) if encoding == "gzip" else came.body
            answer = Answer(
                status=came.status,
                headers={name: values[0] for name, values in came.headers.items()},
                sha256=digest(came.body),
                decoded_sha256=None if encoding == "br" else digest(decoded),
            )
            wrong = judge(probe, answer, "b2")
            found += [f"{probe.uri} ({probe.encoding}): {wrong}"] if wrong else []
    return found


def test_a_candidate_comes_through_whole_in_every_encoding_at_weight_zero(candidate):
    assert findings(candidate) == []
    assert candidate.get("/", accept="text/html", sec_fetch_dest="document").body == b"<p>b1", "visitors get the other"


def test_what_the_edge_does_otherwise_is_found(candidate):
    candidate.put("builds/b2/index.html.br", b"x", content_type="text/html; charset=utf-8", cache_control="no-cache",
                  content_encoding="br", x_amz_meta_build_id="b2")  # fmt: skip
    assert [found.split(":")[0] for found in findings(candidate)] == ["/ (br)"]
    assert "x-amz-meta-build-id 'b1' instead of 'b2'" in findings(candidate, preview="b1")[0]
