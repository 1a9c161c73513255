"""Headers and metadata of objects."""

import mimetypes

import pytest

from bluegreen_cdn.domain.classification import CacheClass
from bluegreen_cdn.domain.headers import cache_control, content_type, object_metadata


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("deep/er/INDEX.HTML", "text/html; charset=utf-8"),
        ("assets/index-B3x9aZ0q.js", "text/javascript; charset=utf-8"),
        ("assets/index.mjs", "text/javascript; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("locales/de.json", "application/json; charset=utf-8"),
        ("a.js.map", "application/json; charset=utf-8"),
        ("logo.svg", "image/svg+xml; charset=utf-8"),
        ("site.webmanifest", "application/manifest+json; charset=utf-8"),
        ("robots.txt", "text/plain; charset=utf-8"),
        ("sitemap.xml", "application/xml; charset=utf-8"),
        ("module.wasm", "application/wasm"),
        ("font.woff2", "font/woff2"),
        ("font.ttf", "font/ttf"),
        ("favicon.ico", "image/x-icon"),
        ("photo.avif", "image/avif"),
        (".well-known/apple-app-site-association", "application/json; charset=utf-8"),
        ("no-extension", "application/octet-stream"),
        ("folder.js/no-extension", "application/octet-stream"),
        ("js", "application/octet-stream"),
        ("strange.xyzzy", "application/octet-stream"),
        ("ends.", "application/octet-stream"),
    ],
)
def test_the_content_type_follows_the_name(path: str, expected: str) -> None:
    assert content_type(path) == expected


def test_the_machines_own_tables_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = content_type("a.js")
    mimetypes.add_type("text/x-from-this-machine", ".js")
    try:
        assert content_type("a.js") == before
    finally:
        mimetypes.init()


def test_only_what_carries_its_hash_is_immutable() -> None:
    assert cache_control(CacheClass.SHARED) == "public, max-age=31536000, immutable"
    assert cache_control(CacheClass.ENTRY) == cache_control(CacheClass.VERSIONED) == "no-cache"


def test_shared_objects_name_no_build_and_all_others_theirs() -> None:
    assert object_metadata(CacheClass.SHARED, "one", "ab") == {"sha256": "ab"}
    for cache_class in (CacheClass.ENTRY, CacheClass.VERSIONED):
        assert object_metadata(cache_class, "one", "ab") == {"build-id": "one", "sha256": "ab"}
