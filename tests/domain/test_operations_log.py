import pytest

from bluegreen_cdn.domain.operations_log import OperationsLog, TakenBack
from bluegreen_cdn.errors import ForeignState, UnsupportedFormat


def note(number: int, build: str = "b") -> TakenBack:
    return TakenBack(build=build, deployment=f"d-{number}", to="a", at=number)


def test_what_is_written_is_read_and_absent_is_empty() -> None:
    log = OperationsLog((note(1), note(2)))
    assert OperationsLog.from_json(log.to_json()) == log
    assert OperationsLog.from_json(None) == OperationsLog()
    assert log.of("d-2") == note(2)
    assert log.without("b") == OperationsLog()


def test_a_release_is_noted_once() -> None:
    assert len(OperationsLog((note(1),)).with_note(note(1)).taken_back) == 1


def test_the_oldest_notes_give_way_when_the_value_is_full() -> None:
    log = OperationsLog(tuple(note(number, "x" * 64) for number in range(20)))
    text = log.to_json()
    assert 900 < len(text) <= 1024
    kept = OperationsLog.from_json(text).taken_back
    assert kept == log.taken_back[-len(kept) :]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format":"1"}', '{"format":1,"taken_back":[{"build":"../x"}]}'])
def test_somebody_elses_value_is_refused(text: str) -> None:
    with pytest.raises(ForeignState, match="'operations' was not written by bluegreen-cdn"):
        OperationsLog.from_json(text)


def test_a_newer_format_is_refused() -> None:
    with pytest.raises(UnsupportedFormat, match="format 2"):
        OperationsLog.from_json('{"format":2,"taken_back":[]}')
