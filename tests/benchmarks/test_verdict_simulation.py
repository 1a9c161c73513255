"""The simulation behind docs/verdict.md: its chance is chance, and the document says what it says."""

import math
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def simulate() -> Iterator[Any]:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import simulate_verdict

    yield simulate_verdict
    sys.path.remove(str(ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def document() -> list[str]:
    return (ROOT / "docs" / "verdict.md").read_text().splitlines()


@pytest.mark.parametrize(("count", "share"), [(7, 0.3), (60, 0.1), (400, 0.25), (5000, 0.02), (300, 0.9)])
def test_binomial_draws_have_the_mean_and_the_spread_that_they_should(simulate: Any, count: int, share: float) -> None:
    from chance import Chance

    chance, number = Chance(f"{count} {share}"), 8000
    draws = [chance.binomial(count, share) for _ in range(number)]
    spread = math.sqrt(count * share * (1 - share))
    assert all(0 <= draw <= count for draw in draws)
    assert abs(statistics.mean(draws) - count * share) < 4 * spread / math.sqrt(number)
    assert statistics.stdev(draws) == pytest.approx(spread, rel=0.05)


@pytest.mark.parametrize("mean", [0.2, 6, 15, 900])
def test_poisson_draws_have_the_mean_and_the_spread_that_they_should(simulate: Any, mean: float) -> None:
    from chance import Chance

    chance, number = Chance(f"{mean}"), 8000
    draws = [chance.poisson(mean) for _ in range(number)]
    assert abs(statistics.mean(draws) - mean) < 4 * math.sqrt(mean / number)
    assert statistics.variance(draws) == pytest.approx(mean, rel=0.1)


def test_nothing_is_drawn_from_nobody(simulate: Any) -> None:
    from chance import Chance

    chance = Chance("nobody")
    assert (chance.poisson(0), chance.binomial(0, 0.5), chance.binomial(9, 0), chance.binomial(9, 1)) == (0, 0, 0, 9)


def test_traffic_is_what_was_ordered_and_steady_from_the_first_minute(simulate: Any) -> None:
    """Page views of both builds, reported or not, and the candidate's share of them at each step."""
    from chance import Chance
    from verdict_model import Simulation, Traffic

    simulation = Simulation(traffic=Traffic(page_views=1000, error_share=0.05, once=False))
    chance = Chance("steady")
    releases = [list(simulation._minutes(chance)) for _ in range(40)]
    before = simulation.verdict.period_seconds // 60 - 1
    for minute, share in ((0, 0), (before - 1, 0), (before, 0.1), (before + 4, 0.1), (before + 5, 0.95), (-1, 0.95)):
        candidate = statistics.mean(release[minute][0] for release in releases)
        stable = statistics.mean(release[minute][2] for release in releases)
        assert candidate + stable == pytest.approx(1000, rel=0.04)
        assert candidate / (candidate + stable) == pytest.approx(share, abs=0.01)
    bad = sum(minute[1] + minute[3] for release in releases for minute in release)
    assert bad / sum(minute[0] + minute[2] for release in releases for minute in release) == pytest.approx(
        0.05, rel=0.1
    )


def test_a_visitor_who_fails_is_reported_once_and_seen_to_the_end(simulate: Any) -> None:
    from chance import Chance
    from verdict_model import Simulation, Traffic

    def sums(**more: Any) -> tuple[int, int, int]:
        simulation = Simulation(traffic=Traffic(page_views=2000, error_share=0.0, added=0.5, **more))
        minutes = [minute for _ in range(10) for minute in simulation._minutes(Chance("once"))]
        return tuple(sum(minute[i] for minute in minutes) for i in (0, 1, 4))  # type: ignore[return-value]

    loads, bad, exposed = sums(once=True)
    assert bad / loads == pytest.approx(0.5, abs=0.02), "of what is reported, the share is what it is"
    assert exposed > 1.5 * loads
    every, _, same = sums(once=False)
    assert every == same == pytest.approx(exposed, rel=0.05)


def test_good_releases_are_left_alone(simulate: Any) -> None:
    """A thousand; the document has ten thousand of each kind. Three would be the expectation at 0.3 %."""
    for cell in (("by visitor", "canary:10%:5m", 100, 0.01), ("by page", "canary:10%:5m", 100, 0.01)):
        assert simulate.same(cell, releases=1000).false() <= 0.01


@pytest.mark.parametrize("share", [0.01, 0.05])
def test_good_releases_are_not_taken_for_slow(simulate: Any, share: float) -> None:
    """Slow pages are a few visitors' too, who report each of them: ratio and threshold make up for it."""
    from verdict_model import Simulation, Traffic

    traffic = Traffic(page_views=100, error_share=share, once=False)
    releases = Simulation(traffic=traffic, slowness=True).releases(1000, seed=f"slow {share}")
    assert sum(release.caught is not None for release in releases) <= 10


def test_the_document_has_the_figures_of_the_simulation(simulate: Any, document: list[str]) -> None:
    """The whole of one line of each table of bad builds, made anew; the others come from the same function."""
    for cell, quiet in (((100, 0.5), False), ((10_000, 0.05), False), ((10, 0.5), True)):
        assert simulate.worse_row(simulate.worse(cell, quiet=quiet)) in document


def test_the_document_keeps_what_is_asked_of_the_verdict(document: list[str]) -> None:
    """At most one good release in a hundred is taken back, with traffic as visitors make it or as the test supposes."""
    rows = [line for line in document if line.startswith(("| by page,", "| by visitor,"))]
    kept = [row for row in rows if "every page counted" not in row]
    assert len(kept) == 4
    for row in kept:
        assert all(float(cell) <= 1 for cell in row.strip("| ").split(" | ")[1:])


def test_curves_are_drawn_for_every_kind(simulate: Any) -> None:
    from xml.etree import ElementTree

    for name, lines in (("verdict-caught.svg", 12), ("verdict-false.svg", 3)):
        drawing = ElementTree.parse(ROOT / "docs" / name)
        assert len(drawing.findall(".//{http://www.w3.org/2000/svg}polyline")) == lines
