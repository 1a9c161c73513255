"""Build ids and content names."""

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.defaults import BUILD_ID_PATTERN
from bluegreen_cdn.domain.builds import check_build_id, content_build_id, content_digest
from bluegreen_cdn.errors import InvalidBuildId, InvalidInput

digests = st.text("0123456789abcdef", min_size=64, max_size=64)
listings = st.dictionaries(st.text(min_size=1), digests, max_size=8)


@pytest.mark.parametrize("value", ["a", "0", "1.2.3", "9f1c2ab", "Release_2026-07-01", "a" * 64, "a..b"])
def test_an_acceptable_build_id_comes_back_unchanged(value: str) -> None:
    assert check_build_id(value) == value


@pytest.mark.parametrize(
    "value",
    ["", ".", "..", "-a", "_a", ".a", "a/b", "a b", "a\n", "\na", "a" * 65, "ü", "a%2f", "a?b", "a;b", "a=b", "a~b"],
)
def test_anything_else_is_refused_with_the_value_and_the_mend(value: str) -> None:
    with pytest.raises(InvalidBuildId, match="1 to 64 characters") as caught:
        check_build_id(value)
    assert repr(value) in str(caught.value)
    assert isinstance(caught.value, InvalidInput)


def test_the_edge_s_own_name_for_no_build_is_taken() -> None:
    with pytest.raises(InvalidBuildId, match="'shared' is taken"):
        check_build_id("shared")


def test_a_very_long_build_id_does_not_flood_the_message() -> None:
    with pytest.raises(InvalidBuildId) as caught:
        check_build_id("a" * 1_000_000)
    assert len(str(caught.value)) < 500


@given(st.from_regex(BUILD_ID_PATTERN, fullmatch=True).filter(lambda value: value != "shared"))
def test_every_match_of_the_pattern_is_a_build_id_of_one_segment(value: str) -> None:
    assert "/" not in check_build_id(value)
    assert value not in {".", ".."}
    assert len(value.encode()) <= 64


def test_the_content_name_is_pinned() -> None:
    # Changing it would publish every build in the world again under another name.
    files = [("index.html", "b" * 64), ("a.js", "a" * 64)]
    expected = hashlib.sha256(f"{'a' * 64}  a.js\n{'b' * 64}  index.html\n".encode()).hexdigest()
    assert content_digest(files) == expected
    assert content_build_id(files) == expected[:16] == "e6dba8ab825c6cba"


@given(listings, st.randoms())
def test_the_content_name_is_a_build_id_and_ignores_the_order(files: dict[str, str], random: object) -> None:
    shuffled = list(files.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert re.fullmatch("[0-9a-f]{16}", content_build_id(shuffled))
    assert content_build_id(shuffled) == content_build_id(files.items()) == check_build_id(content_build_id(shuffled))


@given(listings, st.text(min_size=1), digests)
def test_one_more_file_or_other_bytes_give_another_name(files: dict[str, str], path: str, sha256: str) -> None:
    changed = {**files, path: sha256}
    assert (content_build_id(changed.items()) == content_build_id(files.items())) == (changed == files)
