"""A build that leads visitors to what it does not have is not published."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bluegreen_cdn.defaults import MISSING_TARGETS_LISTED, SCAN_MAXIMUM_BYTES
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.closure import Closure
from bluegreen_cdn.errors import IncompleteBuild
from bluegreen_cdn.publish.closure import check_closure, closure_warnings
from bluegreen_cdn.publish.source import open_source

Writer = Callable[[str, Mapping[str, str | bytes]], Path]


def check(path: Path, *allow: str, mode: str = "spa") -> Closure:
    with open_source(path) as source:
        return check_closure(
            source, source.listing(), rules=ClassificationRules.default(), mode=mode, allow_missing=allow
        )


def test_a_whole_build(storefront: Path) -> None:
    assert check(storefront).scanned == 3


def test_every_missing_file_is_told_with_its_referrer(folder: Writer, archive: Writer) -> None:
    files = {
        "index.html": "<script src=/a.js></script><img src=b.png>",
        "two/index.html": "<img src='../b.png'>",
        "a.js": "import('./c.js')",
    }
    for build in (folder("dist", files), archive("dist.zip", files)):
        with pytest.raises(IncompleteBuild) as caught:
            check(build)
        lines = str(caught.value).splitlines()
        assert lines[0].endswith("leads visitors to what it does not have, 2 files are missing:")
        assert lines[1:-1] == ["  'b.png': 'b.png' in 'index.html' and 1 more;", "  'c.js': './c.js' in 'a.js';"]
        assert "--allow-missing GLOB" in lines[-1]
        assert check(build, "*.png", "c.js").scanned == 3


def test_the_list_of_missing_files_has_an_end(folder: Writer) -> None:
    images = "".join(f"<img src={number}.png>" for number in range(MISSING_TARGETS_LISTED + 7))
    with pytest.raises(IncompleteBuild) as caught:
        check(folder("dist", {"index.html": images}))
    assert len(str(caught.value).splitlines()) == MISSING_TARGETS_LISTED + 3
    assert "  and 7 more" in str(caught.value)


def test_texts_in_every_encoding_are_read(folder: Writer) -> None:
    image = "<img src='é.png'>"
    for name, text in {
        "utf-8": image.encode(),
        "bom": image.encode("utf-8-sig"),
        "utf-16": image.encode("utf-16"),
    }.items():
        with pytest.raises(IncompleteBuild, match=r"'é\.png'"):
            check(folder(name, {"index.html": text}))
    with pytest.raises(IncompleteBuild, match=r"a\.png"):
        check(folder("latin", {"index.html": "<p>é<img src=a.png>".encode("latin-1")}))


def test_what_is_too_long_for_a_text_is_told_and_not_read(folder: Writer) -> None:
    build = folder("dist", {"index.html": "<script src=a.js></script>", "a.js": b" " * (SCAN_MAXIMUM_BYTES + 1)})
    assert check(build).unread == ("a.js",)
    assert closure_warnings(check(build)) == (
        "'a.js' is longer than 16777216 bytes: what it refers to was not looked for",
    )


def test_warnings_of_what_the_edge_looks_for_elsewhere(folder: Writer) -> None:
    build = folder("dist", {"index.html": "<script src=/shared/a.js></script>", "b.html": "<img src=/shared/a.js>"})
    assert closure_warnings(check(build)) == (
        "'/shared/a.js' in 'b.html' and 1 more: the edge does not look for '/shared/a.js' in this build, visitors will "
        "not find it",
    )
