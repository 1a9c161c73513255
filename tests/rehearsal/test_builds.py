from pathlib import Path

import pytest

from bluegreen_cdn.errors import InvalidBuild
from bluegreen_cdn.local.rehearsal.builds import (
    CLIENT_TAG,
    check_different,
    common_pages,
    insert_client,
    insert_failure,
    prepare,
)


def app(path: Path, document: str, **files: str) -> Path:
    (path / "assets").mkdir(parents=True)
    (path / "index.html").write_text(document)
    for name, text in files.items():
        (path / "assets" / f"{name}-Ab12Cd34.js").write_text(text)
    return path


def test_a_build_that_reports_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = app(tmp_path / "dist", f"<head>{CLIENT_TAG}</head>", index="1")
    build, note = prepare(folder, "first build", tmp_path / "work")
    assert (build.folder, note) == (folder, "")
    assert build.files.hashed == {"assets/index-Ab12Cd34.js"}
    assert not (tmp_path / "work").exists()


def test_an_import_of_the_client_counts_as_reporting(tmp_path: Path) -> None:
    folder = app(tmp_path / "dist", "<head></head>", index='import "/_bluegreen/client.mjs"')
    assert prepare(folder, "first build", tmp_path / "work")[1] == ""


def test_a_build_that_does_not_report_is_copied_and_gets_the_script(tmp_path: Path) -> None:
    folder = app(tmp_path / "dist", "<!doctype html><html><head><title>x</title></head></html>", index="1")
    build, note = prepare(folder, "first build", tmp_path / "work")
    assert build.folder == tmp_path / "work"
    assert (build.folder / "index.html").read_text().startswith(f"<!doctype html><html><head>{CLIENT_TAG}<title>")
    assert (build.folder / "assets" / "index-Ab12Cd34.js").read_text() == "1"
    assert "copy of" in note
    assert CLIENT_TAG not in (folder / "index.html").read_text()


def test_a_failing_copy_throws_behind_the_client_script_in_every_document(tmp_path: Path) -> None:
    folder = app(tmp_path / "dist", f"<head><title>x</title>{CLIENT_TAG}</head>")
    (folder / "about.html").write_text(f"<head>{CLIENT_TAG}</head>")
    good, _ = prepare(folder, "second build", tmp_path / "second")
    bad, note = prepare(folder, "bad build", tmp_path / "bad", bad=True)
    assert bad.is_bad
    assert bad.build_id != good.build_id
    assert "an error in every document" in note
    for document in bad.folder.glob("*.html"):
        text = document.read_text()
        assert text.index(CLIENT_TAG) < text.index("throw new Error(")


@pytest.mark.parametrize(
    ("document", "result"),
    [
        ("<html><head lang=x><title>", f"<html><head lang=x>{CLIENT_TAG}<title>"),
        ("<!doctype html><html lang=en><p>", f"<!doctype html><html lang=en>{CLIENT_TAG}<p>"),
        ("<!DOCTYPE html><p>", f"<!DOCTYPE html>{CLIENT_TAG}<p>"),
        ("<p>no frame", f"{CLIENT_TAG}<p>no frame"),
        ("<html><header><head><b>", f"<html><header><head>{CLIENT_TAG}<b>"),
        ("", CLIENT_TAG),
    ],
)
def test_where_the_script_goes(document: str, result: str) -> None:
    assert insert_client(document) == result


def test_the_failure_goes_behind_a_script_tag_with_attributes() -> None:
    tag = '<script src="/_bluegreen/client.js" data-x></script>'
    assert insert_failure(f"<head>{tag}<b>").startswith(f"<head>{tag}<script>")


def test_equal_content_is_refused_with_both_names(tmp_path: Path) -> None:
    builds = [
        prepare(app(tmp_path / name, f"<head>{CLIENT_TAG}</head>"), f"{name} build", tmp_path / "work")[0]
        for name in ("first", "second")
    ]
    with pytest.raises(InvalidBuild, match="the first build and the second build have the same content"):
        check_different(builds)


def test_visitors_open_the_documents_that_all_builds_have(tmp_path: Path) -> None:
    builds = []
    for name, documents in {"first": ("about", "old", "404"), "second": ("about", "new", "404")}.items():
        folder = app(tmp_path / name, f"<head>{CLIENT_TAG}</head>{name}")
        for document in documents:
            (folder / f"{document}.html").write_text("")
        builds.append(prepare(folder, name, tmp_path / "work")[0])
    assert common_pages(builds) == ("/", "/about.html")
