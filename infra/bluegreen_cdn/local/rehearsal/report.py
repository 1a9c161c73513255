"""The rehearsal's report as data: what `report.json` holds and what the page draws."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bluegreen_cdn.local.rehearsal.invariants import Invariant
from bluegreen_cdn.local.rehearsal.ledger import Ledger
from bluegreen_cdn.local.rehearsal.releases import Outcome, Release

REPORT_FORMAT = 1
BUCKET_SECONDS = 1.0
INCIDENT_LIMIT = 200


@dataclass(kw_only=True)
class Phase:
    """A chapter of the rehearsal."""

    name: str
    start: float
    end: float | None = None


@dataclass(kw_only=True)
class Record:
    """Everything a rehearsal leaves behind; times are seconds since it began."""

    site: str
    started: str
    ledger: Ledger
    time_scale: float
    rollout: str
    seed: int
    scenario: str = ""
    about: str = ""
    """What happens in the scenario, in a sentence without its full stop."""
    releases: list[Release] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    invariants: list[Invariant] = field(default_factory=list)
    checks: list[Invariant] = field(default_factory=list)
    """What the story itself has looked at."""
    figures: dict[str, float] = field(default_factory=dict)
    visitors: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the whole story was told and every invariant held."""
        return self.error is None and bool(self.invariants) and all(invariant.held for invariant in self.invariants)


def as_json(record: Record) -> dict[str, Any]:
    """Return the content of `report.json`."""
    ledger = record.ledger
    return {
        "format": REPORT_FORMAT,
        "ok": record.ok,
        "error": record.error,
        "scenario": record.scenario or None,
        "about": record.about or None,
        "site": record.site,
        "started": record.started,
        "seconds": round(record.seconds, 1),
        "time_scale": record.time_scale,
        "rollout": record.rollout,
        "seed": record.seed,
        "page_loads": ledger.page_loads,
        "broken_page_loads": len(ledger.broken_pages),
        "asset_requests": ledger.asset_requests,
        "asset_failures": ledger.asset_failures,
        "mixed_pages": len(ledger.mixed_pages),
        "shared_cookie_mixes": ledger.shared_cookie_mixes,
        "lazy_requests": len(ledger.lazy_requests),
        "turned_away": ledger.turned_away,
        "not_in_build": ledger.not_in_build,
        "script_errors": len(ledger.script_errors),
        "visitors": record.visitors,
        "releases": [_release(release, record) for release in record.releases],
        "figures": {name: _round(value) for name, value in record.figures.items()},
        "invariants": [vars_of(invariant) for invariant in record.invariants],
        "phases": [{"name": p.name, "start": _round(p.start), "end": _round(p.end)} for p in record.phases],
        "timeline": timeline(record),
        "incidents": [
            {"at": _round(incident.at), "kind": incident.kind, "text": incident.text}
            for incident in ledger.incidents[:INCIDENT_LIMIT]
        ],
        "notes": record.notes,
    }


def write(record: Record, folder: Path) -> tuple[Path, Path]:
    """Write `report.json` and `report.html`; return their paths."""
    from bluegreen_cdn.local.rehearsal.report_page import render

    folder.mkdir(parents=True, exist_ok=True)
    data = as_json(record)
    json_path, html_path = folder / "report.json", folder / "report.html"
    json_path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    html_path.write_text(render(data), encoding="utf-8")
    return json_path, html_path


def timeline(record: Record, bucket: float = BUCKET_SECONDS) -> list[dict[str, Any]]:
    """Cut the visit into buckets: page loads by build, first visits by build, script errors."""
    count = int(record.seconds // bucket) + 1
    rows: list[dict[str, Any]] = [
        {"at": _round(i * bucket), "documents": {}, "first_visits": {}, "script_errors": 0, "broken": 0}
        for i in range(count)
    ]

    def row(at: float) -> dict[str, Any]:
        return rows[min(count - 1, max(0, int(at // bucket)))]

    for page in record.ledger.pages:
        key = page.build_id or "none"
        here = row(page.at)
        here["documents"][key] = here["documents"].get(key, 0) + 1
        if page.first_visit:
            here["first_visits"][key] = here["first_visits"].get(key, 0) + 1
        if page.problems:
            here["broken"] += 1
    for at, _ in record.ledger.script_errors:
        row(at)["script_errors"] += 1
    return rows


def vars_of(invariant: Invariant) -> dict[str, Any]:
    """Return an invariant as JSON."""
    return {"name": invariant.name, "held": invariant.held, "message": invariant.message}


def _release(release: Release, record: Record) -> dict[str, Any]:
    end = release.ended if release.ended is not None else record.seconds
    steps = _steps(release, record.ledger, end)
    seen = sum(step["candidate_documents"] for step in steps)
    total = sum(step["documents"] for step in steps)
    if release.expected is Outcome.FIRST:
        # Visitors come when its deployment is over, and are all its own until the next release lets some go.
        others = [other.started for other in record.releases if other is not release]
        seen, total = record.ledger.share(release.build_id, release.started, min(others, default=record.seconds))
    return {
        "name": release.name,
        "build_id": release.build_id,
        "outcome": release.outcome.value,
        "expected": release.expected.value,
        "started": _round(release.started),
        "ended": _round(release.ended),
        "weights": [
            {
                "at": _round(mark.at),
                "weight": mark.weight / 100,
                "share": mark.share / 100,
                "everywhere": mark.everywhere,
            }
            for mark in release.weights
        ],
        "share_seen": round(seen / total, 4) if total else None,
        "steps": steps,
        "alarm": release.alarm_name,
        "alarm_at": _round(release.alarm_at),
        "rollback_at": _round(release.rollback_at),
        "weight_zero_at": _round(release.zero_at) if release.alarm_at is not None else None,
        "seconds_from_alarm_to_weight_zero": _round(release.seconds_from_alarm_to_weight_zero),
        "error": release.error or None,
    }


def _steps(release: Release, ledger: Ledger, end: float) -> list[dict[str, Any]]:
    """One row per window of constant weight in which only part of the visitors were let in."""
    rows = []
    for window in release.windows(end):
        if not 0 < window.weight < 10_000 and release.expected is not Outcome.FIRST:
            continue
        seen, total = ledger.share(release.build_id, window.start, window.end)
        rows.append(
            {
                "start": _round(window.start),
                "end": _round(window.end),
                "weight": window.weight / 100,
                "documents": total,
                "candidate_documents": seen,
            }
        )
    return rows


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def summary_lines(data: dict[str, Any]) -> Sequence[str]:
    """Say the result in a few lines of plain text."""
    lines = [
        f"{data['page_loads']} pages loaded, {data['broken_page_loads']} broken; "
        f"{data['asset_requests']} files asked for, {data['asset_failures']} failed; "
        f"{data['mixed_pages']} mixed pages"
    ]
    for release in data["releases"]:
        line = f"{release['name']} {release['build_id']}: {release['outcome'].replace('_', ' ')}"
        if release["seconds_from_alarm_to_weight_zero"] is not None:
            line += f", weight 0 everywhere {release['seconds_from_alarm_to_weight_zero']:.1f} s after the alarm"
        lines.append(line)
    lines += data["notes"]
    lines += [f"BROKEN: {invariant['message']}" for invariant in data["invariants"] if not invariant["held"]]
    if data["error"]:
        lines.append(f"not finished: {data['error']}")
    return lines
