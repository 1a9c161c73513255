"""Pages that a service worker keeps, across a release and its rollback."""

import asyncio
import contextlib
from collections.abc import Sequence

from bluegreen_cdn.errors import RehearsalError
from bluegreen_cdn.local.rehearsal.audience import EXAMPLE_ROUTES
from bluegreen_cdn.local.rehearsal.browsers import find_chromium
from bluegreen_cdn.local.rehearsal.builds import PreparedBuild
from bluegreen_cdn.local.rehearsal.kept_pages import (
    REGISTRATION,
    WORKER,
    KeptPage,
    PageByHttp,
    PageInChromium,
    chromium,
    worker_script,
)
from bluegreen_cdn.local.rehearsal.releases import Outcome
from bluegreen_cdn.local.rehearsal.scenarios.scenario import OwnSite, Scenario
from bluegreen_cdn.local.rehearsal.scene import Scene
from bluegreen_cdn.local.rehearsal.workshop import Workshop

NAME = "service-worker"
OLD, NEW = "old build", "candidate"
BY_HTTP = 6
IN_CHROMIUM = 2
"""Each visitor stays with the hold-out by a chance of 5 %: of two both do once in four hundred times."""
FULL_WEIGHT = 10_000
LOOK_SECONDS = 60.0


def with_worker(workshop: Workshop, name: str) -> PreparedBuild:
    """A build whose pages install a service worker."""
    return workshop.altered(NAME, name, head=REGISTRATION, files={WORKER: worker_script(_label(name))})


async def play(scene: Scene) -> None:
    """Keep pages, move them to the candidate, take it back, and see them come home."""
    (build,) = scene.builds
    if scene.stable is None:
        raise RehearsalError("there is no earlier build")
    async with contextlib.AsyncExitStack() as stack:
        browser = await stack.enter_async_context(chromium(find_chromium()))
        pages = await _opened(scene, browser, {_document(scene.stable): _label(OLD), _document(build): _label(NEW)})
        for page in pages:
            stack.push_async_callback(page.close)
        await _check_shown(scene, "kept_to_begin_with", pages, OLD, "to begin with every kept page is of the old build")

        scene.phase(f"{build.name} is let in")
        running = scene.begin_release(build, Outcome.ROLLED_BACK, by_alarm=False, all_steps=True)
        await running.has_visitors(FULL_WEIGHT)
        kinds = {page.kind for page in pages}
        moved = await _moved(scene, pages, kinds)
        scene.check(
            "worker_follows_the_rollout",
            {page.kind for page in moved} == kinds,
            f"at full weight {len(moved)} of {len(pages)} browsers got the candidate's worker and page "
            f"({' and '.join(sorted(kinds))})",
        )

        scene.phase("operator rolls back")
        running.release.by_hand_at = scene.now()
        (await scene.command("rollback", "--site", scene.site.name, "--yes")).checked()
        await running.ends()
        await _check_outlives(scene, moved)
        await _check_files(scene, moved, build)

        scene.phase("browsers look for a new worker")
        await _come_back(scene, pages)
        await _check_shown(scene, "come_back", pages, OLD, "looking for a worker again brought all of them back")


async def _opened(scene: Scene, browser: object | None, labels: dict[str, str]) -> list[KeptPage]:
    address, ledger = scene.site.address, scene.record.ledger
    pages: list[KeptPage] = [
        await PageByHttp.open(number, address, ledger, scene.now, labels) for number in range(BY_HTTP)
    ]
    if browser is None:
        scene.record.notes.append("Chromium is not installed, so service workers were only imitated.")
        return pages
    return pages + [await PageInChromium.open(browser, address) for _ in range(IN_CHROMIUM)]


async def _moved(scene: Scene, pages: Sequence[KeptPage], kinds: set[str]) -> list[KeptPage]:
    """Look for new workers until pages of each kind show the candidate; the hold-out's never do."""
    deadline = scene.now() + LOOK_SECONDS
    while True:
        await asyncio.gather(*(page.update() for page in pages))
        moved = [page for page in pages if await page.shown() == _label(NEW)]
        if {page.kind for page in moved} == kinds or scene.now() > deadline:
            return moved
        await scene.pause(1.0)


async def _come_back(scene: Scene, pages: Sequence[KeptPage]) -> None:
    """Look for new workers until all pages show the old build: a browser changes workers when it has leisure."""
    began = scene.now()
    while True:
        await asyncio.gather(*(page.update() for page in pages))
        shown = {await page.shown() for page in pages}
        if shown == {_label(OLD)} or scene.now() > began + LOOK_SECONDS:
            break
        await scene.pause(1.0)
    scene.figure("seconds until every kept page was back", scene.now() - began)


async def _check_shown(scene: Scene, name: str, pages: Sequence[KeptPage], build: str, words: str) -> None:
    shown = [await page.shown() for page in pages]
    others = sorted({label for label in shown if label != _label(build)})
    scene.check(
        name, bool(pages) and not others, words if not others else f"of {len(shown)} kept pages some were of {others}"
    )


async def _check_outlives(scene: Scene, pages: Sequence[KeptPage]) -> None:
    """Real browsers look for a worker by themselves now and then, so some may be back already."""
    shown = [await page.shown() for page in pages]
    kept = shown.count(_label(NEW))
    scene.check(
        "outlives_the_rollback",
        kept > 0 and set(shown) <= {_label(NEW), _label(OLD)},
        f"as stated, pages that a worker keeps outlive the rollback: {kept} of {len(shown)} still show the candidate",
    )


async def _check_files(scene: Scene, pages: Sequence[KeptPage], build: PreparedBuild) -> None:
    """Hashed files of the candidate must stay, for the pages that are kept."""
    wanted = [path for path in sorted(build.files.hashed) if path.endswith((".js", ".css"))]
    answers = [(path, *await page.fetch(path)) for page in pages for path in wanted]
    wrong = [path for path, status, digest in answers if (status, digest) != (200, build.files.digests[path])]
    scene.check(
        "files_stay",
        bool(answers) and not wrong,
        f"{len(answers) - len(wrong)} of {len(answers)} hashed files that kept pages of the candidate asked for after "
        "the rollback were theirs",
    )


def _label(name: str) -> str:
    return f"{NAME}, {name}"


def _document(build: PreparedBuild) -> str:
    return build.files.digests["index.html"]


SCENARIO = Scenario(
    name=NAME,
    happens="pages that a service worker keeps (real Chromium where it is installed) get the candidate's worker; "
    "then the candidate is taken back",
    checked="`sw.js` follows the rollout, a kept page outlives the rollback as stated and its files stay, and "
    "looking for a worker again brings it back",
    builds=lambda workshop: [with_worker(workshop, NEW)],
    site=OwnSite(
        name="worker",
        first=lambda workshop: with_worker(workshop, OLD),
        context={"entries": WORKER},
        routes=EXAMPLE_ROUTES,
    ),
    context={"rollout": "canary:20%:2m:bake=20m:holdout=5%"},
    play=play,
)
