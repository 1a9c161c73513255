"""Edge code that is one routing format older than whoever writes: while a new version is on its way to every edge."""

import json

import pytest
from tests.edge_handler.conftest import EdgeFunctions

from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.routing import ROUTING_FORMAT, RoutingState
from bluegreen_cdn.edge_code import edge_handler_path, render_function
from bluegreen_cdn.local.edge.functions.engine import Function

DOCUMENT = {"accept": "text/html", "sec-fetch-dest": "document"}


@pytest.fixture(scope="module")
def older() -> EdgeFunctions:
    """The edge as it was one format ago, as far as formats go."""
    made = EdgeFunctions(ClassificationRules.default())
    newest, before = f"NEWEST_FORMAT = {ROUTING_FORMAT};", f"NEWEST_FORMAT = {ROUTING_FORMAT - 1};"
    for name in ("viewer_request", "viewer_response"):
        source = (edge_handler_path() / f"{name}.js").read_text()
        assert source.count(newest) == 1
        code = render_function(source.replace(newest, before), made.rules, made.mode, "shop")
        made.functions[name] = Function(name, code)
    return made


def served(edge: EdgeFunctions, state: RoutingState, **visitor: str) -> object:
    store = {"routing": state.to_json(), "secret": "0f" * 32}
    answer = edge.request(edge.event("/", headers=DOCUMENT, cookies=visitor), store)
    return answer["headers"]["x-build-id"]["value"] if "headers" in answer and "uri" in answer else answer["statusCode"]


def test_it_follows_a_state_that_the_newer_sync_steers_in_the_format_it_found(older: EdgeFunctions) -> None:
    """What `RoutingState` promises its writers: a changed state keeps its format."""
    found = RoutingState.from_json(json.dumps({"format": ROUTING_FORMAT - 1, "epoch": 3, "stable": "a1", "holdout": 0}))
    steered = RoutingState.from_json(found.to_json())
    assert served(older, steered) == "a1"
    for weight, expected in ((10_000, "b2"), (0, "a1")):
        state = RoutingState(**{**vars(steered), "candidate": "b2", "weight": weight})
        assert served(older, state) == expected


def test_what_it_cannot_read_leaves_everybody_where_they_are_and_mixes_nothing(older: EdgeFunctions) -> None:
    newest = RoutingState(epoch=4, stable="a1", candidate="b2", weight=10_000, holdout=0)
    assert served(older, newest, **{"__Host-bg-build": "a1"}) == "a1"
    assert served(older, newest) == 503


def test_edges_read_the_format_before_their_own(edge: EdgeFunctions) -> None:
    state = RoutingState(epoch=4, stable="a1", candidate="b2", weight=10_000, holdout=0, format=ROUTING_FORMAT - 1)
    assert served(edge, state) == "b2"
