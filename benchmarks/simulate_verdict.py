"""How often the verdict is wrong, and how long it takes to be right: writes the figures and curves of docs/verdict.md.

Run `make simulate-verdict`, some minutes on two cores. Every cell has a seed of its own, so each figure can be had
again by itself; tests/benchmarks does that with a few. `--check` writes nothing and fails if anything would change.
"""

import argparse
import math
import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from verdict_charts import caught_chart, false_chart
from verdict_model import Outcome, Simulation, Traffic

from bluegreen_cdn.domain.rollout import Rollout
from bluegreen_cdn.domain.verdict import Verdict

T = TypeVar("T")
DOCS = Path(__file__).parents[1] / "docs"
SAME_RELEASES, WORSE_RELEASES = 10_000, 1_000
ERROR_SHARES = (0.001, 0.01, 0.05)
PAGE_VIEWS = (10, 100, 10_000)
ADDED = (0.005, 0.01, 0.05, 0.5)
THRESHOLDS = tuple(step / 20 for step in range(60, 121))
KINDS = {
    "by page": {"by_visitor": False, "pages": 1.0},
    "by visitor": {},
    "by visitor, every page counted": {"once": False},
}
"""Of traffic: what every test supposes, what the client script reports of real visitors, and what it spares."""
ROLLOUTS = {
    "canary:10%:5m": Rollout.canary(),
    "linear:10%:1m": Rollout.linear(),
    "all-at-once": Rollout.all_at_once(),
}
QUIET = Simulation(
    traffic=Traffic(page_views=10), rollout=Rollout.canary(bake_minutes=25), verdict=Verdict(period_seconds=1800)
)


@dataclass(frozen=True, kw_only=True)
class Same:
    """Releases of a build that is no worse: by how much each looked worse at the worst minute."""

    kind: str
    rollout: str
    page_views: int
    error_share: float
    worst: tuple[float, ...]

    def false(self, threshold: float = Verdict().z_threshold) -> float:
        """Share of the releases that were taken back."""
        return sum(score > threshold for score in self.worst) / len(self.worst)


@dataclass(frozen=True, kw_only=True)
class Worse:
    """Releases of a build that is worse: what became of each."""

    page_views: int
    added: float
    outcomes: tuple[Outcome, ...]

    def caught_by(self, minute: int) -> float:
        """Share of the releases caught until then."""
        return sum(o.caught is not None and o.caught <= minute for o in self.outcomes) / len(self.outcomes)

    def minute_of(self, share: float) -> int | None:
        """The minute by which this share of all releases was caught."""
        caught = sorted(o.caught for o in self.outcomes if o.caught is not None)
        wanted = math.ceil(share * len(self.outcomes))
        return caught[wanted - 1] if len(caught) >= wanted else None


def same(cell: tuple[str, str, int, float], releases: int = SAME_RELEASES) -> Same:
    """Simulate one cell of releases that are no worse."""
    kind, rollout, page_views, error_share = cell
    simulation = Simulation(
        traffic=Traffic(page_views=page_views, error_share=error_share, **KINDS[kind]), rollout=ROLLOUTS[rollout]
    )
    outcomes = simulation.releases(releases, seed=f"same {cell}", stop=False)
    return Same(
        kind=kind,
        rollout=rollout,
        page_views=page_views,
        error_share=error_share,
        worst=tuple(outcome.worst for outcome in outcomes),
    )


def worse(cell: tuple[int, float], *, quiet: bool = False, releases: int = WORSE_RELEASES) -> Worse:
    """Simulate one cell of releases that are worse."""
    page_views, added = cell
    plain = QUIET if quiet else Simulation(traffic=Traffic(page_views=page_views))
    simulation = Simulation(
        traffic=Traffic(page_views=page_views, added=added), rollout=plain.rollout, verdict=plain.verdict
    )
    outcomes = tuple(simulation.releases(releases, seed=f"worse {cell}"))
    return Worse(page_views=page_views, added=added, outcomes=outcomes)


# -- tables -----------------------------------------------------------------------------------------------------------


def false_row(name: str, cells: Sequence[Same]) -> str:
    """Percent of false rollbacks by page views, each the worst of the error shares."""
    shares = [max(cell.false() for cell in cells if cell.page_views == views) for views in PAGE_VIEWS]
    return f"| {name} | " + " | ".join(f"{100 * share:.2f}" for share in shares) + " |"


def worse_row(cell: Worse) -> str:
    """Share caught, times and exposed page views."""
    minutes = [cell.minute_of(share) for share in (0.5, 0.9)]
    exposed = sum(outcome.exposed for outcome in cell.outcomes) / len(cell.outcomes)
    times = " | ".join("–" if minute is None else str(minute) for minute in minutes)
    share = 100 * cell.caught_by(10_000)
    return f"| {cell.page_views:,} | +{100 * cell.added:g} | {share:.0f} % | {times} | {exposed:,.0f} |"


def tables(sames: Sequence[Same], worses: Sequence[Worse], quiet: Sequence[Worse]) -> dict[str, str]:
    """The blocks of the document, by name."""
    header = "| " + " | ".join(f"{views:,}" for views in PAGE_VIEWS) + " |\n|" + "---|" + "---:|" * len(PAGE_VIEWS)
    false = [f"| traffic, rollout {header}"]
    for kind in KINDS:
        for rollout in ROLLOUTS:
            cells = [cell for cell in sames if (cell.kind, cell.rollout) == (kind, rollout)]
            if cells:
                false.append(false_row(f"{kind}, `{rollout}`", cells))
    head = (
        "| page views a minute | points of errors | caught | half by minute | 90 % by minute | exposed page views |\n"
        "|---:|---:|---:|---:|---:|---:|"
    )
    return {
        "false": "\n".join(false),
        "caught": "\n".join([head, *(worse_row(cell) for cell in worses)]),
        "quiet": "\n".join([head, *(worse_row(cell) for cell in quiet)]),
    }


def filled(document: str, blocks: dict[str, str]) -> str:
    """The document with its blocks replaced."""
    for name, block in blocks.items():
        before, mark, rest = document.partition(f"<!-- simulated: {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not (mark and end):
            raise SystemExit(f"docs/verdict.md has no block {name}")
        document = f"{before}{mark}\n{block}\n\n{end}{after}"
    return document


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a figure would change")
    options = parser.parse_args(arguments)
    cells = [
        (kind, rollout, views, share)
        for kind in KINDS
        for rollout in (ROLLOUTS if kind == "by visitor" else ("canary:10%:5m",))
        for views in PAGE_VIEWS
        for share in (ERROR_SHARES if rollout == "canary:10%:5m" else (0.01,))
    ]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        sames = shown(pool.map(same, cells), len(cells), "no worse")
        wanted = [(views, added) for views in PAGE_VIEWS for added in ADDED]
        worses = shown(pool.map(worse, wanted), len(wanted), "worse")
        quiet = list(pool.map(partial(worse, quiet=True), [(10, added) for added in ADDED]))
    ends = Simulation(traffic=Traffic(page_views=1)).minutes
    made = {
        "verdict.md": filled((DOCS / "verdict.md").read_text(), tables(sames, worses, quiet)),
        "verdict-caught.svg": caught_chart(
            {(c.page_views, c.added): [c.caught_by(minute) for minute in range(ends + 1)] for c in worses}
        ),
        "verdict-false.svg": false_chart(THRESHOLDS, {kind: curve(sames, kind) for kind in KINDS}),
    }
    changed = [name for name, text in made.items() if not (DOCS / name).exists() or (DOCS / name).read_text() != text]
    if not options.check:
        for name in changed:
            (DOCS / name).write_text(made[name])
    print("changed: " + (", ".join(changed) or "nothing"))
    return 1 if options.check and changed else 0


def curve(sames: Iterable[Same], kind: str) -> list[float]:
    """False rollbacks by threshold with the default rollout, the worst cell of each."""
    cells = [cell for cell in sames if (cell.kind, cell.rollout) == (kind, "canary:10%:5m")]
    return [max(cell.false(threshold) for cell in cells) for threshold in THRESHOLDS]


def shown(results: Iterable[T], count: int, what: str) -> list[T]:
    """The results, with a word on the way."""
    found = []
    for result in results:
        found.append(result)
        print(f"{what}: {len(found)} of {count}", file=sys.stderr, end="\r")
    print(file=sys.stderr)
    return found


if __name__ == "__main__":
    sys.exit(main())
