"""A script that pages of others embed: it follows the rollout, and its files never break."""

import contextlib
from typing import Any

from bluegreen_cdn.errors import RehearsalError
from bluegreen_cdn.local.rehearsal import statistics
from bluegreen_cdn.local.rehearsal.browsers import find_chromium
from bluegreen_cdn.local.rehearsal.embedders import (
    WIDGET,
    EmbeddersByHttp,
    HostPage,
    open_in_chromium,
    use_in_chromium,
)
from bluegreen_cdn.local.rehearsal.example_builds import example_sources
from bluegreen_cdn.local.rehearsal.kept_pages import chromium
from bluegreen_cdn.local.rehearsal.releases import Outcome
from bluegreen_cdn.local.rehearsal.scenarios.scenario import OwnSite, Scenario
from bluegreen_cdn.local.rehearsal.scene import Scene

NAME = "embedded-widget"
APP = "widget"
EMBEDDERS = 60
CANARY_SHARE = 0.2


async def play(scene: Scene) -> None:
    """Embed the script before, during and after a release; use old ones late."""
    (build,) = scene.builds
    if scene.stable is None:
        raise RehearsalError("there is no earlier build")
    old = scene.stable
    async with contextlib.AsyncExitStack() as stack:
        people = EmbeddersByHttp(scene.site.address, (old, build), EMBEDDERS)
        stack.push_async_callback(people.close)
        browser = await stack.enter_async_context(chromium(find_chromium()))
        host = HostPage(example_sources(APP) / "host" / "index.html")
        stack.callback(host.close)
        tab = await _opened(scene, browser, host)
        scene.phase("pages of others embed the script")
        await people.load()

        scene.phase(f"{build.name} is let in")
        running = scene.begin_release(build, Outcome.PROMOTED)
        await running.has_visitors()
        await people.load()
        first = [one.builds[-1] for one in people.all if one.builds]
        await people.load()
        again = [one.builds[-1] for one in people.all if one.builds]
        seen = first.count(build.build_id)
        scene.check(
            "share_of_embedders",
            statistics.is_plausible(seen, len(first), CANARY_SHARE),
            f"{seen} of {len(first)} embedding pages got the candidate's script at {CANARY_SHARE:.0%}",
        )
        scene.check(
            "sticky_without_cookies",
            first == again,
            "loaded again at the same weight, everybody's script was of the same build, without cookies",
        )
        scene.phase("pages that were opened during the canary wait")
        await running.ends()

        scene.phase("they use the script that they have")
        files = await people.use()
        await people.load()
        files += await people.use()
        await _check_people(scene, people, old.build_id, build.build_id, files)
        await _check_tab(scene, browser, tab, host)


async def _opened(scene: Scene, browser: Any, host: HostPage) -> Any:
    """Open a real page of another origin, to be used after the release."""
    if browser is None:
        scene.record.notes.append("Chromium is not installed, so pages of others were only imitated.")
        return None
    tab, label = await open_in_chromium(browser, host.address(scene.site.address))
    scene.check(
        "embedded_in_chromium", label == "first", f"a page of another origin shows the widget of build {label!r}"
    )
    return tab


async def _check_people(scene: Scene, people: EmbeddersByHttp, old: str, new: str, files: int) -> None:
    problems = [problem for one in people.all for problem in one.problems]
    scene.check(
        "no_embedded_file_breaks",
        not problems and files > 0,
        f"{files} files of embedded scripts came with their build's bytes and CORS" if not problems else problems[0],
    )
    back = [one for one in people.all if new in one.builds and old in one.builds[one.builds.index(new) :]]
    scene.check("nobody_moved_back", not back, f"{len(back)} embedding pages were moved back while the weight rose")
    last = {one.builds[-1] for one in people.all}
    scene.check("all_follow", last == {new}, f"then all {len(people.all)} embedding pages get the new script")


async def _check_tab(scene: Scene, browser: Any, tab: Any, host: HostPage) -> None:
    if tab is None:
        return
    late = await use_in_chromium(tab)
    scene.check("old_page_works_in_chromium", "9 to 17" in late, "the page from before works with its own files")
    fresh, label = await open_in_chromium(browser, host.address(scene.site.address))
    shown = await use_in_chromium(fresh)
    scene.check(
        "new_page_works_in_chromium",
        label == "second" and "9 to 18" in shown,
        f"a page that is opened after it shows the widget of build {label!r}, and that works",
    )


SCENARIO = Scenario(
    name=NAME,
    happens="a script of the site is embedded in pages of others (real Chromium where it is installed) while a new "
    "one is released",
    checked=f"`{WIDGET}` follows the rollout, the same for the same address and browser; its files come with their own "
    "build's bytes and CORS however late",
    builds=lambda workshop: [workshop.example(APP, "second", "candidate")],
    site=OwnSite(
        name=APP,
        first=lambda workshop: workshop.example(APP, "first", "first build"),
        context={"entries": WIDGET, "mode": "html"},
    ),
    play=play,
    visited=False,
)
