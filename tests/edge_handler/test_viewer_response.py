"""What the deployed viewer-response function adds to an answer."""

from __future__ import annotations

from typing import Any

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
