import shutil
from pathlib import Path
from typing import Any

import pytest
from invented import FIRST, SECOND, build

from bluegreen_cdn.errors import RehearsalError
from bluegreen_cdn.local.rehearsal.browser_like import Site
from bluegreen_cdn.local.rehearsal.ledger import Ledger
from bluegreen_cdn.local.rehearsal.page_runner import client as page_runner
from bluegreen_cdn.local.rehearsal.sessions import check_page_runner, record

SITE = Site(port=8080, host="site.localhost")


def enter(**report: Any) -> Ledger:
    ledger = Ledger([build(FIRST), build(SECOND)])
    document = {"url": f"{SITE.url}/", "status": 200, "build": FIRST}
    record(ledger, {"id": "script visitor 1", "documents": [document], **report}, SITE, 9.0, lambda wall: wall - 100)
    return ledger


def request(path: str, status: int = 200, kind: str = "module", **more: Any) -> dict[str, Any]:
    return {"url": f"{SITE.url}{path}", "status": status, "kind": kind, "document": 0, **more}


def test_documents_files_and_errors_enter_the_ledger() -> None:
    ledger = enter(
        requests=[
            request("/assets/vendor-Aa11Bb22.js", at=105.0, sha256="vendor"),
            request("/locales/en.json", kind="fetch"),
        ],
        errors=[{"type": "error", "message": "no"}],
    )
    assert (ledger.page_loads, ledger.asset_requests, ledger.asset_failures) == (1, 2, 0)
    assert ledger.script_errors == [(9.0, FIRST)]
    assert ledger.broken_pages == []


def test_a_file_that_failed_breaks_the_page() -> None:
    ledger = enter(requests=[request("/assets/vendor-Aa11Bb22.js", 404)])
    assert (len(ledger.broken_pages), ledger.asset_failures) == (1, 1)


def test_bytes_count_where_the_runner_gives_them() -> None:
    assert enter(requests=[request("/locales/en.json", sha256=f"locale-{SECOND}", kind="fetch")]).asset_failures == 1


def test_beacons_other_origins_and_what_was_given_up_are_not_files_of_the_page() -> None:
    ledger = enter(
        requests=[
            request("/_bluegreen/beacon", 0, "beacon"),
            {**request("/x.js", 500), "url": "http://other.localhost:1/x.js"},
            request("/assets/vendor-Aa11Bb22.js", 0, aborted=True),
        ]
    )
    assert (ledger.asset_requests, ledger.asset_failures) == (0, 0)


def test_not_modified_is_the_file_that_the_visitor_has() -> None:
    assert enter(requests=[request("/locales/en.json", 304, "fetch", sha256="of nothing")]).asset_failures == 0


def test_a_session_that_failed_before_its_first_document_is_no_page() -> None:
    ledger = Ledger([])
    record(ledger, {"id": "v", "failures": ["no answer"], "documents": [], "errors": [{}]}, SITE, 1, float)
    assert ledger.page_loads == 0


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_what_the_page_runner_needs_is_found_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_page_runner()
    elsewhere = tmp_path / "find_jsdom.mjs"
    shutil.copy(Path(page_runner.__file__).with_name("find_jsdom.mjs"), elsewhere)
    monkeypatch.setattr(page_runner, "__file__", str(tmp_path / "client.py"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        RehearsalError, match=r"jsdom was not found above .*; run npm ci in a clone, or npm install jsdom@"
    ):
        check_page_runner()
