import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.defaults import KVS_VALUE_MAXIMUM_BYTES
from bluegreen_cdn.domain.control import (
    LATCHES_KEPT,
    ControlState,
    HookKind,
    Latch,
    Outcome,
    OutcomeKind,
    PendingHook,
    Pin,
)
from bluegreen_cdn.errors import ForeignState, UnsupportedFormat

builds = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
ids = st.text(alphabet="d-ABCDEF0123456789", min_size=1, max_size=12)
hooks = st.builds(
    PendingHook,
    deployment=ids,
    execution=st.text(alphabet="abcXYZ019=", min_size=1, max_size=300),
    kind=st.sampled_from(HookKind),
    until=st.integers(0, 2**33),
)
states = st.builds(
    ControlState,
    pin=st.none() | st.builds(Pin, build=builds, after=st.none() | ids),
    latches=st.lists(st.builds(Latch, builds, ids), max_size=LATCHES_KEPT).map(tuple),
    hook=st.none() | hooks,
)


@given(states)
def test_what_is_written_is_read_back_and_fits_the_store(state: ControlState) -> None:
    text = state.to_json()
    assert ControlState.from_json(text) == state
    assert len(text.encode()) <= KVS_VALUE_MAXIMUM_BYTES


@given(st.lists(st.builds(Latch, builds, ids), max_size=10))
def test_latches_never_outgrow_the_store_and_the_newest_is_kept(latches: list[Latch]) -> None:
    state = ControlState()
    for latch in latches:
        state = state.with_latch(latch)
        assert state.is_latched(latch.build)
    assert len(state.latches) <= LATCHES_KEPT
    assert not state.is_latched(None)


def test_a_pin_without_its_release_can_be_read() -> None:
    text = '{"format":1,"pin":"a1","latches":[],"hook":null}'
    assert ControlState.from_json(text) == ControlState(pin=Pin(build="a1"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        "null",
        "{}",
        '{"format":"1"}',
        '{"format":true}',
        '{"format":0,"pin":null,"latches":[],"hook":null}',
        '{"format":1}',
        '{"format":1,"pin":"../x","latches":[],"hook":null}',
        '{"format":1,"pin":null,"latches":[{"build":"a"}],"hook":null}',
        '{"format":1,"pin":null,"latches":7,"hook":null}',
        '{"format":1,"pin":null,"latches":[],"hook":{"deployment":"d","execution":"e","kind":"during","until":1}}',
        '{"format":1,"pin":null,"latches":[],"hook":{"deployment":"d","execution":"e","kind":"after","until":"1"}}',
    ],
)
def test_what_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(ForeignState, match="control"):
        ControlState.from_json(text)


def test_a_newer_format_is_refused_with_both_numbers() -> None:
    with pytest.raises(UnsupportedFormat, match=r"has format 2, .* reads up to 1"):
        ControlState.from_json('{"format":2,"anything":"else"}')


@given(builds, st.text(min_size=0, max_size=3000).map(lambda text: f"x{text}"), st.sampled_from(OutcomeKind))
def test_an_outcome_fits_the_store_however_long_its_reason(build: str, reason: str, kind: OutcomeKind) -> None:
    outcome = Outcome(build=build, deployment="d-1", kind=kind, reason=reason, at=12)
    text = outcome.to_json()
    assert len(text.encode()) <= KVS_VALUE_MAXIMUM_BYTES
    read = Outcome.from_json(text)
    assert (read.build, read.kind, read.at) == (build, kind, 12)
    assert reason.startswith(read.reason[:-1].rstrip("…"))


def test_a_newer_outcome_is_refused() -> None:
    value = json.loads(Outcome(build="a", deployment="d", kind=OutcomeKind.REFUSED, reason="x", at=1).to_json())
    with pytest.raises(UnsupportedFormat):
        Outcome.from_json(json.dumps({**value, "format": 9}))


def test_an_outcome_is_kept_as_the_last_one_and_for_its_deployment() -> None:
    outcome = Outcome(build="b", deployment="d-1", kind=OutcomeKind.WITHDRAWN, reason="worse", at=1)
    assert set(outcome.puts()) == {"outcome", "outcome/d-1"}
    assert {Outcome.from_json(text) for text in outcome.puts().values()} == {outcome}
    nameless = Outcome(build="b", deployment="-", kind=OutcomeKind.PROMOTED, reason="stable", at=1)
    assert set(nameless.puts()) == {"outcome"}
