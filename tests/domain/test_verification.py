"""What the objects of a build must be like, those of precompressed variants too."""

from dataclasses import replace

import pytest

from bluegreen_cdn.domain.classification import CacheClass
from bluegreen_cdn.domain.encodings import Variant
from bluegreen_cdn.domain.headers import ObjectHeaders
from bluegreen_cdn.domain.manifest import ManifestFile, object_key
from bluegreen_cdn.domain.verification import ExpectedObject, Fault, difference, expected_objects


def expected(path: str, cache_class: CacheClass) -> dict[str, ExpectedObject]:
    file = ManifestFile(
        path=path,
        key=object_key("one", path, cache_class),
        size=9,
        sha256="f" * 64,
        content_type="text/css",
        cache_class=cache_class,
        cache_control="no-cache",
        encodings=(
            Variant(encoding="br", size=3, sha256="b" * 64),
            Variant(encoding="gzip", size=4, sha256="c" * 64),
        ),
        content_language="de",
    )
    return {one.key: one for one in expected_objects(file, "one")}


def test_a_file_and_its_variants_are_served_with_the_same_headers_but_one() -> None:
    assert expected("a.css", CacheClass.VERSIONED)["builds/one/a.css.br"] == ExpectedObject(
        key="builds/one/a.css.br",
        size=3,
        sha256="b" * 64,
        headers=ObjectHeaders(
            content_type="text/css", cache_control="no-cache", content_encoding="br", content_language="de"
        ),
        metadata={"build-id": "one", "sha256": "b" * 64, "file-sha256": "f" * 64},
    )


def test_what_all_builds_share_names_no_build() -> None:
    assert {key: dict(one.metadata) for key, one in expected("a.css", CacheClass.SHARED).items()} == {
        "shared/a.css": {"sha256": "f" * 64},
        "shared/a.css.br": {"sha256": "b" * 64, "file-sha256": "f" * 64},
        "shared/a.css.gz": {"sha256": "c" * 64, "file-sha256": "f" * 64},
    }


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, None),
        ({"size": 4}, Fault.SIZE),
        ({"metadata": {"build-id": "one", "sha256": "0" * 64, "file-sha256": "f" * 64}}, Fault.DIGEST),
        ({"metadata": {"build-id": "one", "sha256": "b" * 64, "file-sha256": "0" * 64}}, Fault.HEADERS),
        ({"metadata": {"build-id": "two", "sha256": "b" * 64, "file-sha256": "f" * 64}}, Fault.HEADERS),
        ({"headers": ObjectHeaders(content_type="text/css", cache_control="no-cache")}, Fault.HEADERS),
    ],
)
def test_how_a_variant_that_was_found_differs(change: dict[str, object], fault: Fault | None) -> None:
    wanted = expected("a.css", CacheClass.VERSIONED)["builds/one/a.css.br"]
    there = replace(wanted, **change)  # type: ignore[arg-type]
    found = difference(wanted, size=there.size, headers=there.headers, metadata=there.metadata)
    assert (found and found[0]) == fault
