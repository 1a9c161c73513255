from collections.abc import Callable

import pytest
from invented import BAD, FIRST, LOCATIONS, SECOND, rehearsal, routing

from bluegreen_cdn.local.rehearsal.invariants import judge
from bluegreen_cdn.local.rehearsal.releases import Outcome, Release, observe
from bluegreen_cdn.local.rehearsal.report import Record


def broken(record: Record) -> set[str]:
    found = judge(record.ledger, record.releases, end=record.seconds, propagation_seconds=1)
    assert all(invariant.message and not invariant.message.endswith(".") for invariant in found)
    return {invariant.name.partition(":")[0] for invariant in found if not invariant.held}


def test_a_good_rehearsal_breaks_nothing() -> None:
    assert broken(rehearsal()) == set()


def _late_bad_document(record: Record) -> None:
    record.ledger.document(visitor="late", at=115, url="/", status=200, digest=f"doc-{BAD}")


def _failed_chunk(record: Record) -> None:
    page = record.ledger.document(visitor="x", at=50, url="/", status=200, digest=f"doc-{FIRST}")
    record.ledger.asset(page, at=110, path="assets/vendor-Aa11Bb22.js", status=404, digest=None, lazy=True)


def _mixed_file(record: Record) -> None:
    page = record.ledger.document(visitor="x", at=50, url="/", status=200, digest=f"doc-{FIRST}")
    record.ledger.asset(page, at=51, path="locales/en.json", status=200, digest=f"locale-{SECOND}")


def _moved_back(record: Record) -> None:
    for at, name in ((50.0, SECOND), (65.0, FIRST)):
        record.ledger.document(visitor="x", at=at, url="/", status=200, digest=f"doc-{name}")


def _no_alarm(record: Record) -> None:
    record.releases[2].alarm_at = None


def _no_codedeploy(record: Record) -> None:
    record.releases[2].rollback_at = None


def _promoted_bad(record: Record) -> None:
    record.releases[2].outcome = Outcome.PROMOTED


def _step_missing(record: Record) -> None:
    record.releases[1].steps = (1000, 5000, 10000)


def _edge_stayed(record: Record) -> None:
    observe(record.releases[2], 110, routing(SECOND, BAD, 1000))


def _one_location_stayed(record: Record) -> None:
    record.releases[2].weights.pop()
    stuck = routing(SECOND) | {LOCATIONS[0]: routing(SECOND, BAD, 1000)[LOCATIONS[0]]}
    observe(record.releases[2], 102.2, stuck)


@pytest.mark.parametrize(
    ("fault", "names"),
    [
        (_late_bad_document, {"gone_after_rollback"}),
        (_failed_chunk, {"no_broken_page", "no_asset_failure", "open_tabs"}),
        (_mixed_file, {"no_broken_page", "no_asset_failure", "no_mixed_page"}),
        (_moved_back, {"nobody_moved_back"}),
        (_no_alarm, {"rolled_back_by_alarm"}),
        (_no_codedeploy, {"rolled_back_by_alarm"}),
        (_promoted_bad, {"outcome"}),
        (_step_missing, {"weights"}),
        (_edge_stayed, {"rolled_back_by_alarm", "gone_after_rollback", "open_tabs"}),
        (_one_location_stayed, {"rolled_back_by_alarm", "gone_after_rollback", "open_tabs"}),
    ],
)
def test_every_fault_is_named(fault: Callable[[Record], None], names: set[str]) -> None:
    record = rehearsal()
    fault(record)
    assert broken(record) == names


@pytest.mark.parametrize("error", [0.3, 0.15])
def test_a_share_that_does_not_follow_the_weight_is_seen(error: float) -> None:
    assert "share" in broken(rehearsal(share_error=error))


def test_a_build_that_goes_too_late_after_its_alarm_is_seen() -> None:
    record = rehearsal()
    record.releases[2].weights.clear()
    for at, state in ((86, routing(SECOND, BAD, 1000)), (103.1, routing(SECOND))):
        observe(record.releases[2], at, state)
    record.releases[2].alarm_at = 92.0
    assert "rolled_back_by_alarm" in broken(record)
    record.releases[2].alarm_at = 92.2
    assert "rolled_back_by_alarm" not in broken(record)


def test_what_is_taken_back_by_hand_needs_no_alarm() -> None:
    record = rehearsal()
    bad = record.releases[2]
    bad.alarm_at, bad.by_hand_at = None, 101.3
    assert broken(record) == {"rolled_back_by_alarm"}
    bad.by_alarm = False
    assert broken(record) == set()


def test_another_end_may_be_right_too_and_has_its_own_demands() -> None:
    record = rehearsal()
    record.releases[2].expected = Outcome.PROMOTED
    assert "outcome" in broken(record)
    record.releases[2].also = (Outcome.ROLLED_BACK,)
    assert broken(record) == set()
    _late_bad_document(record)
    assert broken(record) == {"gone_after_rollback"}


def refused(record: Record) -> Record:
    """The bad build was refused before anybody was let in."""
    record.ledger.pages[:] = [page for page in record.ledger.pages if page.build_id != BAD]
    release = record.releases[2]
    release.expected = release.outcome = Outcome.REFUSED
    release.weights.clear()
    release.alarm_at = None
    return record


def test_a_build_that_is_refused_is_seen_by_nobody() -> None:
    assert broken(refused(rehearsal())) == set()
    record = refused(rehearsal())
    _late_bad_document(record)
    assert broken(record) == {"never_seen"}
    record = refused(rehearsal())
    observe(record.releases[2], 90, routing(SECOND, BAD, 1000))
    assert broken(record) == {"never_seen"}


def test_pages_of_a_build_that_is_released_again_do_not_count_against_its_first_release() -> None:
    record = rehearsal()
    _late_bad_document(record)
    again = Release(
        name="bad build", build_id=BAD, expected=Outcome.ROLLED_BACK, started=114, outcome=Outcome.ROLLED_BACK
    )
    record.releases.append(again)
    assert "gone_after_rollback:" + BAD not in {
        invariant.name
        for invariant in judge(record.ledger, [*record.releases[:3], again], end=record.seconds, propagation_seconds=1)
        if not invariant.held and "came after" in invariant.message
    }


def test_without_visitors_nothing_of_visitors_is_asked() -> None:
    record = rehearsal(visitors_per_second=0)
    found = judge(record.ledger, record.releases[:2], end=record.seconds, propagation_seconds=1, visited=False)
    assert [invariant.name for invariant in found if not invariant.held] == []
    assert not {"visitors", "share"} & {invariant.name.partition(":")[0] for invariant in found}


def test_without_visitors_nothing_was_shown() -> None:
    assert "visitors" in broken(rehearsal(visitors_per_second=0))
