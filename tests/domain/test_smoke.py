import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.defaults import SMOKE_BODY_MAXIMUM_BYTES
from bluegreen_cdn.domain.classification import CacheClass, ClassificationRules
from bluegreen_cdn.domain.encodings import Variant
from bluegreen_cdn.domain.headers import cache_control, content_type
from bluegreen_cdn.domain.manifest import ManifestFile, object_key
from bluegreen_cdn.domain.requests import DocumentMode
from bluegreen_cdn.domain.smoke import Answer, Probe, judge, probes, select

RULES = ClassificationRules.preset("vite")
SPA, DIRECTORY, HTML = DocumentMode.SPA, DocumentMode.DIRECTORY, DocumentMode.HTML


def file(path: str, *, size: int = 10, encodings: tuple[str, ...] = ()) -> ManifestFile:
    kind = RULES.classify(path)
    return ManifestFile(
        path=path,
        key=object_key("b2", path, kind),
        size=size,
        sha256=digest(path),
        content_type=content_type(path),
        cache_class=kind,
        cache_control=cache_control(kind),
        encodings=tuple(Variant(encoding=one, size=5, sha256=digest(f"{one} {path}")) for one in encodings),
    )


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("path", "mode", "uri"),
    [
        ("index.html", SPA, "/"),
        ("index.html", DIRECTORY, "/"),
        ("index.html", HTML, "/"),
        ("about/index.html", DIRECTORY, "/about/"),
        ("about/index.html", SPA, "/about/index.html"),
        ("about.html", HTML, "/about"),
        ("about.html", SPA, "/about.html"),
        ("assets/index-B3x9aZ0q.js", SPA, "/assets/index-B3x9aZ0q.js"),
        ("favicon.ico", SPA, "/favicon.ico"),
        ("LICENSE", SPA, "/LICENSE"),
        (".well-known/security", HTML, "/.well-known/security"),
        ("a b+c&d/é.png", SPA, "/a%20b%2Bc%26d/%C3%A9.png"),
    ],
)
def test_a_file_is_asked_for_as_visitors_do(path: str, mode: DocumentMode, uri: str) -> None:
    asked = probes(file(path), RULES, mode)
    assert {probe.uri for probe in asked} == {uri}
    assert (asked[0].headers["sec-fetch-dest"] == "document") == path.endswith(".html")


def test_what_no_request_leads_to_is_not_asked_for() -> None:
    """A folder that the edge keeps for itself: published by other means, or by a version that allowed it."""
    assert probes(dataclasses.replace(file("x.png"), path="manifests/x.png"), RULES, SPA) == ()


def test_every_encoding_that_the_edge_may_answer_with_is_asked_for_by_itself() -> None:
    def encodings(made: tuple[str, ...]) -> list[str]:
        return [probe.encoding for probe in probes(file("index.html", encodings=made), RULES, SPA)]

    assert encodings(("br", "gzip")) == ["identity", "br", "gzip"]
    assert encodings(()) == ["identity", "gzip"], "brotli of CloudFront's making cannot be undone here"


def test_of_a_huge_file_only_the_headers_are_fetched() -> None:
    (probe,) = probes(file("film.mp4", size=SMOKE_BODY_MAXIMUM_BYTES + 1), RULES, SPA)
    assert (probe.method, probe.encoding) == ("HEAD", "identity")
    right = dataclasses.replace(
        answer(probe), headers={**answer(probe).headers, "content-length": str(SMOKE_BODY_MAXIMUM_BYTES + 1)}
    )
    assert judge(probe, right, "b2") is None
    assert "content-length 3 instead of" in str(
        judge(probe, dataclasses.replace(right, headers={**right.headers, "content-length": "3"}), "b2")
    )


def answer(probe: Probe, build: str = "b2", headers: Mapping[str, str] | None = None, **changes: Any) -> Answer:
    file = probe.file
    encoded = probe.encoding if probe.encoding != "identity" else None
    answered = {
        "content-type": file.content_type,
        "cache-control": file.cache_control,
        **({} if file.cache_class is CacheClass.SHARED else {"x-amz-meta-build-id": build}),
        **({"content-encoding": encoded} if encoded else {}),
        **(headers or {}),
    }
    values: dict[str, Any] = {
        "status": 200,
        "headers": {name: value for name, value in answered.items() if value},
        "sha256": digest(f"{encoded} {file.path}") if encoded else file.sha256,
        "decoded_sha256": None if encoded == "br" else file.sha256,
    }
    return Answer(**{**values, **changes})


DOCUMENT = {one.encoding: one for one in probes(file("index.html", encodings=("br", "gzip")), RULES, SPA)}
SHARED = {one.encoding: one for one in probes(file("assets/index-B3x9aZ0q.js", encodings=("br",)), RULES, SPA)}


@pytest.mark.parametrize("probe", [*DOCUMENT.values(), *SHARED.values()], ids=lambda one: f"{one.uri} {one.encoding}")
def test_what_was_published_is_right(probe: Probe) -> None:
    assert judge(probe, answer(probe), "b2") is None
    plain = answer(probe, headers={"content-encoding": ""}, sha256=probe.file.sha256, decoded_sha256=probe.file.sha256)
    assert judge(probe, plain, "b2") is None, "an edge need not encode"


@pytest.mark.parametrize(
    ("encoding", "changes", "message"),
    [
        ("identity", {"status": 403, "said": "Access Denied"}, "status 403 (Access Denied) instead of 200"),
        ("identity", {"status": 302}, "status 302 instead of 200"),
        ("identity", {"build": "a1", "decoded_sha256": "0" * 64}, "x-amz-meta-build-id 'a1' instead of 'b2'"),
        ("identity", {"headers": {"x-amz-meta-build-id": ""}}, "x-amz-meta-build-id '(none)' instead of 'b2'"),
        ("identity", {"headers": {"content-type": "text/plain"}}, "content-type 'text/plain' instead of 'text/html"),
        ("identity", {"headers": {"cache-control": "max-age=60"}}, "cache-control 'max-age=60' instead of 'no-cache'"),
        ("identity", {"headers": {"content-encoding": "br"}}, "content-encoding 'br' instead of 'identity'"),
        ("identity", {"decoded_sha256": "0" * 64}, f"sha256 {'0' * 64} instead of {digest('index.html')}"),
        ("gzip", {"decoded_sha256": "0" * 64, "sha256": "1" * 64}, f"sha256 {'0' * 64} instead of"),
        ("gzip", {"decoded_sha256": None, "sha256": "1" * 64}, f"gzip of sha256 {'1' * 64} instead of"),
        ("br", {"sha256": "1" * 64}, f"br of sha256 {'1' * 64} instead of {digest('index.html')}"),
        ("br", {"headers": {"content-encoding": "gzip"}}, "content-encoding 'gzip' instead of 'br'"),
    ],
)
def test_what_came_and_what_was_expected_are_named(encoding: str, changes: dict[str, Any], message: str) -> None:
    probe = DOCUMENT[encoding]
    assert message in str(judge(probe, answer(probe, **changes), "b2"))


def test_a_shared_file_is_of_no_build() -> None:
    probe = SHARED["identity"]
    assert judge(probe, answer(probe, headers={"x-amz-meta-build-id": "a1"}), "b2") is None
    assert "cache-control 'no-cache' instead of 'public, max-age=31536000, immutable'" in str(
        judge(probe, answer(probe, headers={"cache-control": "no-cache"}), "b2")
    )


def test_a_file_that_was_put_where_later_rules_look_for_it_is_right_there_and_where_it_was() -> None:
    """An older build, released again: its script has become a hashed file, and variants have been made of it."""
    before = dataclasses.replace(file("app.v1.js"), cache_control="no-cache")
    after = dataclasses.replace(
        file("app.v1.js", encodings=("br",)),
        cache_class=CacheClass.SHARED,
        key="shared/app.v1.js",
        cache_control="public, max-age=31536000, immutable",
    )
    asked = probes(before, RULES, SPA, healed=[after])
    assert [probe.encoding for probe in asked] == ["identity", "br", "gzip"]
    for probe in asked[:2]:
        moved = answer(dataclasses.replace(probe, file=after))
        assert judge(probe, moved, "b2") is None
        assert judge(dataclasses.replace(probe, healed=()), moved, "b2") is not None
    assert judge(asked[0], answer(asked[0]), "b2") is None
    assert "'a1' instead of 'b2'" in str(judge(asked[0], answer(asked[0], build="a1", decoded_sha256=""), "b2"))


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 40))
def test_a_selection_is_within_its_bound_and_even(entries: int, others: int, most: int) -> None:
    files = [file(f"{number:03}.html") for number in range(entries)] + [
        file(f"{number:03}.png") for number in range(others)
    ]
    chosen = list(select(files, entries=entries, others=others, most=most))
    assert len(chosen) == min(most, entries + others)
    assert len(set(chosen)) == len(chosen)
    documents = sum(one.cache_class is CacheClass.ENTRY for one in chosen)
    assert documents >= min(entries, (most + 1) // 2), "documents come first"
    assert len(chosen) - documents >= min(others, most // 2), "and leave room for what they need"


def test_the_front_page_is_always_selected() -> None:
    files = [file(f"{number:03}.html") for number in range(100)] + [file("index.html")]
    assert file("index.html") in list(select(files, entries=101, others=0, most=3))
