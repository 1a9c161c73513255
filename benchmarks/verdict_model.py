"""A release as the verdict meets it: visitors come and go by chance, and what they report is judged by the minute.

What judges is `bluegreen_cdn.domain.verdict`, the definition that the alarm is made from. What is made up is traffic:
visitors arrive at random, load a page a minute and leave after each with the same probability. What goes wrong on
stable may go wrong *by page* (every page load by itself) or *by visitor*: few visitors, with an old browser or an
extension, have all the errors, each on half of their pages. Page loads are then not independent, as in real life. What
a bad candidate adds goes wrong by page.

A visitor is in the candidate while its slot is below the weight, so a step of the rollout moves visitors, not pages.
Visitors are never followed one by one: those of the same kind are a number, and what becomes of them is drawn at once.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from chance import Chance

from bluegreen_cdn.domain.expressions import Expression, Role
from bluegreen_cdn.domain.rollout import Rollout
from bluegreen_cdn.domain.verdict import PAGE_LOADS, SCRIPT_ERRORS, SLOW_LOADS, Verdict

BAD_PAGES_OF_AFFECTED_VISITORS = 0.5

Minute = tuple[int, int, int, int, int]
"""What happened in one: candidate's reported loads and bad ones, stable's, and the candidate's page views in all."""


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What comes in.

    Attributes:
        page_views: Of the whole site a minute.
        error_share: Of stable's page loads.
        added: What the candidate adds to that share.
        pages: That a visitor loads, on average; how many is geometric.
        by_visitor: Whether stable's errors are a few visitors'.
        once: Whether a visitor reports nothing more after a page that went wrong, as the client script does.
    """

    page_views: int
    error_share: float = 0.01
    added: float = 0.0
    pages: float = 4
    by_visitor: bool = True
    once: bool = True

    def kinds(self) -> Iterator[tuple[float, float]]:
        """Kinds of visitors: arrivals a minute, and the probability that a page of theirs goes wrong on stable."""
        arrivals = self.page_views / self.pages
        if not self.by_visitor:
            yield arrivals, self.error_share
            return
        affected = self.error_share / BAD_PAGES_OF_AFFECTED_VISITORS
        yield arrivals * (1 - affected), 0.0
        yield arrivals * affected, BAD_PAGES_OF_AFFECTED_VISITORS


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one release went.

    Attributes:
        caught: Minutes from the first exposed visitor to the alarm; None when it never came.
        exposed: Page views of the candidate until then, or until the end, reported or not.
        worst: The highest score of any minute that was judged.
    """

    caught: int | None
    exposed: int
    worst: float


@dataclass
class _Crowd:
    """Visitors of one kind who see the candidate from the same step on.

    Attributes:
        arrivals: A minute.
        bad: Probability that a page goes wrong on stable.
        first: The minute from which they are in the candidate; None for the hold-out.
        here: How many will load a page this minute besides the new ones, and report it.
        silent: How many will load one that they do not report.
    """

    arrivals: float
    bad: float
    first: int | None
    here: int = 0
    silent: int = 0

    def settle(self, chance: Chance, stays: float, *, once: bool) -> None:
        """Begin in the middle of a day: who is there when visitors have come and gone like this for long."""
        going_on = stays * (1 - self.bad) if once else stays
        reporting = self.arrivals / (1 - going_on)
        self.here = chance.poisson(reporting * going_on)
        self.silent = chance.poisson(self.arrivals / (1 - stays) - reporting)


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """Releases of one kind over traffic of one kind, judged by errors, or by slow pages that come as errors do."""

    traffic: Traffic
    rollout: Rollout = field(default_factory=Rollout.canary)
    verdict: Verdict = field(default_factory=Verdict)
    slowness: bool = False

    @cached_property
    def minutes(self) -> int:
        """From the first exposed visitor to the end of the bake."""
        return max(1, self.rollout.steps()[-1][0] + self.rollout.bake_minutes)

    def releases(self, count: int, *, seed: str, stop: bool = True) -> Iterator[Outcome]:
        """Simulate releases.

        Args:
            count: How many.
            seed: The same seed gives the same releases.
            stop: Whether the alarm ends a release.
        """
        chance = Chance(seed)
        for _ in range(count):
            yield self._judge(self._minutes(chance), stop)

    def _judge(self, minutes: Iterator[Minute], stop: bool) -> Outcome:
        width = self.verdict.period_seconds // 60
        window: deque[Minute] = deque([(0, 0, 0, 0, 0)] * width)
        seen = [0, 0, 0, 0]
        caught, exposed, worst = None, 0, 0.0
        for at, minute in enumerate(minutes, start=2 - width):
            oldest = window.popleft()
            window.append(minute)
            seen = [total + minute[i] - oldest[i] for i, total in enumerate(seen)]
            if at < 1:
                continue
            exposed += minute[4]
            worst = max(worst, self._definition.evaluate(dict(zip(self._inputs, seen, strict=True))))
            if caught is None and worst > self.threshold:
                caught = at
                if stop:
                    break
        return Outcome(caught=caught, exposed=exposed, worst=worst)

    @cached_property
    def _definition(self) -> Expression:
        return self.verdict.slowdown_definition() if self.slowness else self.verdict.definition()

    @cached_property
    def _inputs(self) -> list[tuple[Role, str]]:
        metrics = (PAGE_LOADS, SLOW_LOADS if self.slowness else SCRIPT_ERRORS)
        return [(role, metric) for role in (Role.CANDIDATE, Role.STABLE) for metric in metrics]

    @property
    def threshold(self) -> float:
        """Above it the alarm is on."""
        return self.verdict.slowdown_z_threshold if self.slowness else self.verdict.z_threshold

    def _minutes(self, chance: Chance) -> Iterator[Minute]:
        """From as long before the first exposed visitor as a window reaches."""
        traffic, stays = self.traffic, 1 - 1 / self.traffic.pages
        crowds = [replace(crowd) for crowd in self._crowds]
        for crowd in crowds:
            crowd.settle(chance, stays, once=traffic.once)
        for minute in range(1 - self.verdict.period_seconds // 60, self.minutes):
            loads, wrong, exposed = [0, 0], [0, 0], 0
            for crowd in crowds:
                is_in = crowd.first is not None and crowd.first <= minute
                bad = crowd.bad + (1 - crowd.bad) * traffic.added if is_in else crowd.bad
                reporting = crowd.here + chance.poisson(crowd.arrivals)
                failed = chance.binomial(reporting, bad)
                loads[is_in] += reporting
                wrong[is_in] += failed
                exposed += (reporting + crowd.silent) * is_in
                hushed = failed if traffic.once else 0
                crowd.silent = chance.binomial(crowd.silent + hushed, stays)
                crowd.here = chance.binomial(reporting - hushed, stays)
            yield loads[1], wrong[1], loads[0], wrong[0], exposed

    @cached_property
    def _crowds(self) -> list[_Crowd]:
        """Everybody, by kind and by the step that lets them in; empty of visitors."""
        most, before = 1 - self.rollout.holdout_percent / 100, 0.0
        shares: list[tuple[int | None, float]] = []
        for start, weight in self.rollout.steps():
            share = min(weight / 10_000, most)
            shares.append((start, share - before))
            before = share
        shares.append((None, 1 - before))
        return [
            _Crowd(arrivals=arrivals * share, bad=bad, first=first)
            for first, share in shares
            if share > 0
            for arrivals, bad in self.traffic.kinds()
        ]
