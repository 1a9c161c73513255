"""The outcome of several scenarios: `scenarios.json`, an index page, and a report of its own for each."""

import json
from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from bluegreen_cdn.local.rehearsal import report
from bluegreen_cdn.local.rehearsal.programme import Played, Programme

FORMAT = 1


def as_json(programme: Programme) -> dict[str, Any]:
    """Return the content of `scenarios.json`."""
    return {
        "format": FORMAT,
        "ok": programme.ok,
        "error": programme.error or None,
        "seconds": round(programme.seconds, 1),
        "time_scale": programme.options.time_scale,
        "rollout": programme.options.rollout,
        "scenarios": [_scenario(played) for played in programme.played]
        + [
            {
                "name": scenario.name,
                "happens": scenario.happens,
                "checked": scenario.checked,
                "ok": False,
                "played": False,
            }
            for scenario in programme.scenarios[len(programme.played) :]
        ],
    }


def write(programme: Programme, folder: Path) -> tuple[Path, Path]:
    """Write everything; return the paths of the data and of the index page."""
    folder.mkdir(parents=True, exist_ok=True)
    for played in programme.played:
        report.write(played.record, folder / played.scenario.name)
    data = as_json(programme)
    json_path, html_path = folder / "scenarios.json", folder / "index.html"
    json_path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    html_path.write_text(render(data), encoding="utf-8")
    return json_path, html_path


def table_lines(data: dict[str, Any]) -> Sequence[str]:
    """Say the outcome as a table of plain text, then what did not hold."""
    rows: list[tuple[str, ...]] = [("scenario", "outcome", "releases", "pages", "broken", "seconds", "figures")]
    rows += [_row(scenario) for scenario in data["scenarios"]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    ]
    for scenario in data["scenarios"]:
        lines += [f"{scenario['name']}: {text}" for text in problems(scenario)]
    if data["error"]:
        lines.append(f"not finished: {data['error']}")
    return [line.rstrip() for line in lines]


def problems(scenario: dict[str, Any]) -> list[str]:
    """Name what went wrong in a scenario."""
    if not scenario["played"]:
        return ["was not played"]
    found = [f"not finished: {scenario['error']}"] if scenario["error"] else []
    return found + [f"BROKEN: {message}" for message in scenario["broken"]]


def render(data: dict[str, Any]) -> str:
    """Render the content of `scenarios.json` as HTML."""
    style = resources.files("bluegreen_cdn.local.rehearsal").joinpath("report.css").read_text(encoding="utf-8")
    held = sum(scenario["ok"] for scenario in data["scenarios"])
    verdict = f"{held} of {len(data['scenarios'])} scenarios held"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{verdict} · rehearsal</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
<main>
<header class="{"ok" if data["ok"] else "failed"}">
<p class="eyebrow">Rehearsal · {data["seconds"]:.0f} s</p>
<h1><span class="badge">{"passed" if data["ok"] else "failed"}</span> {verdict}</h1>
<p class="lead">{escape(data["error"] or "Each is told in a report of its own.")}</p>
</header>
<section>
<div class="scroll"><table>
<thead><tr><th>Scenario</th><th>What happens</th><th>What is checked</th><th>Outcome</th><th>Seen</th></tr></thead>
<tbody>
{"".join(_html_row(scenario) for scenario in data["scenarios"])}</tbody>
</table></div>
</section>
<footer><p>Rollout <code>{escape(data["rollout"])}</code>; time ran {data["time_scale"]:g} times as fast. In every
scenario no page may break, and no page may get another build's bytes.</p></footer>
</main>
</body>
</html>
"""


def _scenario(played: Played) -> dict[str, Any]:
    record, scenario = played.record, played.scenario
    return {
        "name": scenario.name,
        "happens": scenario.happens,
        "checked": scenario.checked,
        "played": True,
        "ok": record.ok,
        "error": record.error,
        "seconds": round(record.seconds, 1),
        "page_loads": record.ledger.page_loads,
        "broken_page_loads": len(record.ledger.broken_pages),
        "mixed_pages": len(record.ledger.mixed_pages),
        "releases": [
            {"name": release.name, "build_id": release.build_id, "outcome": release.outcome.value}
            for release in record.releases[1:]
        ],
        "figures": {name: round(value, 1) for name, value in record.figures.items()},
        "held": sum(invariant.held for invariant in record.invariants),
        "broken": [invariant.message for invariant in record.invariants if not invariant.held],
        "report": f"{scenario.name}/report.html",
    }


def _row(scenario: dict[str, Any]) -> tuple[str, ...]:
    if not scenario["played"]:
        return (scenario["name"], "not played", "", "", "", "", "")
    outcomes = ", ".join(release["outcome"].replace("_", " ") for release in scenario["releases"])
    figures = "; ".join(f"{value:g} {name}" for name, value in scenario["figures"].items())
    return (
        scenario["name"],
        "held" if scenario["ok"] else "FAILED",
        outcomes,
        str(scenario["page_loads"]),
        str(scenario["broken_page_loads"]),
        f"{scenario['seconds']:.0f}",
        figures,
    )


def _html_row(scenario: dict[str, Any]) -> str:
    name = f"<code>{escape(scenario['name'])}</code>"
    if not scenario["played"]:
        seen, name_cell = "", name
    else:
        _, _, outcomes, pages, broken, seconds, figures = _row(scenario)
        name_cell = f'<a href="{escape(scenario["report"])}">{name}</a>'
        seen = f"{outcomes}<br>{pages} pages, {broken} broken, {seconds} s" + (f"<br>{figures}" if figures else "")
        seen += "".join(f"<br>{escape(text)}" for text in problems(scenario))
    sign, word = ("✓", "held") if scenario["ok"] else ("✗", "broken")
    return (
        f'<tr class="{word}"><th scope="row">{name_cell}</th><td>{escape(scenario["happens"])}</td>'
        f"<td>{escape(scenario['checked'])}</td>"
        f'<td class="{word}"><span class="tick" aria-label="{word}">{sign}</span></td><td>{seen}</td></tr>\n'
    )
