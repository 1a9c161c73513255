"""The report's timeline as SVG: weight against observed share, page loads by build, errors, alarm and rollback."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

WIDTH = 1080
LEFT, RIGHT = 52, 18
MARKS_TOP, SHARE_TOP, SHARE_HEIGHT = 8, 64, 230
LOADS_TOP, LOADS_HEIGHT = SHARE_TOP + SHARE_HEIGHT + 34, 84
PHASES_TOP = LOADS_TOP + LOADS_HEIGHT + 30
HEIGHT = PHASES_TOP + 54
SHARE_BUCKET = 4
"""Seconds of new visitors behind one dot; fewer would be noise."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Maps seconds to pixels."""

    end: float

    def x(self, at: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * min(at, self.end) / self.end, 1)


def chart(data: dict[str, Any]) -> str:
    """Draw the timeline of a report."""
    scale = Scale(end=max(data["seconds"], 1.0))
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="chart-title" class="chart">',
        '<title id="chart-title">Traffic weight at the edge against the share that visitors saw</title>',
        *_phases(data, scale),
        *_axes(scale),
    ]
    for index, release in enumerate(data["releases"]):
        if index:
            parts += _weight(release, index, scale)
    for index, release in enumerate(data["releases"]):
        if index:
            parts += _observed(data, release, index, scale)
    parts += _loads(data, scale)
    parts += _marks(data, scale)
    parts.append("</svg>")
    return "\n".join(parts)


def _axes(scale: Scale) -> Iterator[str]:
    right = WIDTH - RIGHT
    for percent in (0, 25, 50, 75, 100):
        y = _share_y(percent)
        yield f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{right}" y2="{y}"/>'
        yield f'<text class="tick" x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{percent} %</text>'
    yield f'<text class="lane" x="{LEFT}" y="{SHARE_TOP - 8}">share of new visitors let into the release</text>'
    step = next(s for s in (5, 10, 15, 20, 30, 60, 120, 300, 600, 3600) if scale.end / s <= 14)
    for second in range(0, int(scale.end) + 1, step):
        x, y = scale.x(second), LOADS_TOP + LOADS_HEIGHT
        yield f'<line class="grid" x1="{x}" y1="{y}" x2="{x}" y2="{y + 4}"/>'
        yield f'<text class="tick" x="{x}" y="{y + 17}" text-anchor="middle">{second} s</text>'


def _weight(release: dict[str, Any], index: int, scale: Scale) -> Iterator[str]:
    """The weight as a filled step line: what the edge was told."""
    marks = release["weights"]
    if not marks:
        return
    end = release["ended"] if release["ended"] is not None else scale.end
    points = [(scale.x(marks[0]["at"]), _share_y(0))]
    for i, mark in enumerate(marks):
        until = marks[i + 1]["at"] if i + 1 < len(marks) else max(end, mark["at"])
        y = _share_y(mark["share"])
        points += [(scale.x(mark["at"]), y), (scale.x(until), y)]
    points.append((points[-1][0], _share_y(0)))
    path = " ".join(f"{x},{y}" for x, y in points)
    title = escape(f"weight of the {release['name']} {release['build_id']}")
    yield f'<polygon class="weight b{index}" points="{path}"><title>{title}</title></polygon>'


def _observed(data: dict[str, Any], release: dict[str, Any], index: int, scale: Scale) -> Iterator[str]:
    """One dot per few seconds of equal weight: what visitors without a cookie got, its size by their number."""
    marks = release["weights"]
    end = release["ended"] if release["ended"] is not None else scale.end
    for mark, until in zip(marks, [*(later["at"] for later in marks[1:]), end], strict=False):
        rows = [row for row in data["timeline"] if mark["at"] <= row["at"] and row["at"] + 1 <= until]
        dots = max(1, round(len(rows) / SHARE_BUCKET))
        for i in range(dots):
            group = rows[len(rows) * i // dots : len(rows) * (i + 1) // dots]
            total = sum(sum(row["first_visits"].values()) for row in group)
            seen = sum(row["first_visits"].get(release["build_id"], 0) for row in group)
            if not group or not total:
                continue
            share, middle = 100 * seen / total, (group[0]["at"] + group[-1]["at"] + 1) / 2
            radius = round(min(6.5, 2.5 + total**0.5 / 3), 1)
            title = f"{seen} of {total} new visitors saw the {escape(release['name'])} ({share:.0f} %)"
            yield (
                f'<circle class="seen b{index}" cx="{scale.x(middle)}" cy="{_share_y(share)}" r="{radius}">'
                f"<title>{title}</title></circle>"
            )


def _loads(data: dict[str, Any], scale: Scale) -> Iterator[str]:
    """Page loads per second, stacked by build; script errors hang from the same line, downwards from the top."""
    order = [release["build_id"] for release in data["releases"]]
    top = max([sum(row["documents"].values()) for row in data["timeline"]] + [1])
    words = "page loads per second by build, script errors as red dots"
    yield f'<text class="lane" x="{LEFT}" y="{LOADS_TOP - 8}">{words}</text>'
    yield f'<text class="tick" x="{LEFT - 8}" y="{LOADS_TOP + 8}" text-anchor="end">{top}</text>'
    base = LOADS_TOP + LOADS_HEIGHT
    yield f'<line class="grid" x1="{LEFT}" y1="{base}" x2="{WIDTH - RIGHT}" y2="{base}"/>'
    for row in data["timeline"]:
        x, y = scale.x(row["at"]), float(base)
        width = max(1.0, round(scale.x(row["at"] + 1) - x - 0.8, 1))
        for index, build in enumerate(order):
            height = LOADS_HEIGHT * row["documents"].get(build, 0) / top
            if height:
                y -= height
                yield f'<rect class="bar b{index}" x="{x}" y="{y:.1f}" width="{width}" height="{height:.1f}"/>'
        if row["script_errors"]:
            radius = round(min(5.0, 2 + row["script_errors"] ** 0.5 / 2), 1)
            yield (
                f'<circle class="error" cx="{x + width / 2:.1f}" cy="{y - 5:.1f}" r="{radius}">'
                f"<title>{row['script_errors']} script errors</title></circle>"
            )


def _marks(data: dict[str, Any], scale: Scale) -> Iterator[str]:
    marks: list[tuple[float, str, str]] = []
    for release in data["releases"]:
        if release["alarm_at"] is not None:
            marks.append((release["alarm_at"], "alarm", "alarm"))
        if release["weight_zero_at"] is not None:
            marks.append((release["weight_zero_at"], "weight 0 at every edge", "zero"))
        if release["rollback_at"] is not None:
            marks.append((release["rollback_at"], "CodeDeploy rolls back", "rollback"))
    for i, (at, text, kind) in enumerate(sorted(marks)):
        x, y = scale.x(at), MARKS_TOP + 10 + 15 * (i % 3)
        flipped = x > WIDTH * 0.8
        yield f'<line class="mark {kind}" x1="{x}" y1="{y - 8}" x2="{x}" y2="{LOADS_TOP + LOADS_HEIGHT}"/>'
        yield (
            f'<text class="mark {kind}" x="{x - 5 if flipped else x + 5}" y="{y}" '
            f'text-anchor="{"end" if flipped else "start"}">{text} · {at:.1f} s</text>'
        )


def _phases(data: dict[str, Any], scale: Scale) -> Iterator[str]:
    for i, phase in enumerate(data["phases"]):
        x = scale.x(phase["start"])
        end = scale.x(phase["end"] if phase["end"] is not None else scale.end)
        width = max(0.0, round(end - x - 1.5, 1))
        yield f'<rect class="phase" x="{x}" y="{PHASES_TOP}" width="{width}" height="22" rx="4"/>'
        if i % 2:
            height = LOADS_TOP + LOADS_HEIGHT - SHARE_TOP
            yield f'<rect class="stripe" x="{x}" y="{SHARE_TOP}" width="{width}" height="{height}"/>'
        if len(phase["name"]) * 6.2 < width:
            yield f'<text class="phase" x="{x + 7}" y="{PHASES_TOP + 15}">{escape(phase["name"])}</text>'
        elif width > 16:
            middle = f'x="{x + width / 2:.1f}" y="{PHASES_TOP + 15}" text-anchor="middle"'
            yield f'<text class="phase" {middle}>{i + 1}</text>'


def _share_y(percent: float) -> float:
    return round(SHARE_TOP + SHARE_HEIGHT * (1 - percent / 100), 1)
