"""What the deployed viewer-response function adds to an answer."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bluegreen_cdn import defaults
from bluegreen_cdn.domain.routing import (
    RequestKind,
    RoutingState,
    Visitor,
    cookie_to_set,
    decide,
    parse_visitor_cookie,
)
from bluegreen_cdn.domain.tokens import TokenPurpose, sign_token

SECRET = {"secret": "5e" * 32}
RELEASING = RoutingState(epoch=2, stable="b1", candidate="b2", weight=5000)
SEED = "0123456789abcdef"
HTML = {"x-amz-meta-build-id": "b1", "content-type": "text/html; charset=utf-8"}


def test_a_document_leaves_its_build_behind(edge: Any) -> None:
    response = edge.response(edge.event("/"), HTML, SECRET)
    cookie = response["cookies"]["__Host-bg-build"]
    assert cookie["value"] == "b1"
    for attribute in ("Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=604800"):
        assert attribute in cookie["attributes"]
    assert "__Host-bg-visitor" not in response["cookies"]


def test_what_names_no_build_is_left_alone(edge: Any) -> None:
    for headers in ({"content-type": "text/html"}, {**HTML, "x-amz-meta-build-id": "../x"}):
        response = edge.response(edge.event("/"), headers, SECRET)
        assert not response["cookies"]
        assert "server-timing" not in response["headers"]


def test_files_set_no_cookie(edge: Any) -> None:
    headers = {"x-amz-meta-build-id": "b1", "content-type": "application/json"}
    response = edge.response(edge.event("/locales/en.json"), headers, SECRET)
    assert not response["cookies"]
    assert "server-timing" not in response["headers"]


def test_an_embeddable_script_gets_a_token_but_no_build_cookie(edge: Any) -> None:
    headers = {"x-amz-meta-build-id": "b1", "content-type": "text/javascript"}
    response = edge.response(edge.event("/widget.js"), headers, SECRET)
    assert not response["cookies"]
    assert response["headers"]["server-timing"]["value"].startswith('bluegreen;desc="b1~')
    assert response["headers"]["timing-allow-origin"]["value"] == "*"


def test_without_the_secret_the_page_comes_all_the_same(edge: Any) -> None:
    response = edge.response(edge.event("/"), HTML, None)
    assert response["cookies"]["__Host-bg-build"]["value"] == "b1"
    assert "server-timing" not in response["headers"]


def test_the_secret_never_leaves(edge: Any) -> None:
    assert SECRET["secret"] not in str(edge.response(edge.event("/"), HTML, SECRET))


def test_a_token_goes_beside_what_the_origin_times(edge: Any) -> None:
    response = edge.response(edge.event("/"), {**HTML, "server-timing": "db;dur=53"}, SECRET)
    assert response["headers"]["server-timing"]["value"].startswith('db;dur=53, bluegreen;desc="b1~')


@pytest.mark.parametrize(("uri", "is_document"), [("/", True), ("/a/b", True), ("/a.html", True), ("/a.json", False)])
def test_an_answer_without_a_type_is_known_by_its_path(edge: Any, uri: str, is_document: bool) -> None:
    response = edge.response(edge.event(uri), {"x-amz-meta-build-id": "b1"}, SECRET, status=304)
    assert ("__Host-bg-build" in response["cookies"]) is is_document


def preview_of(build: str, *, seconds: int = 60, secret: str = SECRET["secret"]) -> str:
    return sign_token(secret, build, purpose=TokenPurpose.PREVIEW, expires=int(time.time()) + seconds)


def test_a_preview_reports_nothing_and_moves_nobody(edge: Any) -> None:
    token = preview_of("b1")
    response = edge.response(edge.event("/", query={"__bg_preview": token}), HTML, SECRET)
    assert {name: cookie["value"] for name, cookie in response["cookies"].items()} == {"__Host-bg-preview": token}
    assert "Max-Age" not in response["cookies"]["__Host-bg-preview"]["attributes"]
    assert "server-timing" not in response["headers"]
    again = edge.response(edge.event("/about", cookies={"__Host-bg-preview": token}), HTML, SECRET)
    assert not again["cookies"]
    assert "server-timing" not in again["headers"]


@pytest.mark.parametrize(
    "token",
    [
        preview_of("b2"),
        preview_of("b1", seconds=-2),
        preview_of("b1", secret="00" * 32),
        sign_token(SECRET["secret"], "b1", purpose=TokenPurpose.BEACON, expires=int(time.time()) + 60),
        "b1~",
        "b1~zzzzzz~" + "A" * 22,
    ],
    ids=["another build's", "expired", "forged", "for another purpose", "no token", "invented"],
)
def test_a_token_that_opens_nothing_changes_nothing(edge: Any, token: str) -> None:
    for event in (
        edge.event("/", query={"__bg_preview": token}),
        edge.event("/", cookies={"__Host-bg-preview": token}),
    ):
        response = edge.response(event, HTML, SECRET)
        assert set(response["cookies"]) == {"__Host-bg-build"}
        assert "server-timing" in response["headers"]


def seed_set(edge: Any, state: RoutingState | None, **event: Any) -> str | None:
    store = SECRET if state is None else {**SECRET, "routing": state.to_json()}
    cookie = edge.response(edge.event("/", **event), HTML, store)["cookies"].get("__Host-bg-visitor")
    if cookie is None:
        return None
    assert "Max-Age=31536000" in cookie["attributes"]
    seed = parse_visitor_cookie(cookie["value"])
    assert seed is not None
    return seed


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ip=st.ip_addresses().map(str),
    agent=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
    cookie=st.one_of(st.none(), st.text(max_size=12), st.just("1.0123456789abcdef.b2.7"), st.just(f"2.{SEED}")),
    state=st.sampled_from([None, RELEASING, RoutingState(epoch=1, stable="b1")]),
)
def test_python_and_javascript_set_the_same_visitor_cookie(
    edge: Any, ip: str, agent: str, cookie: str | None, state: RoutingState | None
) -> None:
    headers = {"user-agent": agent} if agent else {}
    cookies = {"__Host-bg-visitor": cookie} if cookie else {}
    found = seed_set(edge, state, ip=ip, headers=headers, cookies=cookies)
    visitor = Visitor(ip=ip, user_agent=agent, visitor_cookie=cookie)
    expected = cookie_to_set(state, visitor, fresh_seed=SEED)
    if expected == f"2.{SEED}":
        assert found not in (None, seed_set(edge, state, ip=ip, headers=headers, cookies=cookies))
    else:
        assert (f"2.{found}" if found else None) == expected


def test_the_seed_that_is_set_during_a_release_is_the_one_that_decided(edge: Any) -> None:
    for number in range(40):
        event = {"headers": {"user-agent": f"agent {number}"}, "ip": "192.0.2.7"}
        decided = decide(RELEASING, Visitor(ip="192.0.2.7", user_agent=f"agent {number}"), RequestKind.ENTRY)
        kept = Visitor(ip="198.51.100.9", visitor_cookie=f"2.{seed_set(edge, RELEASING, **event)}")
        assert decide(RELEASING, kept, RequestKind.ENTRY) == decided


def test_a_cookie_that_holds_already_is_not_sent_again_and_costs_no_read(edge: Any) -> None:
    assert seed_set(edge, RELEASING, cookies={"__Host-bg-visitor": f"2.{SEED}"}) is None
    assert edge.reads == ["secret"]


@pytest.mark.parametrize("value", ["not json", "null", '{"format":2,"epoch":1,"stable":"b1"}', '{"stable":"b1"}'])
def test_a_state_that_it_does_not_know_sets_no_seed(edge: Any, value: str) -> None:
    response = edge.response(edge.event("/"), HTML, {**SECRET, "routing": value})
    assert set(response["cookies"]) == {"__Host-bg-build"}


def test_names_and_lifetimes_are_those_of_the_defaults(edge: Any) -> None:
    code = edge.code["viewer_response"] + edge.code["viewer_request"]
    for name in (defaults.VISITOR_COOKIE, defaults.BUILD_COOKIE, defaults.PREVIEW_COOKIE, defaults.BUILD_HEADER):
        assert f"'{name}'" in code
    for name in (defaults.ROLE_HEADER, f"x-amz-meta-{defaults.BUILD_METADATA}"):
        assert f"'{name}'" in code
    lifetimes = (
        defaults.VISITOR_COOKIE_MAX_AGE_SECONDS,
        defaults.BUILD_COOKIE_MAX_AGE_SECONDS,
        defaults.BEACON_TOKEN_LIFETIME_SECONDS,
    )
    for seconds in lifetimes:
        assert f"={seconds};" in code
