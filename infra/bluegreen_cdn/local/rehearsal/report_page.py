"""The report as one self-contained page: it opens from disk and asks the network for nothing."""

from html import escape
from importlib import resources
from typing import Any

from bluegreen_cdn.local.rehearsal.report_chart import chart

_OUTCOMES = {
    "first": "first build",
    "promoted": "promoted",
    "rolled_back": "rolled back",
    "refused": "refused",
    "unfinished": "not finished",
}


def render(data: dict[str, Any]) -> str:
    """Render the content of `report.json` as HTML."""
    style = resources.files("bluegreen_cdn.local.rehearsal").joinpath("report.css").read_text(encoding="utf-8")
    verdict = "Every page was whole" if data["ok"] else "The rehearsal failed"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{verdict} · {_subject(data)}</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
<main>
<header class="{"ok" if data["ok"] else "failed"}">
<p class="eyebrow">{_subject(data).capitalize()} · {escape(data["started"])}</p>
<h1><span class="badge">{"passed" if data["ok"] else "failed"}</span> {verdict}</h1>
<p class="lead">{_lead(data)}</p>
</header>
<section class="tiles" aria-label="Key figures">
{_tiles(data)}
</section>
<section>
<h2>What happened</h2>
<div class="legend">{_legend(data)}</div>
<div class="scroll">{chart(data)}</div>
{_phase_list(data)}
</section>
<section>
<h2>Releases</h2>
<div class="scroll">{_releases(data)}</div>
</section>
<section>
<h2>What had to hold</h2>
<ul class="invariants">
{_invariants(data)}
</ul>
</section>
{_incidents(data)}
<footer>
<p>Rollout <code>{escape(data["rollout"])}</code>; time ran {data["time_scale"]:g} times as fast: one minute of the
rollout took {60 / data["time_scale"]:.1f} s here. Seed {data["seed"]}. {_visitors(data)}</p>
{"".join(f"<p>{escape(note)}</p>" for note in data["notes"])}
</footer>
</main>
</body>
</html>
"""


def _subject(data: dict[str, Any]) -> str:
    scenario = f"{escape(data['scenario'])}, " if data.get("scenario") else ""
    return f"{scenario}rehearsal of {escape(data['site'])}"


def _lead(data: dict[str, Any]) -> str:
    if data["error"]:
        return f"Not finished: {escape(data['error'])}"
    broken = [invariant for invariant in data["invariants"] if not invariant["held"]]
    if broken:
        count = f"{len(broken)} of {len(data['invariants'])} statements"
        return f"{count} did not hold. First: {escape(broken[0]['message'])}."
    if data["about"]:
        return escape(f"{data['about'][0].upper()}{data['about'][1:]}.")
    back = next((r for r in data["releases"] if r["seconds_from_alarm_to_weight_zero"] is not None), None)
    released, took = len(data["releases"]), data["seconds"]
    words = f"{released} builds were released in {took:.0f} seconds while visitors kept their tabs open."
    if back:
        seconds = back["seconds_from_alarm_to_weight_zero"]
        words += f" The last one hurt, and was gone from every edge location {seconds:.1f} s after its alarm."
    return escape(words)


def _tiles(data: dict[str, Any]) -> str:
    back = [r["seconds_from_alarm_to_weight_zero"] for r in data["releases"]]
    tiles = [
        ("page loads", f"{data['page_loads']:,}", ""),
        ("broken pages", f"{data['broken_page_loads']:,}", "zero"),
        ("files asked for", f"{data['asset_requests']:,}", ""),
        ("files failed", f"{data['asset_failures']:,}", "zero"),
        ("mixed pages", f"{data['mixed_pages']:,}", "zero"),
        ("alarm to weight 0", next((f"{seconds:.1f} s" for seconds in back if seconds is not None), "–"), ""),
    ]
    return "\n".join(
        f'<div class="tile {_tone(value, kind)}"><b>{value}</b><span>{label}</span></div>'
        for label, value, kind in tiles
    )


def _tone(value: str, kind: str) -> str:
    if kind != "zero":
        return ""
    return "good" if value == "0" else "bad"


def _legend(data: dict[str, Any]) -> str:
    items = [
        f'<span><i class="b{i}"></i>{escape(release["name"])} <code>{escape(release["build_id"])}</code></span>'
        for i, release in enumerate(data["releases"])
    ]
    items.append('<span><i class="area"></i>weight at the edge</span>')
    items.append('<span><i class="dot"></i>share that new visitors saw</span>')
    return "".join(items)


def _phase_list(data: dict[str, Any]) -> str:
    rows = [
        f"<li><b>{escape(phase['name'])}</b> {_seconds(phase['start'], phase['end'] or data['seconds'])}</li>"
        for phase in data["phases"]
    ]
    return f'<ol class="phases">{"".join(rows)}</ol>'


def _releases(data: dict[str, Any]) -> str:
    rows = []
    for i, release in enumerate(data["releases"]):
        steps = "<br>".join(
            f"{step['weight']:g} %: {step['candidate_documents']} of {step['documents']}"
            for step in release["steps"]
            if step["documents"] and release["expected"] != "first"
        )
        seconds = release["seconds_from_alarm_to_weight_zero"]
        back = f"{seconds:.1f} s<br><small>{escape(release['alarm'] or '')}</small>" if seconds is not None else "–"
        weights = " → ".join(f"{w:g} %" for w in _distinct(m["weight"] for m in release["weights"] if m["everywhere"]))
        rows.append(
            f'<tr><th scope="row"><i class="b{i}"></i>{escape(release["name"])}<br>'
            f"<code>{escape(release['build_id'])}</code></th>"
            f'<td><span class="outcome {release["outcome"]}">{_OUTCOMES[release["outcome"]]}</span></td>'
            f"<td>{weights or '–'}</td><td>{steps or '–'}</td><td>{back}</td>"
            f"<td>{_seconds(release['started'], release['ended'])}</td></tr>"
        )
    return (
        "<table><thead><tr><th>Build</th><th>Outcome</th><th>Weights at the edge</th><th>New visitors who saw it</th>"
        f"<th>Alarm to weight 0</th><th>From – to</th></tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _distinct(values: Any) -> list[float]:
    out: list[float] = []
    for value in values:
        if not out or out[-1] != value:
            out.append(value)
    return out


def _invariants(data: dict[str, Any]) -> str:
    rows = []
    for invariant in sorted(data["invariants"], key=lambda invariant: bool(invariant["held"])):
        word, sign = ("held", "✓") if invariant["held"] else ("broken", "✗")
        tick = f'<span class="tick" aria-label="{word}">{sign}</span>'
        rows.append(f'<li class="{word}">{tick}{escape(invariant["message"])}</li>')
    return "\n".join(rows)


def _incidents(data: dict[str, Any]) -> str:
    if not data["incidents"]:
        return ""
    rows = "".join(f"<li>{item['at']:.1f} s: {escape(item['text'])}</li>" for item in data["incidents"][:50])
    more = len(data["incidents"]) - 50
    rest = f"<li>and {more} more in report.json</li>" if more > 0 else ""
    return f"<section><h2>What went wrong</h2><ul class='incidents'>{rows}{rest}</ul></section>"


def _visitors(data: dict[str, Any]) -> str:
    parts = [f"{count:,} {escape(kind)}" for kind, count in data["visitors"].items() if count]
    return f"Visitors: {', '.join(parts)}." if parts else ""


def _seconds(start: float | None, end: float | None) -> str:
    if start is None:
        return "–"
    return f"{start:.0f} – {end:.0f} s" if end is not None else f"from {start:.0f} s"
