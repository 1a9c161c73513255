import pytest
from invented import BAD, FIRST, SECOND, build

from bluegreen_cdn.local.rehearsal.ledger import Ledger
from bluegreen_cdn.local.rehearsal.observations import BuildFiles, Page, Verdict

HASHED = "assets/vendor-Aa11Bb22.js"
UNHASHED = "locales/en.json"


@pytest.fixture
def ledger() -> Ledger:
    return Ledger([build(FIRST), build(SECOND), build(BAD)])


def open_page(ledger: Ledger, build_id: str, *, visitor: str = "v", at: float = 1.0, **more: object) -> Page:
    return ledger.document(visitor=visitor, at=at, url="/", status=200, digest=f"doc-{build_id}", **more)  # type: ignore[arg-type]


def ask(
    ledger: Ledger, page: Page, path: str, digest: str | None, *, status: int = 200, at: float = 2.0, **more: object
) -> Verdict:
    return ledger.asset(page, at=at, path=path, status=status, digest=digest, **more)  # type: ignore[arg-type]


def test_the_bytes_say_whose_page_it_is(ledger: Ledger) -> None:
    page = open_page(ledger, SECOND, claimed_build=SECOND)
    assert (page.build_id, page.problems, ledger.page_loads) == (SECOND, [], 1)


def test_a_document_of_another_build_than_it_claims_is_mixed(ledger: Ledger) -> None:
    page = open_page(ledger, SECOND, claimed_build=FIRST)
    assert ledger.mixed_pages == [page]
    assert ledger.broken_pages == [page]


def test_equal_documents_belong_to_the_build_that_the_answer_names() -> None:
    twins = [BuildFiles(build_id=name, digests={"index.html": "same"}) for name in ("one", "two")]
    page = Ledger(twins).document(visitor="v", at=0, url="/", status=200, digest="same", claimed_build="two")
    assert page.build_id == "two"


@pytest.mark.parametrize(("status", "digest"), [(503, None), (0, None), (200, "an error page")])
def test_a_document_that_did_not_come_is_a_broken_page(ledger: Ledger, status: int, digest: str | None) -> None:
    ledger.document(visitor="v", at=0, url="/", status=status, digest=digest)
    assert len(ledger.broken_pages) == 1
    assert not ledger.mixed_pages


def test_the_right_bytes_are_good(ledger: Ledger) -> None:
    page = open_page(ledger, FIRST)
    assert ask(ledger, page, UNHASHED, f"locale-{FIRST}") is Verdict.GOOD
    assert (ledger.asset_requests, ledger.asset_failures, page.problems) == (1, 0, [])


@pytest.mark.parametrize(("status", "digest"), [(404, None), (403, "x"), (0, None), (200, "of nobody")])
def test_a_hashed_file_asked_for_in_vain_breaks_the_page(ledger: Ledger, status: int, digest: str | None) -> None:
    page = open_page(ledger, FIRST)
    assert ask(ledger, page, HASHED, digest, status=status) is Verdict.FAILED
    assert ledger.asset_failures == 1
    assert ledger.broken_pages == [page]


def test_another_builds_bytes_mix_the_page(ledger: Ledger) -> None:
    page = open_page(ledger, FIRST)
    assert ask(ledger, page, UNHASHED, f"locale-{SECOND}") is Verdict.MIXED
    assert ledger.mixed_pages == [page]
    assert ledger.asset_failures == 1


def test_an_unhashed_file_of_the_last_document_is_counted_apart(ledger: Ledger) -> None:
    old = open_page(ledger, FIRST)
    open_page(ledger, SECOND)
    assert ask(ledger, old, UNHASHED, f"locale-{SECOND}") is Verdict.SHARED_COOKIE
    assert (ledger.shared_cookie_mixes, ledger.asset_failures, ledger.mixed_pages) == (1, 0, [])


def test_another_visitors_tab_is_no_excuse(ledger: Ledger) -> None:
    old = open_page(ledger, FIRST, visitor="one")
    open_page(ledger, SECOND, visitor="two")
    assert ask(ledger, old, UNHASHED, f"locale-{SECOND}") is Verdict.MIXED


def test_the_cookie_that_was_sent_decides_about_the_excuse(ledger: Ledger) -> None:
    old = open_page(ledger, FIRST)
    open_page(ledger, SECOND)
    assert ask(ledger, old, UNHASHED, f"locale-{SECOND}", cookie_build=FIRST) is Verdict.MIXED


def test_a_hashed_file_has_no_excuse(ledger: Ledger) -> None:
    old = open_page(ledger, FIRST)
    open_page(ledger, SECOND)
    assert ask(ledger, old, f"assets/index-{FIRST[:8]}.js", None, status=404) is Verdict.FAILED


def test_a_build_folder_names_its_build_and_has_no_excuse(ledger: Ledger) -> None:
    old = open_page(ledger, FIRST)
    open_page(ledger, SECOND)
    path = f"builds/{FIRST}/{UNHASHED}"
    assert ask(ledger, old, path, f"locale-{FIRST}") is Verdict.GOOD
    assert ask(ledger, old, path, f"locale-{SECOND}") is Verdict.MIXED


def test_a_file_that_the_pages_build_lacks_is_not_held_against_anybody(ledger: Ledger) -> None:
    page = open_page(ledger, FIRST)
    assert ask(ledger, page, f"assets/index-{SECOND[:8]}.js", None, status=404) is Verdict.NOT_IN_BUILD
    assert (ledger.asset_requests, ledger.not_in_build, ledger.broken_pages) == (0, 1, [])


def test_the_platforms_own_files_are_judged_by_status(ledger: Ledger) -> None:
    page = open_page(ledger, FIRST)
    assert ask(ledger, page, "_bluegreen/client.js", "anything") is Verdict.GOOD
    assert ask(ledger, page, "_bluegreen/client.js", None, status=503) is Verdict.FAILED


def test_only_first_visits_count_for_the_share(ledger: Ledger) -> None:
    open_page(ledger, FIRST, at=1, first_visit=True)
    open_page(ledger, SECOND, at=2, first_visit=True)
    open_page(ledger, SECOND, at=3)
    open_page(ledger, SECOND, at=9, first_visit=True)
    assert ledger.share(SECOND, 0, 5) == (1, 2)


def test_who_was_moved_back(ledger: Ledger) -> None:
    for visitor, builds in {"stays": (FIRST, SECOND, SECOND), "back": (SECOND, FIRST)}.items():
        for at, name in enumerate(builds):
            open_page(ledger, name, visitor=visitor, at=at)
    assert ledger.moved_back(SECOND, 0, 9) == ["back"]


def test_lazy_requests_across_a_moment(ledger: Ledger) -> None:
    page = open_page(ledger, FIRST, at=1)
    for at in (2.0, 6.0):
        ask(ledger, page, HASHED, "vendor", at=at, lazy=True)
    ask(ledger, page, HASHED, None, status=404, at=7, lazy=True)
    assert ledger.lazy_across(5) == (1, 2)


def test_only_new_visitors_may_be_turned_away_and_only_where_that_is_announced() -> None:
    ledger = Ledger([build(FIRST)])

    def ask(*, status: int = 503, first_visit: bool = True) -> bool:
        page = ledger.document(visitor="v", at=1, url="/", status=status, digest=None, first_visit=first_visit)
        return bool(page.problems)

    assert ask()
    ledger.may_turn_away = True
    assert not ask()
    assert ask(first_visit=False)
    assert ask(status=502)
    assert (ledger.turned_away, len(ledger.broken_pages)) == (1, 3)
