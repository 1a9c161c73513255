"""Copies of builds for scenarios."""

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from bluegreen_cdn.local.rehearsal.builds import CLIENT_TAG
from bluegreen_cdn.local.rehearsal.options import RehearsalOptions
from bluegreen_cdn.local.rehearsal.service import Service
from bluegreen_cdn.local.rehearsal.workshop import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text(f"<html><head>{CLIENT_TAG}<title>{name}</title></head></html>")
    return Workshop(RehearsalOptions(stable=tmp_path / "one", candidate=tmp_path / "two"), tmp_path / "work")


def test_a_fresh_build_has_a_document_and_a_hashed_file_of_its_own(workshop: Workshop) -> None:
    builds = [workshop.first(), workshop.second(), workshop.fresh("a"), workshop.fresh("b"), workshop.fresh("b", "c")]
    assert len({build.build_id for build in builds}) == 5
    documents = [build.files.digests["index.html"] for build in builds]
    assert len(set(documents)) == 5
    for build in builds[2:]:
        (script,) = build.files.hashed
        text = (build.folder / "index.html").read_text()
        assert text.index("_bluegreen/client.js") < text.index(f'src="/{script}"')


def test_a_fresh_build_is_the_same_each_time(workshop: Workshop) -> None:
    assert workshop.fresh("a").build_id == workshop.fresh("a").build_id


def test_a_bad_build_throws_behind_the_client_script(workshop: Workshop) -> None:
    build = workshop.fresh_bad("a")
    text = (build.folder / "index.html").read_text()
    assert build.is_bad
    assert text.index("_bluegreen/client.js") < text.index("throw new Error")


def test_a_dependent_build_asks_the_service_from_a_file_of_its_own(workshop: Workshop) -> None:
    build = workshop.dependent("a")
    texts = [(build.folder / path).read_text() for path in sorted(build.files.hashed)]
    assert any(workshop.service.url in text and "throw" in text for text in texts)
    assert workshop.service.url not in (build.folder / "index.html").read_text()


def test_the_service_answers_until_it_is_down() -> None:
    service = Service()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(service.url, timeout=5)
    service.start()
    try:
        with urllib.request.urlopen(service.url, timeout=5) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
        service.down = True
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(service.url, timeout=5)
        assert service.answered == 2
    finally:
        service.close()
