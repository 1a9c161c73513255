"""The shared vectors, through the Python twin and through the functions that are deployed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.routing import RoutingState, Visitor
from bluegreen_cdn.domain.tokens import TokenPurpose, sign_token, verify_token

VECTORS = Path(__file__).parents[1] / "vectors"
ROUTING = json.loads((VECTORS / "routing.json").read_text())["vectors"]
CLASSIFICATION = json.loads((VECTORS / "classification.json").read_text())["vectors"]
TOKENS = json.loads((VECTORS / "tokens.json").read_text())
STABLE_ONLY = {"routing": RoutingState(epoch=1, stable="b1").to_json()}


def _state(vector: dict[str, Any]) -> RoutingState | None:
    if vector["state"] is None:
        return None
    epoch, stable, candidate, weight, holdout = vector["state"]
    return RoutingState(epoch=epoch, stable=stable, candidate=candidate, weight=weight, holdout=holdout)


def headers_of(vector: dict[str, Any]) -> dict[str, str]:
    names = {"accept": "accept", "destination": "sec-fetch-dest", "encoding": "accept-encoding", "range": "range"}
    return {header: vector[name] for name, header in names.items() if vector.get(name)}


def _reduced(found: tuple[object, ...]) -> Any:
    return found[1] if found[0] == "status" else [found[1], found[2]]


@pytest.mark.parametrize("vector", ROUTING, ids=[vector["why"] for vector in ROUTING])
def test_routing(edge: Any, vector: dict[str, Any]) -> None:
    state = _state(vector)
    retained = tuple(vector.get("retained", ()))
    visitor = Visitor(ip="127.0.0.9", visitor_cookie=vector.get("visitor"), build_cookie=vector.get("build"))
    by_twin = edge.expected(
        vector["uri"],
        visitor,
        state,
        accept=vector.get("accept", ""),
        destination=vector.get("destination", ""),
        encoding=vector.get("encoding", ""),
        ranged="range" in vector,
        direct="behaviour" in vector,
        retained=retained,
    )
    assert _reduced(by_twin) == vector["expect"]

    cookies = {"__Host-bg-visitor": vector.get("visitor"), "__Host-bg-build": vector.get("build")}
    event = edge.event(
        vector["uri"],
        headers=headers_of(vector),
        cookies={name: value for name, value in cookies.items() if value},
    )
    store = {f"build/{build}": '{"format":1}' for build in retained}
    values = None if state is None else {**store, "routing": state.to_json()}
    at_edge = edge.request(event, values, direct="behaviour" in vector)
    assert _reduced(edge.answer_of(at_edge)) == vector["expect"]
    assert edge.answer_of(at_edge) == by_twin


@pytest.mark.parametrize(("path", "cache_class"), CLASSIFICATION)
def test_classification(edge_of_mode: Any, path: str, cache_class: str) -> None:
    assert ClassificationRules.default().classify(path) == cache_class
    functions = edge_of_mode["spa"]
    uri = functions.request(functions.event(f"/{path}", headers={"accept": "*/*"}), STABLE_ONLY)["uri"]
    assert uri.startswith("/shared/") == (cache_class == "shared")


@pytest.mark.parametrize("vector", TOKENS["vectors"])
def test_tokens(edge: Any, vector: dict[str, Any]) -> None:
    purpose = TokenPurpose(vector["purpose"])
    signed = sign_token(TOKENS["secret"], vector["build"], purpose=purpose, expires=vector["expires"])
    assert signed == vector["token"]
    assert verify_token(TOKENS["secret"], signed, purpose=purpose, now=vector["expires"]) == vector["build"]
    assert verify_token(TOKENS["secret"], signed, purpose=purpose, now=vector["expires"] + 1) is None


def test_the_edge_makes_tokens_that_python_accepts(edge: Any) -> None:
    store = {**STABLE_ONLY, "secret": TOKENS["secret"]}
    event = edge.event("/", headers={"accept": "text/html"})
    response = edge.response(event, {"x-amz-meta-build-id": "b1", "content-type": "text/html; charset=utf-8"}, store)
    token = response["headers"]["server-timing"]["value"].removeprefix('bluegreen;desc="').removesuffix('"')
    assert verify_token(TOKENS["secret"], token, purpose=TokenPurpose.BEACON, now=1_700_000_000) == "b1"
