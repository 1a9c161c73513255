"""The curves of docs/verdict.md, as SVG with a background of their own: they are looked at on light and dark pages."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import log10

COLOURS = ("#8a5a00", "#0b6e4f", "#1f5fbf", "#b3261e")
INK, FAINT, GRID = "#1c1c1c", "#5c5c5c", "#d9d9d9"
FONT = 'font-family="system-ui, sans-serif"'
PANEL_WIDTH, PANEL_HEIGHT, GAP, LEFT, TOP = 270, 210, 26, 56, 62
SMALLEST = 0.0001
"""Of false rollbacks that are drawn: one in 10,000 releases."""


def caught_chart(curves: Mapping[tuple[int, float], Sequence[float]]) -> str:
    """Share of releases caught, minute by minute: a panel for each volume, a line for each size of the damage."""
    volumes = sorted({views for views, _ in curves})
    sizes = sorted({added for _, added in curves})
    width = LEFT + len(volumes) * (PANEL_WIDTH + GAP)
    parts = list(_head(width, TOP + PANEL_HEIGHT + 46, "Share of bad releases that the verdict has caught, by minute"))
    for index, added in enumerate(sizes):
        x = LEFT + index * 120
        parts.append(f'<line x1="{x}" y1="34" x2="{x + 22}" y2="34" stroke="{COLOURS[index]}" stroke-width="2.5"/>')
        parts.append(_text(x + 28, 38, f"+{100 * added:g} points", 12, INK))
    for number, views in enumerate(volumes):
        left = LEFT + number * (PANEL_WIDTH + GAP)
        minutes = len(next(iter(curves.values()))) - 1
        parts.append(_text(left, TOP - 6, f"{views:,} page views a minute", 12, INK, weight="600"))
        for percent in (0, 25, 50, 75, 100):
            y = _y(percent / 100)
            parts.append(_line(left, y, left + PANEL_WIDTH, y, GRID))
            if not number:
                parts.append(_text(left - 8, y + 4, f"{percent} %", 11, FAINT, anchor="end"))
        for minute in range(0, minutes + 1, 2):
            x = left + PANEL_WIDTH * minute / minutes
            parts.append(_text(x, TOP + PANEL_HEIGHT + 16, str(minute), 11, FAINT, anchor="middle"))
        for index, added in enumerate(sizes):
            points = _steps([(left + PANEL_WIDTH * m / minutes, _y(s)) for m, s in enumerate(curves[views, added])])
            parts.append(_curve(points, COLOURS[index], f"+{100 * added:g} points at {views:,} page views a minute"))
    middle = LEFT + (width - LEFT - GAP) / 2
    parts.append(
        _text(middle, TOP + PANEL_HEIGHT + 36, "minutes since the first visitor was let in", 12, FAINT, "middle")
    )
    return "\n".join([*parts, "</svg>", ""])


def false_chart(thresholds: Sequence[float], curves: Mapping[str, Sequence[float]]) -> str:
    """False rollbacks by threshold, on a logarithmic scale."""
    plot, width = 560, LEFT + 560 + 24
    low, high = thresholds[0], thresholds[-1]

    def x(threshold: float) -> float:
        return LEFT + plot * (threshold - low) / (high - low)

    def y(share: float) -> float:
        return (
            TOP + 24 + (PANEL_HEIGHT - 24) * (log10(0.1) - log10(max(share, SMALLEST))) / (log10(0.1) - log10(SMALLEST))
        )

    parts = list(_head(width, TOP + PANEL_HEIGHT + 46, "Releases of a build that is no worse, taken back all the same"))
    for index, kind in enumerate(curves):
        left = LEFT + (0, 110, 240)[index]
        parts.append(
            f'<line x1="{left}" y1="34" x2="{left + 22}" y2="34" stroke="{COLOURS[index]}" stroke-width="2.5"/>'
        )
        parts.append(_text(left + 28, 38, kind, 12, INK))
    for share, label in ((0.1, "10 %"), (0.01, "1 %"), (0.001, "0.1 %"), (SMALLEST, "0.01 %")):
        parts.append(_line(LEFT, y(share), LEFT + plot, y(share), "#b3261e" if share == 0.01 else GRID))
        parts.append(_text(LEFT - 8, y(share) + 4, label, 11, FAINT, anchor="end"))
    for step in range(round(2 * low), round(2 * high) + 1):
        parts.append(_text(x(step / 2), TOP + PANEL_HEIGHT + 16, f"{step / 2:g}", 11, FAINT, anchor="middle"))
    parts.append(_line(x(4), TOP + 24, x(4), TOP + PANEL_HEIGHT, FAINT, dashed=True))
    parts.append(_text(x(4) + 6, TOP + 38, "default", 11, FAINT))
    for index, (kind, shares) in enumerate(curves.items()):
        # A line ends where no release was taken back: nothing is zero on this scale.
        points = [(x(z), y(share)) for z, share in zip(thresholds, shares, strict=True) if share > 0]
        parts.append(_curve(points, COLOURS[index], kind))
    parts.append(
        _text(LEFT + plot / 2, TOP + PANEL_HEIGHT + 36, "z_threshold, in standard errors", 12, FAINT, "middle")
    )
    return "\n".join([*parts, "</svg>", ""])


def _head(width: float, height: float, title: str) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" aria-labelledby="title" {FONT}>'
    )
    yield f'<title id="title">{escape(title)}</title>'
    yield f'<rect width="{width:g}" height="{height:g}" rx="6" fill="#ffffff"/>'
    yield _text(LEFT, 20, title, 13, INK, weight="600")


def _y(share: float) -> float:
    return round(TOP + PANEL_HEIGHT * (1 - share), 1)


def _steps(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Nothing happens between two minutes: the alarm looks once in each."""
    made = [points[0]]
    for x, y in points[1:]:
        made += [(x, made[-1][1]), (x, y)]
    return made


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="4 4"' if dashed else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{dash}/>'


def _curve(points: Sequence[tuple[float, float]], colour: str, title: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    stroke = f'fill="none" stroke="{colour}" stroke-width="2.5" stroke-linejoin="round"'
    return f'<polyline points="{path}" {stroke}><title>{escape(title)}</title></polyline>'


def _text(x: float, y: float, text: str, size: int, colour: str, anchor: str = "start", *, weight: str = "400") -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" fill="{colour}" text-anchor="{anchor}"'
    return f"<text {where}>{escape(text)}</text>"
