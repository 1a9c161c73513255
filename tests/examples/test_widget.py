"""The widget: one fixed name, hashed chunks, and a life on pages of other origins."""

import re
from pathlib import Path

import pytest

from bluegreen_cdn.local.rehearsal.example_builds import example_build

from .conftest import Answer, Site, Sites, Visitors

HOST_PAGE = Path(__file__).parents[2] / "examples" / "widget" / "host" / "index.html"


def files(flavour: str) -> dict[str, bytes]:
    folder = example_build("widget", flavour)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_one_fixed_name_and_hashed_chunks() -> None:
    names = files("first").keys()
    assert {name for name in names if "/" not in name} == {"widget.js", "demo.html"}
    assert all(re.fullmatch(r"assets/\w+-[A-Za-z0-9_-]{8}\.(js|svg)", name) for name in names if "/" in name)


def test_builds_share_files_and_differ_in_others() -> None:
    first, second = files("first"), files("second")
    assert {name.split("-")[0] for name in first.keys() & second.keys()} == {"widget.js", "demo.html", "assets/clock"}
    assert first["widget.js"] != second["widget.js"]
    shared = {name for name in first.keys() & second.keys() if name.startswith("assets/")}
    assert all(first[name] == second[name] for name in shared)


class Consenting(Site):
    """A site that lets pages of other origins read its files."""

    def find(self, path: str) -> tuple[Answer, str]:
        answer, content_type = super().find(path)
        return Answer(answer.body, answer.status, {"access-control-allow-origin": "*"}), content_type


@pytest.mark.parametrize(("flavour", "hours"), [("first", "9 to 17"), ("second", "9 to 18")])
def test_on_a_page_of_another_origin(sites: Sites, site: Site, visitors: Visitors, flavour: str, hours: str) -> None:
    name = f"widget-{flavour}.localhost:{sites.server_port}"
    widget = sites.hosts[name] = Consenting(f"http://{name}")
    widget.folder = example_build("widget", flavour)
    site.serve({"/": HOST_PAGE.read_text()})
    report = visitors.visit(
        f"{site.address}/?widget={widget.address}",
        {"click": "opening-hours button"},
        read=["opening-hours"],
    )
    assert report["ok"], report
    assert hours in report["texts"]["opening-hours"]
    kinds = [re.sub(r"-.*|\?.*", "", asked) for asked in widget.paths()]
    assert sorted(set(kinds)) == ["/assets/clock", "/assets/table", "/widget.js"]
    assert site.paths() == [f"/?widget={widget.address}"]


def test_without_consent_the_page_is_told(sites: Sites, site: Site, visitors: Visitors) -> None:
    widget = sites.site("widget-silent")
    widget.folder = example_build("widget", "first")
    site.serve({"/": HOST_PAGE.read_text()})
    report = visitors.visit(f"{site.address}/?widget={widget.address}")
    assert [error["type"] for error in report["errors"]] == ["resource"]
