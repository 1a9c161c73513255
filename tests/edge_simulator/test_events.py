"""Event objects of CloudFront Functions, and CloudFront's checks of what comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.local.edge.functions.events import (
    InvalidResult,
    read_request,
    read_response,
    request_object,
    response_object,
)
from bluegreen_cdn.local.edge.messages import (
    Request,
    Response,
    format_cookies,
    format_query,
    parse_cookies,
    parse_query,
)

NAMES = st.text(st.sampled_from("abcxyz-"), min_size=1, max_size=6).filter(lambda name: not name.startswith("x-"))
VALUES = st.text(st.sampled_from("abc 123%=/"), max_size=8)
HEADERS = st.dictionaries(NAMES, st.lists(VALUES, min_size=1, max_size=3), max_size=4)


def grouped(pairs):
    found = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


@given(
    headers=HEADERS,
    query=st.lists(st.tuples(NAMES, VALUES), max_size=4),
    cookies=st.lists(st.tuples(NAMES, VALUES), max_size=4),
)
def test_a_request_that_the_function_leaves_alone_stays_as_it_was(headers, query, cookies):
    before = Request("GET", "/a%20b", query, {"host": ["shop"], **headers}, cookies)
    after = read_request(request_object(before), before)
    assert (after.method, after.uri, after.headers) == (before.method, before.uri, before.headers)
    assert grouped(after.query) == grouped(query)
    assert grouped(after.cookies) == grouped(cookies)


@given(headers=HEADERS)
def test_a_response_that_the_function_leaves_alone_stays_as_it_was(headers):
    lines = ["a=1; Path=/", "a=2; Secure", "b=3"]
    before = Response(200, {**headers, "set-cookie": lines, "x-cache": ["Hit"]}, b"body")
    after = read_response(response_object(before), before, "viewer-response")
    assert sorted(after.headers.pop("set-cookie")) == sorted(lines)
    assert after.headers == {**headers, "x-cache": ["Hit"]}
    assert (after.status, after.body) == (200, b"body")


def test_the_shapes_are_cloudfronts():
    request = Request("GET", "/", parse_query("a=1&a=2&b"), {"accept": ["x", "y"]}, parse_cookies(["c=1; d=2"]))
    made = request_object(request)
    assert made["querystring"] == {
        "a": {"value": "1", "multiValue": [{"value": "1"}, {"value": "2"}]},
        "b": {"value": ""},
    }
    assert made["headers"]["accept"]["multiValue"] == [{"value": "x"}, {"value": "y"}]
    assert made["cookies"] == {"c": {"value": "1"}, "d": {"value": "2"}}
    cookies = response_object(Response(200, {"set-cookie": ["s=1; Secure; Path=/"]}))["cookies"]
    assert cookies == {"s": {"value": "1", "attributes": "Secure; Path=/"}}


BEFORE = Request("GET", "/", headers={"host": ["shop"], "via": ["1.1 x"], "x-forwarded-proto": ["https"]})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"method": "POST"}, "read-only"),
        ({"uri": "no-slash"}, "not a path"),
        ({"uri": None}, "not a path"),
        ({"headers": {"host": {"value": "other"}, "via": {"value": "1.1 x"}}}, "'host' is read-only"),
        ({"headers": {"via": {"value": "1.1 x"}}}, "'host' is read-only.*removed"),
        ({"headers": {"X-Upper": {"value": "1"}}}, "lower case"),
        ({"headers": {"x-amz-cf-anything": {"value": "1"}}}, "may not be set"),
        ({"headers": {"x-edge-a": {"value": "1"}}}, "may not be set"),
        ({"headers": {"x-cache": {"value": "1"}}}, "may not be set"),
        ({"headers": {"a b": {"value": "1"}}}, "malformed"),
        ({"headers": {"a": {"value": 1}}}, "string"),
        ({"headers": {"a": {}}}, "string"),
        ({"headers": {"a": {"value": "1\r\nb: 2"}}}, "line break"),
        ({"headers": ["x"]}, "not an object"),
        ({"querystring": "a=1"}, "not an object"),
        ({"cookies": {"a": "1"}}, "string"),
    ],
)
def test_requests_that_cloudfront_refuses(change, said):
    good = request_object(BEFORE)
    with pytest.raises(InvalidResult, match=said):
        read_request({**good, **change}, BEFORE)


@pytest.mark.parametrize("value", [None, "text", 7, []])
def test_what_is_no_request_is_refused(value):
    with pytest.raises(InvalidResult):
        read_request(value, BEFORE)


def test_headers_that_functions_may_not_see_stay():
    assert "x-forwarded-proto" not in request_object(BEFORE)["headers"]
    assert read_request(request_object(BEFORE), BEFORE).headers["x-forwarded-proto"] == ["https"]


@pytest.mark.parametrize(
    "value",
    [
        {"statusCode": "200"},
        {"statusCode": True},
        {"statusCode": 99},
        {"statusCode": 200, "headers": {"content-length": {"value": "3"}}},
        {"statusCode": 200, "headers": {"content-encoding": {"value": "gzip"}}},
        {"statusCode": 200, "body": 7},
        {"statusCode": 200, "body": {"encoding": "base64", "data": "%"}},
    ],
)
def test_responses_that_cloudfront_refuses(value):
    with pytest.raises(InvalidResult):
        read_response(value, Response(200), "viewer-response")


def test_generated_responses_carry_bodies_and_cookies():
    made = read_response(
        {
            "statusCode": 302,
            "headers": {"location": {"value": "/x"}},
            "cookies": {"a": {"value": "1", "attributes": "Path=/"}},
            "body": {"encoding": "base64", "data": "aGk="},
        },
        None,
        "viewer-request",
    )
    assert (made.status, made.body) == (302, b"hi")
    assert made.headers == {"location": ["/x"], "set-cookie": ["a=1; Path=/"]}
    assert read_response({"statusCode": 200, "body": "ü"}, None, "viewer-request").body == "ü".encode()


@given(st.lists(st.tuples(NAMES, st.text(st.sampled_from("abc%20"), max_size=5)), max_size=5))
def test_query_strings_and_cookies_read_back(pairs):
    assert parse_query(format_query(pairs)) == pairs
    assert parse_cookies([format_cookies(pairs)]) == pairs
