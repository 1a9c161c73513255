"""An invented rehearsal: what a good one leaves behind, made without a cloud, for the report and the invariants."""

import random

from bluegreen_cdn.local.rehearsal.ledger import Ledger
from bluegreen_cdn.local.rehearsal.observations import BuildFiles
from bluegreen_cdn.local.rehearsal.releases import EdgeRouting, Outcome, Release, observe
from bluegreen_cdn.local.rehearsal.report import Phase, Record

FIRST, SECOND, BAD = "3f9a0c1d22b7e845", "a41c77de09135b62", "c0ffee5511aa7e03"
LOCATIONS = ("us-east-1", "eu-west-1", "ap-northeast-1")


def build(build_id: str) -> BuildFiles:
    """A build with one document, a shared chunk, a chunk of its own and an un-hashed file."""
    digests = {
        "index.html": f"doc-{build_id}",
        "assets/vendor-Aa11Bb22.js": "vendor",
        f"assets/index-{build_id[:8]}.js": f"js-{build_id}",
        "locales/en.json": f"locale-{build_id}",
    }
    return BuildFiles(
        build_id=build_id, digests=digests, hashed=frozenset(path for path in digests if path.startswith("assets/"))
    )


def routing(stable: str, candidate: str | None = None, weight: int = 0) -> dict[str, EdgeRouting]:
    """The same routing state at every location."""
    state = EdgeRouting(stable=stable, candidate=candidate, weight=weight, holdout=500)
    return dict.fromkeys(LOCATIONS, state)


def rehearsal(seed: int = 7, *, visitors_per_second: int = 14, share_error: float = 0.0) -> Record:
    """A whole invented rehearsal.

    Args:
        seed: For the visitors.
        visitors_per_second: How many new ones come.
        share_error: Added to the share that visitors see, to make the report lie.
    """
    chance = random.Random(seed)
    ledger = Ledger([build(FIRST), build(SECOND), build(BAD)])
    releases = [
        Release(name="first build", build_id=FIRST, expected=Outcome.FIRST, started=9, ended=34, outcome=Outcome.FIRST),
        Release(
            name="second build",
            build_id=SECOND,
            expected=Outcome.PROMOTED,
            steps=(1000, 10000),
            started=38,
            ended=79,
            outcome=Outcome.PROMOTED,
        ),
        Release(
            name="bad build",
            build_id=BAD,
            expected=Outcome.ROLLED_BACK,
            steps=(1000,),
            started=86,
            ended=118,
            outcome=Outcome.ROLLED_BACK,
            alarm_name="bluegreen-storefront-candidate-worse",
            alarm_at=101.3,
            rollback_at=104.9,
        ),
    ]
    states = [
        (33.0, routing(FIRST)),
        (46.2, routing(FIRST, SECOND, 1000)),
        (59.4, routing(FIRST, SECOND, 10000)),
        (76.0, routing(SECOND)),
        (93.5, routing(SECOND, BAD, 1000)),
        (102.2, routing(SECOND)),
    ]
    for at, state in states:
        for release in releases:
            if release.started <= at and (release.ended is None or at <= release.ended):
                observe(release, at, state)
    record = Record(
        site="storefront",
        started="2026-01-05 10:21:07 UTC",
        ledger=ledger,
        time_scale=24,
        rollout="canary:10%:5m:bake=5m:holdout=5%",
        seed=seed,
        releases=releases,
        phases=[
            Phase(name="prepare", start=0, end=4),
            Phase(name="local cloud and bootstrap", start=4, end=9),
            Phase(name="first build", start=9, end=31),
            Phase(name="visitors arrive", start=31, end=38),
            Phase(name="second build, canary", start=38, end=79),
            Phase(name="between releases", start=79, end=86),
            Phase(name="bad build, canary", start=86, end=118),
            Phase(name="tabs finish", start=118, end=124),
        ],
        visitors={"HTTP visitors": 1180, "script sessions": 214, "Chromium sessions": 4},
        notes=["Made up for the tests."],
        seconds=124,
    )
    number = 0
    for second in range(33, 118):
        state = [s for at, s in states if at <= second][-1]["us-east-1"]
        for _ in range(visitors_per_second):
            at = second + chance.random()
            number += 1
            taken = min(state.weight, 9500) / 10000 + (share_error if state.candidate else 0)
            name = state.candidate if state.candidate and chance.random() < taken else state.stable
            page = ledger.document(
                visitor=f"v{number}",
                at=at,
                url="/",
                status=200,
                digest=f"doc-{name}",
                claimed_build=name,
                first_visit=True,
            )
            _load(ledger, page, at, name, lazy=False)
            if name == BAD and chance.random() < 0.6:
                ledger.script_error(page, at)
            _load(ledger, page, at + chance.uniform(2, 20), name, lazy=True)
    return record


def _load(ledger: Ledger, page, at: float, name: str, *, lazy: bool) -> None:
    for path, digest in build(name).digests.items():
        if path != "index.html":
            ledger.asset(page, at=at, path=path, status=200, digest=digest, lazy=lazy)
