from collections.abc import Callable

import pytest
from invented import BAD, FIRST, LOCATIONS, SECOND, rehearsal, routing

from bluegreen_cdn.local.rehearsal.invariants import judge
from bluegreen_cdn.local.rehearsal.releases import Outcome, observe
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


def test_without_visitors_nothing_was_shown() -> None:
    assert "visitors" in broken(rehearsal(visitors_per_second=0))
