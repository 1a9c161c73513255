import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bluegreen_cdn import defaults
from bluegreen_cdn.domain.tokens import TokenPurpose, verify_token


def test_the_link_opens_one_build_until_it_expires(shop: Any, bluegreen: Any) -> None:
    code, said, _ = bluegreen("preview", "three", "--path", "/checkout?step=2#top", "--minutes", "10")
    assert code == 0
    link = urlsplit(said.strip())
    assert (link.scheme, link.netloc, link.path, link.fragment) == ("https", "d111.cloudfront.net", "/checkout", "top")
    query = parse_qs(link.query)
    assert query["step"] == ["2"]
    secret, (token,), now = shop.store.values[defaults.SECRET_KEY], query["__bg_preview"], int(shop.clock.now())
    for moment, build in ((now, "three"), (now + 600, "three"), (now + 601, None)):
        assert verify_token(secret, token, purpose=TokenPurpose.PREVIEW, now=moment) == build
    assert verify_token(secret, token, purpose=TokenPurpose.BEACON, now=now) is None


def test_scripts_get_json(shop: Any, bluegreen: Any) -> None:
    value = json.loads(bluegreen("preview", "three", "--json")[1])
    assert (value["build"], value["minutes"]) == ("three", 60)
    assert value["link"].startswith("https://d111.cloudfront.net/?__bg_preview=three~")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nope"], "there is no build 'nope'"),
        (["old"], "under other classification rules"),
        (["three", "--path", "//elsewhere"], "must begin with one '/'"),
        (["three", "--base-url", "www.example.com"], "it must be scheme and host"),
        (["three", "--minutes", "0"], "0 is not in the range"),
    ],
)
def test_what_cannot_be_shown_is_refused(shop: Any, bluegreen: Any, arguments: list[str], reason: str) -> None:
    code, said, complaint = bluegreen("preview", *arguments)
    assert code != 0
    assert reason in complaint
    assert said == ""


def test_a_site_with_a_name_of_its_own_is_shown_there(shop: Any, bluegreen: Any) -> None:
    said = bluegreen("preview", "three", "--base-url", "https://www.example.com/")[1]
    assert said.startswith("https://www.example.com/?__bg_preview=three~")
