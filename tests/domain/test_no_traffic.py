from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.domain.no_traffic import NoTraffic, NoTrafficKind
from bluegreen_cdn.errors import InvalidRollout


@given(
    st.one_of(
        st.just(NoTraffic.promote()), st.integers(1, 1_000_000).map(lambda n: NoTraffic.abort(minimum_page_loads=n))
    )
)
def test_parse_reads_what_describe_writes(choice: NoTraffic) -> None:
    assert NoTraffic.parse(choice.describe()) == choice


@pytest.mark.parametrize(
    "text", ["", "continue", "abort@", "abort@0", "abort@x", "promote@5", "abort@99999999", "Abort"]
)
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(InvalidRollout, match=r"on_no_traffic|minimum_page_loads"):
        NoTraffic.parse(text)


@pytest.mark.parametrize("least", [0, -1, 1.5, True, "20", 1_000_001])
def test_a_sample_that_means_nothing_is_refused(least: Any) -> None:
    with pytest.raises(InvalidRollout, match=f"minimum_page_loads is {least!r}"):
        NoTraffic.abort(minimum_page_loads=least)


def test_promoting_asks_for_no_sample() -> None:
    with pytest.raises(InvalidRollout, match="promoting asks for none"):
        NoTraffic(kind=NoTrafficKind.PROMOTE, minimum_page_loads=5)
