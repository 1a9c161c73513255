"""What the deployed viewer-response function adds to an answer."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen_cdn import defaults
from bluegreen_cdn.domain.routing import parse_visitor_cookie

SECRET = {"secret": "5e" * 32}
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


def test_a_preview_reports_nothing_and_moves_nobody(edge: Any) -> None:
    event = edge.event("/", headers={"x-bluegreen-visitor": "preview"}, query={"__bg_preview": "a token"})
    response = edge.response(event, HTML, SECRET)
    assert {name: cookie["value"] for name, cookie in response["cookies"].items()} == {"__Host-bg-preview": "a token"}
    assert "server-timing" not in response["headers"]


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        ("b2.17.0123456789abcdef", "1.0123456789abcdef.b2.17"),
        ("v1.2.3.9999.0123456789abcdef", "1.0123456789abcdef.v1.2.3.9999"),
        ("b2.17.-", "1.<seed>.b2.17"),
    ],
)
def test_the_visitor_cookie_keeps_the_slot_that_was_decided(edge: Any, mark: str, expected: str) -> None:
    response = edge.response(edge.event("/", headers={"x-bluegreen-visitor": mark}), HTML, SECRET)
    cookie = response["cookies"]["__Host-bg-visitor"]
    before, _, after = expected.partition("<seed>")
    assert cookie["value"].startswith(before)
    assert cookie["value"].endswith(after)
    assert parse_visitor_cookie(cookie["value"]) is not None
    assert "Max-Age=31536000" in cookie["attributes"]


@pytest.mark.parametrize("mark", ["x", "a b.7.-", "b2; Path=/x.7.-", "b2.7.SEED", "b2.12345.-", "../x.7.-"])
def test_a_mark_that_viewer_request_never_writes_sets_nothing(edge: Any, mark: str) -> None:
    response = edge.response(edge.event("/", headers={"x-bluegreen-visitor": mark}), HTML, SECRET)
    assert list(response["cookies"]) == ["__Host-bg-build"]


def test_a_visitor_cookie_that_holds_already_is_not_sent_again(edge: Any) -> None:
    event = edge.event(
        "/",
        headers={"x-bluegreen-visitor": "b2.17.0123456789abcdef"},
        cookies={"__Host-bg-visitor": "1.0123456789abcdef.b2.17"},
    )
    assert "__Host-bg-visitor" not in edge.response(event, HTML, SECRET)["cookies"]


def test_two_first_visits_get_two_seeds(edge: Any) -> None:
    event = edge.event("/", headers={"x-bluegreen-visitor": "b2.17.-"})
    seeds = {edge.response(event, HTML, SECRET)["cookies"]["__Host-bg-visitor"]["value"] for _ in range(5)}
    assert len(seeds) == 5


def test_names_and_lifetimes_are_those_of_the_defaults(edge: Any) -> None:
    code = edge.code["viewer_response"] + edge.code["viewer_request"]
    for name in (defaults.VISITOR_COOKIE, defaults.BUILD_COOKIE, defaults.PREVIEW_COOKIE, defaults.BUILD_HEADER):
        assert f"'{name}'" in code
    for name in (defaults.VISITOR_HEADER, defaults.ROLE_HEADER, f"x-amz-meta-{defaults.BUILD_METADATA}"):
        assert f"'{name}'" in code
    lifetimes = (
        defaults.VISITOR_COOKIE_MAX_AGE_SECONDS,
        defaults.BUILD_COOKIE_MAX_AGE_SECONDS,
        defaults.BEACON_TOKEN_LIFETIME_SECONDS,
    )
    for seconds in lifetimes:
        assert f"={seconds};" in code
