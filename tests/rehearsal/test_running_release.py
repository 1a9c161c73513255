"""What a deployment came to, by the exit code of `cdk deploy` and by what the edge shows."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from invented import BAD, SECOND, build

from bluegreen_cdn.errors import RehearsalError
from bluegreen_cdn.local.rehearsal import running_release
from bluegreen_cdn.local.rehearsal.builds import PreparedBuild
from bluegreen_cdn.local.rehearsal.cdk_cli import CdkResult
from bluegreen_cdn.local.rehearsal.releases import Outcome, Release, WeightMark
from bluegreen_cdn.local.rehearsal.running_release import RunningRelease

BUILD = PreparedBuild(name="candidate", folder=Path("dist"), files=build(BAD))


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running_release, "SETTLE_SECONDS", 0.05)


class Edge:
    """A watch that has seen one state of the edge."""

    def __init__(self, *, stable: str, weight: int) -> None:
        self.stable, self.weight = stable, weight

    def everywhere(self, build_id: str) -> bool:
        return self.stable == build_id and not self.weight

    def without(self, build_id: str) -> bool:
        return self.stable != build_id and not self.weight

    def weight_everywhere(self, build_id: str) -> int | None:
        return self.weight

    def last(self, kind: str, **details: object) -> None:
        return None

    async def until(self, condition: Any, seconds: float) -> bool:
        await asyncio.sleep(0.01)
        return bool(condition())


def ended(
    code: int, edge: Edge, *, let_in: bool, expected: Outcome, also: tuple[Outcome, ...] = ()
) -> tuple[Release, str]:
    """Run a release to its end; give it, and what was raised."""
    release = Release(name="candidate", build_id=BAD, expected=expected, also=also)
    if let_in:
        release.weights.append(WeightMark(at=1, weight=1000, least=1000, share=1000))

    async def deploy(_: PreparedBuild) -> CdkResult:
        return CdkResult(code=code, output="❌  shop failed" if code else "")

    async def run() -> str:
        running = RunningRelease(release, BUILD, SimpleNamespace(deploy=deploy), edge, lambda: 7.0)  # type: ignore[arg-type]
        try:
            await running.ends()
        except RehearsalError as error:
            return str(error)
        return ""

    said = asyncio.run(run())
    assert release.ended == 7.0
    return release, said


@pytest.mark.parametrize(
    ("code", "edge", "let_in", "outcome"),
    [
        (0, Edge(stable=BAD, weight=0), True, Outcome.PROMOTED),
        (0, Edge(stable=SECOND, weight=10_000), True, Outcome.UNFINISHED),
        (1, Edge(stable=SECOND, weight=0), True, Outcome.ROLLED_BACK),
        (1, Edge(stable=SECOND, weight=0), False, Outcome.REFUSED),
        (1, Edge(stable=SECOND, weight=1000), True, Outcome.UNFINISHED),
    ],
)
def test_the_outcome_is_what_both_say(code: int, edge: Edge, let_in: bool, outcome: Outcome) -> None:
    release, said = ended(code, edge, let_in=let_in, expected=outcome)
    assert (release.outcome, said) == (outcome, "")
    other = Outcome.REFUSED if outcome is Outcome.PROMOTED else Outcome.PROMOTED
    release, said = ended(code, edge, let_in=let_in, expected=other)
    assert release.outcome is outcome
    assert said.startswith("the candidate ")
    release, said = ended(code, edge, let_in=let_in, expected=other, also=(outcome,))
    assert said == ""


def test_waiting_for_visitors_ends_with_the_deployment() -> None:
    async def refused(_: PreparedBuild) -> CdkResult:
        return CdkResult(code=1, output="❌  shop failed: hook reported Failed")

    async def run() -> None:
        release = Release(name="candidate", build_id=BAD, expected=Outcome.PROMOTED)
        edge = Edge(stable=SECOND, weight=0)
        running = RunningRelease(release, BUILD, SimpleNamespace(deploy=refused), edge, lambda: 7.0)  # type: ignore[arg-type]
        with pytest.raises(RehearsalError, match=r"never had visitors; its deployment has ended: .*hook reported"):
            await running.has_visitors()
        edge.weight = 1000
        await running.has_visitors(weight=1000)
        await running.abandon()

    asyncio.run(run())
