import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.local.rehearsal.statistics import is_plausible, plausible_range, tail_probabilities


@given(total=st.integers(1, 120), share=st.floats(0.01, 0.99), data=st.data())
def test_the_two_tails_share_exactly_the_count_itself(total: int, share: float, data: st.DataObject) -> None:
    seen = data.draw(st.integers(0, total))
    below, above = tail_probabilities(seen, total, share)
    one = below - (tail_probabilities(seen - 1, total, share)[0] if seen else 0.0)
    assert below + above == pytest.approx(1 + one, abs=1e-9)


def test_known_values() -> None:
    below, above = tail_probabilities(2, 4, 0.5)
    assert below == pytest.approx(11 / 16)
    assert above == pytest.approx(11 / 16)


@pytest.mark.parametrize(
    ("seen", "total", "share", "plausible"),
    [
        (12, 120, 0.1, True),
        (40, 120, 0.1, False),
        (0, 80, 0.1, True),
        (0, 200, 0.1, False),
        (0, 10, 0.0, True),
        (1, 10, 0.0, False),
        (10, 10, 1.0, True),
        (9, 10, 1.0, False),
        (0, 0, 0.3, True),
    ],
)
def test_what_is_plausible(seen: int, total: int, share: float, *, plausible: bool) -> None:
    assert is_plausible(seen, total, share) is plausible


def test_the_range_is_what_is_plausible() -> None:
    low, high = plausible_range(120, 0.1)
    assert low <= 12 <= high
    assert not is_plausible(high + 1, 120, 0.1)


def test_more_seen_than_there_were_is_refused() -> None:
    with pytest.raises(ValueError, match="seen 3 of 2"):
        tail_probabilities(3, 2, 0.5)
