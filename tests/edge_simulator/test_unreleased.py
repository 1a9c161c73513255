"""What nobody gets without a preview token: manifests, and the entries of a build that is published, not released."""

import contextlib
import gzip
import time

import brotli
import pytest

from bluegreen_cdn.domain.tokens import TokenPurpose, sign_token

from .test_own_functions import HTML, put_with_variants, shop  # noqa: F401  the fixture

SECRET = "ab" * 32
FORGED = {
    "no cookie": "",
    "the last document's build": "__Host-bg-build=b2",
    "a slot of it": "__Host-bg-visitor=1.0123456789abcdef.b2.0",
    "both": "__Host-bg-build=b2; __Host-bg-visitor=1.0123456789abcdef.b2.0",
    "a negative slot": "__Host-bg-visitor=1.0123456789abcdef.b2.-1",
    "a preview that is none": "__Host-bg-preview=b2; __Host-bg-build=b2",
}
PATHS = (
    "/", "/index.html", "/checkout", "/index.html.br", "/index.html.gz",
    "/builds/b2", "/builds/b2/", "/builds/b2/index.html", "/builds/b2/index.html.br", "/builds/b2/INDEX.HTML",
    "/builds/b2/checkout", "/builds/b2//index.html", "/builds/b2/./index.html", "/builds/x/../b2/index.html",
    "/builds/b2/%69ndex.html", "/builds%2Fb2%2Findex.html", "/%62uilds/b2/index.html", "//builds/b2/index.html",
    "/builds/b1/../b2/index.html", "/builds/b1/%2e%2e/b2/index.html", "/builds/b1/..%2fb2%2findex.html",
    "/assets/../builds/b2/index.html", "/../builds/b2/index.html", "/builds\\b2\\index.html",
    "/manifests/b2.json", "/manifests/b2.json.br", "/manifests/b2.json.gz", "/manifests/b2.claim", "/manifests/",
    "/%6danifests/b2.json", "/manifests%2Fb2.json", "//manifests/b2.json", "/./manifests/b2.json",
    "/assets/../manifests/b2.json", "/builds/../manifests/b2.json", "/builds/b1/../../manifests/b2.json",
    "/shared/../manifests/b2.json", "/condemned/1.json",
)  # fmt: skip


@pytest.fixture
def published(shop):  # noqa: F811
    """The shop, with b2 published beside the stable b1."""
    put_with_variants(shop, "manifests/b2.json", "manifest of b2", content_type="application/json")
    shop.put("manifests/b2.claim", "claim of b2")
    shop.put("condemned/1.json", "condemned")
    return shop


def leaks(site, **request: str) -> list[str]:
    """The paths that give away something of b2, or by which the bucket is asked for what is never a viewer's."""
    found = []
    for path in PATHS:
        before = len(site.asked)
        answer = site.get(path, **request)
        asked = [key for key in site.asked[before:] if key.startswith(("manifests/", "condemned/"))]
        if asked or (answer.status == 200 and any(b"b2" in seen for seen in unpacked(answer.body))):
            found.append(f"{path}: {answer.status} {answer.body[:40]!r} {asked}")
    return found


def unpacked(body: bytes) -> list[bytes]:
    """A body and, if it is compressed, what it says."""
    seen = [body]
    for unpack in (brotli.decompress, gzip.decompress):
        with contextlib.suppress(brotli.error, OSError, EOFError):
            seen.append(unpack(body))
    return seen


@pytest.mark.parametrize("cookie", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("wanted", [HTML, {"accept": "*/*", "sec_fetch_dest": "script"}, {"accept": "*/*"}, {}])
def test_no_path_and_no_forged_cookie_leads_to_them(published, cookie, wanted):
    assert leaks(published, **wanted, **({"cookie": cookie} if cookie else {})) == []


@pytest.mark.parametrize("cookie", FORGED.values(), ids=FORGED)
def test_nor_while_it_is_a_candidate_at_weight_0(published, cookie):
    published.route(candidate="b2", weight=0, holdout=500)
    assert leaks(published, **HTML, **({"cookie": cookie} if cookie else {})) == []


def test_headers_of_the_viewers_own_choose_nothing(published):
    forged = {"x_build_id": "b2", "x_bluegreen_visitor": "b2.0.-", "x_bluegreen_role": "candidate"}
    assert leaks(published, **HTML, **forged) == []


def token(build: str = "b2", *, purpose: TokenPurpose = TokenPurpose.PREVIEW, secret: str = SECRET, seconds=60) -> str:
    return sign_token(secret, build, purpose=purpose, expires=int(time.time()) + seconds)


def test_a_preview_token_opens_the_entries_and_still_no_manifest(published):
    good = token()
    page = published.get(f"/?__bg_preview={good}", **HTML)
    assert (page.status, page.body) == (200, b"<p>b2")
    kept = f"__Host-bg-preview={good}"
    assert published.get("/checkout", cookie=kept, **HTML).body == b"<p>b2"
    assert published.get("/builds/b2/index.html", cookie=kept, **HTML).status == 404
    for path in (path for path in PATHS if "manifests" in path):
        assert b"manifest of" not in published.get(path, cookie=kept, **HTML).body, path
    assert not [key for key in published.asked if key.startswith("manifests/")]


@pytest.mark.parametrize(
    "forged",
    [
        token(seconds=-2),
        token(secret="00" * 32),
        token(purpose=TokenPurpose.BEACON),
        token("b1").replace("b1~", "b2~", 1),
        token()[:-1],
        token() + "A",
        "b2",
        "b2~zzzzzz~" + "A" * 22,
    ],
    ids=["expired", "another secret", "a beacon's", "another build's", "cut", "longer", "no token", "made up"],
)
def test_a_token_that_is_none_opens_nothing(published, forged):
    assert published.get(f"/?__bg_preview={forged}", **HTML).body == b"<p>b1"
    assert leaks(published, **HTML, cookie=f"__Host-bg-preview={forged}") == []
