import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from invented import BAD, FIRST, SECOND, rehearsal

from bluegreen_cdn.local.rehearsal.invariants import Invariant, judge
from bluegreen_cdn.local.rehearsal.report import Record, as_json, summary_lines, write


@pytest.fixture(scope="module")
def record() -> Record:
    made = rehearsal()
    made.invariants = judge(made.ledger, made.releases, end=made.seconds, propagation_seconds=1)
    return made


def test_report_json_has_the_promised_fields(record: Record, tmp_path: Path) -> None:
    path, _ = write(record, tmp_path / "new" / "folder")
    data = json.loads(path.read_text())
    assert data["ok"] is True
    for name in ("broken_page_loads", "asset_failures", "mixed_pages", "shared_cookie_mixes"):
        assert data[name] == 0
    assert data["page_loads"] > 1000
    assert data["asset_requests"] > 1000
    first, second, bad = data["releases"]
    assert [(r["build_id"], r["outcome"]) for r in (first, second, bad)] == [
        (FIRST, "first"),
        (SECOND, "promoted"),
        (BAD, "rolled_back"),
    ]
    assert [(mark["weight"], mark["share"]) for mark in second["weights"]] == [(10, 10), (100, 95), (100, 100)]
    assert [mark["weight"] for mark in bad["weights"]] == [10, 0]
    assert first["share_seen"] == 1.0
    assert 0.03 < bad["share_seen"] < 0.2
    assert first["seconds_from_alarm_to_weight_zero"] is None
    assert bad["seconds_from_alarm_to_weight_zero"] == pytest.approx(0.9)


def test_an_error_or_a_broken_invariant_or_none_at_all_is_not_ok() -> None:
    made = rehearsal()
    assert not made.ok
    made.invariants = [Invariant(name="x", held=True, message="x")]
    assert made.ok
    made.error = "interrupted"
    assert not made.ok
    made.error, made.invariants = None, [*made.invariants, Invariant(name="y", held=False, message="y")]
    assert not made.ok
    assert "BROKEN: y" in summary_lines(as_json(made))


class _Network(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.asks: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.asks += [value or "" for name, value in attrs if name in ("src", "href", "action", "srcset", "poster")]
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_asks_the_network_for_nothing_and_is_well_formed(record: Record, tmp_path: Path) -> None:
    _, path = write(record, tmp_path)
    text = path.read_text()
    page = _Network()
    page.feed(text)
    assert page.asks == ["data:,"]
    assert page.open == []
    assert "url(" not in text
    assert "@import" not in text
    assert "<script" not in text


def test_the_page_shows_the_timeline_and_its_marks(record: Record, tmp_path: Path) -> None:
    text = write(record, tmp_path)[1].read_text()
    for words in ("alarm · 101.3 s", "weight 0 at every edge · 102.2 s", "CodeDeploy rolls back · 104.9 s"):
        assert words in text
    assert len(re.findall(r'class="seen b1"', text)) > 5
    assert text.count('class="weight b') == 2
    assert "NaN" not in text


def test_text_from_outside_is_escaped(tmp_path: Path) -> None:
    made = rehearsal(visitors_per_second=1)
    made.error = made.notes[0] = made.site = "<img src=x onerror=alert(1)>"
    made.ledger.document(visitor="v", at=1, url="/<script>", status=500, digest=None)
    text = write(made, tmp_path)[1].read_text()
    assert "<img" not in text
    assert "<script" not in text


def test_a_rehearsal_that_ended_in_its_first_deployment_can_be_reported(tmp_path: Path) -> None:
    made = rehearsal(visitors_per_second=0)
    made.releases = made.releases[:1]
    made.releases[0].weights, made.releases[0].ended, made.error = [], None, "the deployment failed"
    assert "the deployment failed" in write(made, tmp_path)[1].read_text()


def test_a_rehearsal_that_ended_before_it_began_can_be_reported(tmp_path: Path) -> None:
    made = rehearsal(visitors_per_second=0)
    made.releases, made.phases, made.seconds, made.error = [], [], 0.0, "node was not found"
    assert "node was not found" in write(made, tmp_path)[1].read_text()
