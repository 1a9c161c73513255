"""The scenarios as data, and how several of them are judged and shown, without playing any."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from invented import rehearsal

from bluegreen_cdn.cli.main import run
from bluegreen_cdn.local.rehearsal import programme_report
from bluegreen_cdn.local.rehearsal.invariants import Invariant, judge
from bluegreen_cdn.local.rehearsal.options import RehearsalOptions
from bluegreen_cdn.local.rehearsal.programme import Played, Programme
from bluegreen_cdn.local.rehearsal.scenarios import ALL, NAMES, load

ROOT = Path(__file__).parents[2]


def test_every_scenario_can_be_loaded_and_says_what_it_is_about() -> None:
    scenarios = load([ALL])
    assert tuple(scenario.name for scenario in scenarios) == NAMES
    for scenario in scenarios:
        assert scenario.happens
        assert scenario.checked
        assert not scenario.happens.endswith(".")


def test_scenarios_are_played_once_and_in_their_order() -> None:
    assert [one.name for one in load(["bad-build", "healthy", "bad-build"])] == ["healthy", "bad-build"]


def test_every_file_of_the_folder_is_a_scenario_that_is_played() -> None:
    folder = ROOT / "infra/bluegreen_cdn/local/rehearsal/scenarios"
    files = {path.stem.replace("_", "-") for path in folder.glob("*.py")} - {"--init--", "scenario"}
    assert files == set(NAMES)


def test_the_readme_has_the_table() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for scenario in load([ALL]):
        assert f"| `{scenario.name}` | {scenario.happens} | {scenario.checked} |" in text


def test_an_unknown_scenario_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rehearse", "--scenario", "earthquake"]) == 2
    assert "'earthquake' is not one of 'all', 'healthy'" in capsys.readouterr().err


def programme(*names: str) -> Programme:
    return Programme(RehearsalOptions(), load(names))


def played(whole: Programme, number: int) -> Played:
    record = rehearsal()
    record.invariants = judge(record.ledger, record.releases, end=record.seconds, propagation_seconds=1)
    record.figures["seconds that somebody waited"] = 3.14159
    done = Played(scenario=whole.scenarios[number], record=record)
    whole.played.append(done)
    return done


def test_it_is_ok_only_if_all_were_played_and_all_held() -> None:
    whole = programme("healthy", "bad-build")
    assert not whole.ok
    played(whole, 0)
    assert not whole.ok
    second = played(whole, 1)
    assert whole.ok
    whole.error = "interrupted"
    assert not whole.ok
    whole.error = ""
    second.record.invariants.append(Invariant(name="x", held=False, message="it did not"))
    assert not whole.ok


def test_the_table_tells_what_did_not_hold_and_what_was_not_played() -> None:
    whole = programme("healthy", "bad-build")
    played(whole, 0).record.invariants.append(Invariant(name="x", held=False, message="it did not"))
    lines = programme_report.table_lines(programme_report.as_json(whole))
    healthy = next(line for line in lines if line.startswith("healthy"))
    assert "FAILED" in healthy
    assert "promoted, rolled back" in healthy
    assert "3.1 seconds that somebody waited" in healthy
    assert "healthy: BROKEN: it did not" in lines
    assert "bad-build: was not played" in lines


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_index_leads_to_a_report_of_each(tmp_path: Path) -> None:
    whole = programme("healthy", "bad-build", "no-traffic")
    played(whole, 0)
    played(whole, 1).record.error = "<b>broken</b>"
    data_path, page_path = programme_report.write(whole, tmp_path)
    page = _Links()
    text = page_path.read_text(encoding="utf-8")
    page.feed(text)
    assert page.open == []
    assert page.links == ["data:,", "healthy/report.html", "bad-build/report.html"]
    assert all((tmp_path / link).is_file() for link in page.links[1:])
    assert "<b>" not in text.replace("<body>", "")
    data = json.loads(data_path.read_text())
    assert [one["ok"] for one in data["scenarios"]] == [True, False, False]
    report = json.loads((tmp_path / "healthy/report.json").read_text())
    assert report["figures"] == {"seconds that somebody waited": 3.14}
