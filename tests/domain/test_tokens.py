"""Tokens say one thing, for one purpose, for a while."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.domain.tokens import TokenPurpose, sign_token, verify_token

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "tokens.json").read_text())
SECRET = "5e" * 32
BUILDS = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


@given(BUILDS, st.sampled_from(TokenPurpose), st.integers(0, 36**8 - 1))
def test_what_is_signed_is_believed_until_it_expires(build: str, purpose: TokenPurpose, expires: int) -> None:
    token = sign_token(SECRET, build, purpose=purpose, expires=expires)
    assert verify_token(SECRET, token, purpose=purpose, now=expires) == build
    assert verify_token(SECRET, token, purpose=purpose, now=expires + 1) is None


@given(st.data())
def test_no_character_may_change(data: st.DataObject) -> None:
    token = sign_token(SECRET, "v1.2", purpose=TokenPurpose.BEACON, expires=1_700_000_000)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda character: character != token[place]))
    forged = token[:place] + other + token[place + 1 :]
    assert verify_token(SECRET, forged, purpose=TokenPurpose.BEACON, now=0) is None


def test_purpose_and_secret_are_part_of_it() -> None:
    token = sign_token(SECRET, "b1", purpose=TokenPurpose.BEACON, expires=100)
    assert verify_token(SECRET, token, purpose=TokenPurpose.PREVIEW, now=0) is None
    assert verify_token("00" * 32, token, purpose=TokenPurpose.BEACON, now=0) is None


@pytest.mark.parametrize(
    "token", ["", "~", "~~", "b1", "b1~1", "b1~1~", "b1~zzzzzzzzz~" + "a" * 22, "b1~1~" + "ä" * 22]
)
def test_malformed_tokens_are_none(token: str) -> None:
    assert verify_token(SECRET, token, purpose=TokenPurpose.BEACON, now=0) is None


@pytest.mark.parametrize("vector", VECTORS["vectors"])
def test_vectors(vector: dict[str, str]) -> None:
    made = sign_token(
        VECTORS["secret"], vector["build"], purpose=TokenPurpose(vector["purpose"]), expires=int(vector["expires"])
    )
    assert made == vector["token"]
