"""What must hold after a rehearsal, each with a sentence that a newcomer understands. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from bluegreen_cdn.local.rehearsal import statistics
from bluegreen_cdn.local.rehearsal.ledger import Ledger
from bluegreen_cdn.local.rehearsal.releases import Outcome, Release

SETTLE_SECONDS = 0.5
"""A request decided just before a change may be answered just after it: this long around a change proves nothing."""
ALARM_TO_ZERO_SECONDS = 10.0
"""Real ones, whatever the time scale: how soon after its alarm a build has no visitors, besides propagation."""

_OUTCOME_WORDS = {
    Outcome.FIRST: "had all visitors to begin with",
    Outcome.PROMOTED: "was let in step by step and took all visitors",
    Outcome.ROLLED_BACK: "was taken back",
    Outcome.REFUSED: "was refused before anybody was let in",
    Outcome.UNFINISHED: "did not finish",
}


@dataclass(frozen=True, kw_only=True)
class Invariant:
    """One statement about the rehearsal.

    Attributes:
        name: Stable name for scripts.
        held: Whether it was true.
        message: What was expected and what was seen.
    """

    name: str
    held: bool
    message: str


def judge(
    ledger: Ledger, releases: Sequence[Release], *, end: float, propagation_seconds: float, visited: bool = True
) -> list[Invariant]:
    """Check every invariant.

    Args:
        ledger: What the visitors saw.
        releases: The releases in order.
        end: When the rehearsal ended, in seconds since it began.
        propagation_seconds: How long a change of routing may take to reach an edge location.
        visited: Whether there were to be visitors. Default: yes.
    """
    found = [_outcome(release) for release in releases]
    if visited:
        found.append(_visitors(ledger, releases))
    found += [_broken(ledger), _assets(ledger), _mixed(ledger)]
    for release in releases:
        again = [other.started for other in releases if other.build_id == release.build_id]
        until = min((at for at in again if at > release.started), default=end)
        found += _of_release(ledger, release, until, propagation_seconds, visited)
    return found


def _of_release(
    ledger: Ledger, release: Release, end: float, propagation_seconds: float, visited: bool
) -> list[Invariant]:
    """Check one release, until the same build is released again or the rehearsal ends."""
    kind = release.judged_as
    if kind is Outcome.FIRST:
        return []
    if kind is Outcome.REFUSED:
        return [_never_seen(ledger, release, end)]
    found = [_steps(release)]
    if visited:
        found += [_share(ledger, release, end), _moved_back(ledger, release, end), _open_tabs(ledger, release)]
    if kind is Outcome.ROLLED_BACK:
        found += [_alarm(release, propagation_seconds)] if release.by_alarm else []
        found.append(_gone(ledger, release, end, propagation_seconds))
    return found


def _outcome(release: Release) -> Invariant:
    name, held = f"outcome:{release.build_id}", release.ended_as_expected
    words = f"the {release.name} ({release.build_id}) {_OUTCOME_WORDS[release.outcome]}"
    if not held:
        expected = " or ".join(_OUTCOME_WORDS[outcome] for outcome in (release.expected, *release.also))
        words += f"; expected: {expected}" + (f" ({release.error})" if release.error else "")
    return Invariant(name=name, held=held, message=words)


def _visitors(ledger: Ledger, releases: Sequence[Release]) -> Invariant:
    seen = [release for release in releases if release.judged_as is not Outcome.REFUSED]
    unseen = [release.name for release in seen if ledger.last_document(release.build_id) is None]
    if not releases or not ledger.pages:
        return Invariant(name="visitors", held=False, message="no visitor loaded a page, so nothing was shown")
    if unseen:
        return Invariant(name="visitors", held=False, message=f"no visitor saw a page of the {', the '.join(unseen)}")
    return Invariant(name="visitors", held=True, message=f"{ledger.page_loads} pages were loaded, some of every build")


def _never_seen(ledger: Ledger, release: Release, end: float) -> Invariant:
    name = f"never_seen:{release.build_id}"
    pages = [page for page in ledger.pages if page.build_id == release.build_id and release.started <= page.at <= end]
    words = f"no edge location let anybody into the {release.name}, and no page of it was served"
    if pages or release.first_weight_at is not None:
        words = f"the {release.name} was let in: {len(pages)} of its pages were served"
    return Invariant(name=name, held=not pages and release.first_weight_at is None, message=words)


def _broken(ledger: Ledger) -> Invariant:
    broken = ledger.broken_pages
    first = f", first: {broken[0].problems[0]}" if broken else ""
    words = f"{len(broken)} of {ledger.page_loads} pages did not get everything they asked for{first}"
    return Invariant(name="no_broken_page", held=not broken, message=words)


def _assets(ledger: Ledger) -> Invariant:
    words = f"{ledger.asset_failures} of {ledger.asset_requests} files asked for by pages failed"
    return Invariant(name="no_asset_failure", held=not ledger.asset_failures, message=words)


def _mixed(ledger: Ledger) -> Invariant:
    mixed = ledger.mixed_pages
    words = f"{len(mixed)} pages got bytes of a build that is not theirs"
    if ledger.shared_cookie_mixes:
        words += (
            f" (apart from {ledger.shared_cookie_mixes} un-hashed files that followed the last document of a visitor "
            "with several tabs, as stated)"
        )
    return Invariant(name="no_mixed_page", held=not mixed, message=words)


def _steps(release: Release) -> Invariant:
    seen = sorted({mark.weight for mark in release.weights if mark.everywhere})
    missing = [step for step in release.steps if step not in seen]
    words = f"the edge followed the {release.name}'s weights: {_percents(seen) or 'none seen'}"
    if missing:
        words = (
            f"the edge never showed the {release.name}'s step {_percents(missing)}; seen: {_percents(seen) or 'none'}"
        )
    return Invariant(name=f"weights:{release.build_id}", held=not missing, message=words)


def _share(ledger: Ledger, release: Release, end: float) -> Invariant:
    wrong, visits, candidates = [], 0, 0
    for window in release.windows(release.ended or end):
        seen, total = ledger.share(release.build_id, window.start + SETTLE_SECONDS, window.end)
        visits, candidates = visits + total, candidates + seen
        if not statistics.is_plausible(seen, total, window.share / 10_000):
            low, high = statistics.plausible_range(total, window.share / 10_000)
            wrong.append(
                f"at {_percents([window.weight])} {seen} of {total} new visitors, where {low} to {high} are plausible"
            )
    words = f"the share of new visitors ({candidates} of {visits}) followed the {release.name}'s weight at every step"
    if wrong:
        words = f"the {release.name}'s share did not follow its weight: " + "; ".join(wrong)
    elif not visits:
        words = f"no new visitor came while the {release.name} was let in"
    return Invariant(name=f"share:{release.build_id}", held=not wrong and visits > 0, message=words)


def _moved_back(ledger: Ledger, release: Release, end: float) -> Invariant:
    first = release.first_weight_at
    taken_back = [at for at in (release.alarm_at, release.by_hand_at) if at is not None]
    until = min(taken_back, default=release.ended or end)
    back = ledger.moved_back(release.build_id, first, until) if first is not None else []
    words = f"nobody who had seen the {release.name} was moved back while its weight rose"
    if back:
        words = f"{len(back)} visitors who had seen the {release.name} got an older build while its weight rose"
    return Invariant(name=f"nobody_moved_back:{release.build_id}", held=not back, message=words)


def _open_tabs(ledger: Ledger, release: Release) -> Invariant:
    rolled_back = release.judged_as is Outcome.ROLLED_BACK
    moment = release.zero_at if rolled_back else release.first_weight_at
    event = f"the rollback of the {release.name}" if rolled_back else f"the shift to the {release.name}"
    good, total = ledger.lazy_across(moment) if moment is not None else (0, 0)
    words = (
        f"{good} of {total} files that tabs opened before {event} asked for afterwards were those of their own build"
    )
    return Invariant(name=f"open_tabs:{release.build_id}", held=total > 0 and good == total, message=words)


def _alarm(release: Release, propagation_seconds: float) -> Invariant:
    name = f"rolled_back_by_alarm:{release.build_id}"
    if release.alarm_at is None:
        return Invariant(name=name, held=False, message=f"no alarm of the template went off for the {release.name}")
    seconds = release.seconds_from_alarm_to_weight_zero
    if seconds is None:
        words = f"the alarm {release.alarm_name} went off, and the {release.name} kept its visitors"
        return Invariant(name=name, held=False, message=words)
    if seconds > ALARM_TO_ZERO_SECONDS + propagation_seconds:
        words = (
            f"the {release.name} had visitors at some edge location until {seconds:.1f} s after the alarm "
            f"{release.alarm_name}, which is more than {ALARM_TO_ZERO_SECONDS:g} s besides propagation"
        )
        return Invariant(name=name, held=False, message=words)
    if release.rollback_at is None:
        words = f"the alarm {release.alarm_name} went off, and CodeDeploy did not roll back"
        return Invariant(name=name, held=False, message=words)
    words = (
        f"the alarm {release.alarm_name} took the {release.name} back: weight 0 at every edge location "
        f"{seconds:.1f} s later, and CodeDeploy rolled back"
    )
    return Invariant(name=name, held=True, message=words)


def _gone(ledger: Ledger, release: Release, end: float, propagation_seconds: float) -> Invariant:
    name = f"gone_after_rollback:{release.build_id}"
    if release.zero_at is None:
        return Invariant(name=name, held=False, message=f"the {release.name} was never at weight 0 everywhere again")
    limit = release.zero_at + propagation_seconds + SETTLE_SECONDS
    late = [page for page in ledger.pages if page.build_id == release.build_id and limit < page.at <= end]
    words = f"no document of the {release.name} was served once its weight was 0 at every edge location"
    if late:
        delay = late[-1].at - release.zero_at
        words = f"{len(late)} documents of the {release.name} came after its weight was 0, the last {delay:.1f} s later"
    return Invariant(name=name, held=not late, message=words)


def _percents(weights: Sequence[int]) -> str:
    return ", ".join(f"{weight / 100:g} %" for weight in weights)
