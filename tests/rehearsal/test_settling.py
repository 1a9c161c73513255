from typing import Any

import pytest

from bluegreen_cdn.local.rehearsal.settling import unrest


def status(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "deployment": None,
        "latches": [],
        "alarms": {"on": [], "missing": [], "control_plane": []},
        "edge": {"stable": "a", "candidate": None},
        "alias": {"primary": "a"},
        "drift": [],
    }
    return {**found, **changes}


def test_a_site_at_rest_has_nothing_under_way() -> None:
    assert unrest(status()) == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"deployment": {"id": "d-1"}}, "a deployment"),
        ({"latches": [{"build": "b", "deployment": "d-1"}]}, "a latch"),
        ({"alarms": {"on": ["verdict"], "control_plane": []}}, "an alarm"),
        ({"alarms": {"on": [], "control_plane": ["sync-dead"]}}, "an alarm"),
        ({"edge": {"stable": "a", "candidate": "b"}}, "a candidate"),
        ({"alias": {"primary": "b"}}, "a difference between alias and edge"),
        ({"drift": ["the edge serves a"]}, "a difference between alias and edge"),
    ],
)
def test_what_is_under_way_is_named(changes: dict[str, Any], word: str) -> None:
    assert unrest(status(**changes)) == [word]
