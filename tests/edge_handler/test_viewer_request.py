"""What the deployed viewer-request function does, beyond the vectors."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bluegreen_cdn.domain.routing import RoutingState, Visitor
from bluegreen_cdn.domain.tokens import TokenPurpose, sign_token

SECRET = "5e" * 32
HTML = {"accept": "text/html,application/xhtml+xml"}
BUILDS = st.sampled_from(["b1", "b2", "b3", "v1.2.3", "a-b_c.d"])
SEGMENT = st.one_of(
    st.sampled_from(
        ["assets", "_next", "static", "shared", "builds", "manifests", "b1", "index.html", "widget.js", "..", ".", ""]
    ),
    st.sampled_from(
        ["index-B3x9aZ0q.js", "hero.jpg", "brand-B3x9aZ0q.png", "x.js.map", ".well-known", "%2F", "%zz", "a b"]
    ),
    st.text(max_size=12),
)
PATHS = st.lists(SEGMENT, max_size=5).map(lambda parts: "/" + "/".join(parts))


CODING = st.tuples(
    st.sampled_from(["br", "gzip", "x-gzip", "brotli", "zstd", "*", "identity", "BR"]),
    st.sampled_from(["", ";q=1", ";q=0", "; q=0.0", ";q=0.001", ";Q=0.000", " ; q=0 ", ";q=.5", ";q=0;x", ";level=9"]),
).map("".join)
ENCODINGS = st.one_of(st.lists(CODING, max_size=4).map(", ".join), st.text(alphabet="brgzip,;q=0. 1\t", max_size=20))


@st.composite
def states(draw: st.DrawFn) -> RoutingState | None:
    if draw(st.integers(0, 9)) == 0:
        return None
    stable, candidate = draw(st.lists(BUILDS, min_size=2, max_size=2, unique=True))
    weight = draw(st.one_of(st.sampled_from([0, 10_000]), st.integers(0, 10_000)))
    if draw(st.booleans()):
        return RoutingState(epoch=1, stable=stable)
    return RoutingState(epoch=2, stable=stable, candidate=candidate, weight=weight, holdout=draw(st.integers(0, 2000)))


visitor_cookies = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.text(alphabet="0123456789abcdef", min_size=6, max_size=34).map(lambda seed: f"2.{seed}"),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    uri=PATHS,
    state=states(),
    visitor_cookie=visitor_cookies,
    build_cookie=st.one_of(st.none(), BUILDS, st.text(max_size=10)),
    agent=st.sampled_from(["", "Mozilla/5.0", "curl/8"]),
    ip=st.integers(1, 250).map(lambda last: f"127.0.0.{last}"),
    accept=st.sampled_from(["", "text/html", "*/*", "image/avif,*/*", "application/json"]),
    destination=st.sampled_from(["", "document", "empty", "script", "iframe", "image"]),
    encoding=ENCODINGS,
    ranged=st.booleans(),
    direct=st.booleans(),
    retained=st.lists(BUILDS, max_size=3).map(tuple),
)
def test_python_and_javascript_decide_the_same(
    edge_of_mode: Any,
    uri: str,
    state: RoutingState | None,
    visitor_cookie: str | None,
    build_cookie: str | None,
    agent: str,
    ip: str,
    accept: str,
    destination: str,
    encoding: str,
    ranged: bool,
    direct: bool,
    retained: tuple[str, ...],
) -> None:
    # An empty cookie is no cookie: browsers send none.
    visitor_cookie, build_cookie = visitor_cookie or None, build_cookie or None
    visitor = Visitor(ip=ip, user_agent=agent, visitor_cookie=visitor_cookie, build_cookie=build_cookie)
    cookies = {"__Host-bg-visitor": visitor_cookie, "__Host-bg-build": build_cookie}
    headers = {
        "accept": accept,
        "sec-fetch-dest": destination,
        "user-agent": agent,
        "accept-encoding": encoding,
        "range": "bytes=0-9" if ranged else "",
    }
    store = {f"build/{build}": "{}" for build in retained}
    for edge in edge_of_mode.values():
        event = edge.event(
            uri,
            headers={name: value for name, value in headers.items() if value},
            cookies={name: value for name, value in cookies.items() if value},
            ip=ip,
        )
        found = edge.request(event, None if state is None else {**store, "routing": state.to_json()}, direct=direct)
        expected = edge.expected(
            uri,
            visitor,
            state,
            accept=accept,
            destination=destination,
            encoding=encoding,
            ranged=ranged,
            direct=direct,
            retained=retained,
        )
        if expected[0] == "request" and str(expected[1]).startswith("/_bluegreen"):
            continue
        assert edge.answer_of(found) == expected


def test_one_read_on_the_hot_path(edge: Any) -> None:
    store = {"routing": RoutingState(epoch=1, stable="b1").to_json()}
    edge.request(edge.event("/", headers=HTML, cookies={"__Host-bg-build": "b0"}), store)
    assert edge.reads == ["routing"]
    edge.request(edge.event("/locales/en.json", cookies={"__Host-bg-build": "b0"}), store)
    assert edge.reads == ["routing", "build/b0"]
    edge.request(edge.event("/assets/index-B3x9aZ0q.js"), store)
    assert edge.reads == []


def test_a_viewer_cannot_choose_its_build_by_header(edge: Any) -> None:
    store = {"routing": RoutingState(epoch=1, stable="b1").to_json()}
    forged = {**HTML, "x-build-id": "b9", "x-bluegreen-role": "stable"}
    headers = edge.request(edge.event("/", headers=forged), store)["headers"]
    assert headers["x-build-id"]["value"] == "b1"
    assert "x-bluegreen-role" not in headers


@pytest.mark.parametrize("value", ['{"format":2,"epoch":9,"stable":"b2"}', "not json", "[]", "null", '{"stable":"b2"}'])
def test_a_state_that_it_does_not_know_is_no_state(edge: Any, value: str) -> None:
    event = edge.event("/", headers=HTML, cookies={"__Host-bg-build": "b1"})
    assert edge.request(event, {"routing": value})["headers"]["x-build-id"]["value"] == "b1"
    answer = edge.request(edge.event("/", headers=HTML), {"routing": value})
    assert (answer["statusCode"], answer["headers"]["cache-control"]["value"]) == (503, "no-store")


def test_it_reads_the_format_before(edge: Any) -> None:
    store = {"routing": '{"format":0,"epoch":9,"stable":"b2","candidate":null,"weight":0,"holdout":500}'}
    assert edge.request(edge.event("/", headers=HTML), store)["headers"]["x-build-id"]["value"] == "b2"


def test_the_first_answer_keeps_a_visitor_where_it_is(edge: Any) -> None:
    for number in range(40):
        state = RoutingState(epoch=2, stable="b1", candidate="b2", weight=5000)
        store = {"routing": state.to_json(), "secret": SECRET}
        event = edge.event("/", headers={**HTML, "user-agent": f"agent {number}"})
        request = edge.request(event, store)
        build = request["headers"]["x-build-id"]["value"]
        # CloudFront shows the response function the request as it went on.
        answered = {**event, "request": request}
        response = edge.response(answered, {"x-amz-meta-build-id": build, "content-type": "text/html"}, store)
        cookies = {name: cookie["value"] for name, cookie in response["cookies"].items()}
        assert cookies["__Host-bg-build"] == build
        again = edge.request(edge.event("/", headers=HTML, cookies=cookies, ip="127.0.0.77"), store)
        assert again["headers"]["x-build-id"]["value"] == build


def test_viewer_request_tells_viewer_response_nothing(edge: Any) -> None:
    state = RoutingState(epoch=2, stable="b1", candidate="b2", weight=5000)
    event = edge.event("/", headers=HTML)
    headers = edge.request(event, {"routing": state.to_json()})["headers"]
    assert set(headers) == {"accept", "x-build-id"}


def _beacon(edge: Any, query: dict[str, str], state: RoutingState, **keys: str) -> Any:
    event = edge.event("/_bluegreen/beacon", query=query, cookies={"session": "private"})
    return edge.request(event, {"routing": state.to_json(), "secret": SECRET, **keys})


def test_beacons_are_forwarded_by_role_without_cookies(edge: Any) -> None:
    state = RoutingState(epoch=2, stable="b1", candidate="b2", weight=100)
    later = int(time.time()) + 60
    for build, role in (("b1", "stable"), ("b2", "candidate"), ("b0", "other")):
        token = sign_token(SECRET, build, purpose=TokenPurpose.BEACON, expires=later)
        request = _beacon(edge, {"t": token, "l": "1", "e": "1"}, state, **{"build/b0": "{}"})
        assert request["headers"]["x-build-id"]["value"] == build
        assert request["headers"]["x-bluegreen-role"]["value"] == role
        assert request["cookies"] == {}


def test_beacons_that_prove_nothing_end_at_the_edge(edge: Any) -> None:
    state = RoutingState(epoch=2, stable="b1", candidate="b2", weight=100)
    now = int(time.time())
    good = sign_token(SECRET, "b2", purpose=TokenPurpose.BEACON, expires=now + 60)
    bad = {
        "absent": {},
        "expired": {"t": sign_token(SECRET, "b2", purpose=TokenPurpose.BEACON, expires=now - 2)},
        "other purpose": {"t": sign_token(SECRET, "b2", purpose=TokenPurpose.PREVIEW, expires=now + 60)},
        "other secret": {"t": sign_token("00" * 32, "b2", purpose=TokenPurpose.BEACON, expires=now + 60)},
        "other build": {"t": good.replace("b2~", "b1~", 1)},
        "unknown build": {"t": sign_token(SECRET, "b9", purpose=TokenPurpose.BEACON, expires=now + 60)},
        "not a number": {"t": good, "e": "1e9"},
        "more than one page": {"t": good, "e": "2"},
        "more than one page, in two digits": {"t": good, "e": "11"},
        "nothing": {"t": good, "e": ""},
        "no number": {"t": good, "l": "true"},
        "negative": {"t": good, "l": "-1"},
        "unsigned": {"t": good.rpartition("~")[0]},
        "cut short": {"t": good[:-1]},
        "too long": {"t": good + "A"},
        "a longer life": {"t": good.replace(good.split("~")[1], "zzzzzz")},
        "a token's name": {"T": good},
    }
    for why, query in bad.items():
        assert _beacon(edge, query, state)["statusCode"] == 204, why


def test_preview_tokens_open_their_build_only(edge: Any) -> None:
    store = {"routing": RoutingState(epoch=1, stable="b1").to_json(), "secret": SECRET}
    token = sign_token(SECRET, "b7", purpose=TokenPurpose.PREVIEW, expires=int(time.time()) + 60)
    event = edge.event("/", headers=HTML, query={"__bg_preview": token})
    request = edge.request(event, store)
    assert request["headers"]["x-build-id"]["value"] == "b7"
    answered = {**event, "request": request}
    response = edge.response(answered, {"x-amz-meta-build-id": "b7", "content-type": "text/html"}, store)
    assert list(response["cookies"]) == ["__Host-bg-preview"]
    beacon = sign_token(SECRET, "b7", purpose=TokenPurpose.BEACON, expires=int(time.time()) + 60)
    refused = edge.request(edge.event("/", headers=HTML, query={"__bg_preview": beacon}), store)
    assert refused["headers"]["x-build-id"]["value"] == "b1"


def test_release_json_tells_an_old_tab(edge: Any) -> None:
    store = {"routing": RoutingState(epoch=1, stable="b2").to_json()}
    answer = edge.request(edge.event("/_bluegreen/release.json", cookies={"__Host-bg-build": "b1"}), store)
    assert answer["headers"]["cache-control"]["value"] == "no-store"
    assert json.loads(answer["body"]) == {"stable": "b2", "build": "b1", "next": "b2", "newer": True}


def test_the_client_script_is_no_buckets(edge: Any) -> None:
    event = edge.event("/_bluegreen/client.js", headers={"accept-encoding": "gzip, br"})
    assert edge.request(event, None)["uri"] == "/_bluegreen/client.js"


def test_nothing_else_is_internal(edge: Any) -> None:
    store = {"routing": RoutingState(epoch=1, stable="b2").to_json()}
    assert edge.request(edge.event("/_bluegreen/secret"), store)["statusCode"] == 404


@pytest.mark.parametrize("name", ["viewer_request", "hashed_request", "viewer_response"])
def test_the_functions_are_small_and_njs_reads_them(edge_of_mode: Any, name: str, tmp_path: Path) -> None:
    code = edge_of_mode["spa"].code[name]
    assert len(code.encode()) < 9 * 1024
    if shutil.which("njs") is None:
        pytest.skip("njs is not installed; it is the conservative syntax gate for CloudFront Functions")
    # njs itself has no 'cloudfront' module.
    script = tmp_path / "function.js"
    script.write_text(code.replace("import cf from 'cloudfront';", "const cf = {};"))
    done = subprocess.run(["njs", str(script)], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_build_whose_key_cannot_be_read_keeps_its_tabs(edge: Any) -> None:
    store = {"routing": RoutingState(epoch=1, stable="b1").to_json()}
    edge.unreadable.add("build/b0")
    try:
        found = edge.request(edge.event("/locales/en.json", cookies={"__Host-bg-build": "b0"}), store)
    finally:
        edge.unreadable.clear()
    assert found["headers"]["x-build-id"]["value"] == "b0"


@pytest.mark.parametrize(
    ("weight", "last", "newer"),
    [(10_000, "b1", True), (10_000, "b2", False), (0, "b2", True), (0, "b1", False), (0, None, False)],
)
def test_release_json_speaks_of_what_this_visitor_would_get(
    edge: Any, weight: int, last: str | None, newer: bool
) -> None:
    state = RoutingState(epoch=2, stable="b1", candidate="b2", weight=weight, holdout=0)
    cookies = {"__Host-bg-build": last} if last else {}
    answer = edge.request(edge.event("/_bluegreen/release.json", cookies=cookies), {"routing": state.to_json()})
    after_reload = "b2" if weight else "b1"
    assert json.loads(answer["body"]) == {"stable": "b1", "build": last, "next": after_reload, "newer": newer}


def test_beacons_with_a_count_given_twice_or_an_unreadable_store_are_dropped(edge: Any) -> None:
    state = RoutingState(epoch=1, stable="b1")
    token = sign_token(SECRET, "b1", purpose=TokenPurpose.BEACON, expires=int(time.time()) + 60)
    event = edge.event("/_bluegreen/beacon", query={"t": token, "l": "1", "x": "private"})
    forwarded = edge.request(event, {"routing": state.to_json(), "secret": SECRET})
    assert forwarded["querystring"] == {"l": {"value": "1"}}
    assert edge.request(event, None)["statusCode"] == 204
    event["request"]["querystring"]["l"] = {"value": "1", "multiValue": [{"value": "1"}, {"value": "2"}]}
    assert edge.request(event, {"routing": state.to_json(), "secret": SECRET})["statusCode"] == 204


def test_a_preview_follows_its_cookie_and_moves_nothing_else(edge: Any) -> None:
    store = {"routing": RoutingState(epoch=1, stable="b1").to_json(), "secret": SECRET}
    token = sign_token(SECRET, "b7", purpose=TokenPurpose.PREVIEW, expires=int(time.time()) + 60)
    for uri, path in (("/about", "/index.html"), ("/locales/en.json", "/locales/en.json")):
        event = edge.event(uri, headers=HTML, cookies={"__Host-bg-preview": token, "__Host-bg-build": "b1"})
        found = edge.request(event, store)
        assert (found["uri"], found["headers"]["x-build-id"]["value"]) == (path, "b7")
        assert edge.request(event, None)["headers"]["x-build-id"]["value"] == "b1"


def test_weights_hold_over_many_first_visits(edge: Any) -> None:
    store = {"routing": RoutingState(epoch=2, stable="b1", candidate="b2", weight=1000).to_json()}
    events = (edge.event("/", headers={**HTML, "user-agent": f"agent {number}"}) for number in range(1000))
    builds = [edge.request(event, store)["headers"]["x-build-id"]["value"] for event in events]
    # Fixed visitors, so no lottery: three standard deviations around a tenth.
    assert 70 <= builds.count("b2") <= 130
