"""Conditions, ranges and compression."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.local.edge import delivery
from bluegreen_cdn.local.edge.delivery import compressed, for_viewer
from bluegreen_cdn.local.edge.messages import Request, Response

BODY = b"0123456789"


def answer(body=BODY, **headers):
    named = {"etag": '"e1"', "content-type": "text/css", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return Response(200, {name: [value] for name, value in named.items()}, body)


def ask(response, **headers):
    named = {name.replace("_", "-"): [value] for name, value in headers.items()}
    return for_viewer(response, Request("GET", "/a", headers=named))


@pytest.mark.parametrize("condition", ['"e1"', 'W/"e1"', '"x", "e1"', "*"])
def test_a_copy_that_is_still_good_is_not_sent_again(condition):
    found = ask(answer(), if_none_match=condition)
    assert (found.status, found.body) == (304, b"")
    assert found.header("etag") == '"e1"'


def test_another_etag_gets_the_whole():
    assert ask(answer(), if_none_match='"e2"').status == 200


def test_dates_count_only_without_etag_condition():
    modified = answer(last_modified="Thu, 01 Jan 2026 00:00:00 GMT")
    assert ask(modified, if_modified_since="Thu, 01 Jan 2026 00:00:00 GMT").status == 304
    assert ask(modified, if_modified_since="Wed, 31 Dec 2025 00:00:00 GMT").status == 200
    assert ask(modified, if_modified_since="nonsense").status == 200
    assert ask(modified, if_none_match='"e2"', if_modified_since="Thu, 01 Jan 2027 00:00:00 GMT").status == 200


@given(first=st.integers(0, 12), last=st.integers(0, 14))
def test_a_range_is_the_same_part_that_slicing_gives(first, last):
    found = ask(answer(), range=f"bytes={first}-{last}")
    if last < first:
        assert found.status == 200
    elif first >= len(BODY):
        assert (found.status, found.header("content-range")) == (416, "bytes */10")
    else:
        assert (found.status, found.body) == (206, BODY[first : last + 1])
        assert found.header("content-range") == f"bytes {first}-{min(last, 9)}/10"


def test_open_and_suffix_ranges():
    assert ask(answer(), range="bytes=7-").body == b"789"
    assert ask(answer(), range="bytes=-3").body == b"789"
    assert ask(answer(), range="bytes=-0").status == 416
    assert ask(answer(), range="bytes=-").status == 200
    assert ask(answer(), range="bytes=0-1,3-4").status == 200
    assert ask(answer(), range="bytes=0-1", if_range='"old"').status == 200
    assert ask(answer(), range="bytes=0-1", if_range='"e1"').status == 206


LONG = b"a { color: red }\n" * 200


def test_text_is_compressed_and_its_etag_weakened():
    found = compressed(answer(LONG), "gzip")
    assert gzip.decompress(found.body) == LONG
    assert found.header("content-encoding") == "gzip"
    assert found.header("etag") == 'W/"e1"'
    assert found.header("vary") == "Accept-Encoding"


def test_brotli_comes_first_where_it_is_there(monkeypatch):
    if delivery.brotli is not None:
        assert compressed(answer(LONG), "br,gzip").header("content-encoding") == "br"
    monkeypatch.setattr(delivery, "brotli", None)
    assert compressed(answer(LONG), "br,gzip").header("content-encoding") == "gzip"
    assert compressed(answer(LONG), "br").body == LONG


@pytest.mark.parametrize(
    "response",
    [
        answer(b"short"),
        answer(LONG, content_type="image/png"),
        answer(LONG, content_encoding="br"),
        Response(404, {"content-type": ["text/html"]}, LONG),
    ],
)
def test_what_cloudfront_leaves_alone_is_left_alone(response):
    assert compressed(response, "br,gzip") is response
