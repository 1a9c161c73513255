"""This project's own edge code in the simulator: one release through a distribution like the one that is deployed."""

import gzip
import json
import re
import time

import brotli
import pytest

from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.routing import RoutingState
from bluegreen_cdn.domain.tokens import TokenPurpose, sign_token
from bluegreen_cdn.edge_code import edge_handler_path, render_function
from bluegreen_cdn.local.edge.cloud import FunctionRecord

STORE_ARN = "arn:aws:cloudfront::111122223333:key-value-store/bluegreen-shop"
HASHED_ARN = "arn:aws:cloudfront::111122223333:function/hashed"
YEAR = (31_536_000, 31_536_000, 31_536_000)
SCRIPT = "export const shared = 1;\n" * 200
HTML = {"accept": "text/html", "sec_fetch_dest": "document"}


def put_with_variants(site, key: str, body: str, **headers: str) -> None:
    site.put(key, body, **headers)
    site.put(f"{key}.br", brotli.compress(body.encode()), content_encoding="br", **headers)
    site.put(f"{key}.gz", gzip.compress(body.encode(), mtime=0), content_encoding="gzip", **headers)


@pytest.fixture
def shop(site):
    folder, rules = edge_handler_path(), ClassificationRules.default()

    def source(name: str, *, direct: bool = False) -> str:
        return render_function((folder / name).read_text(), rules, "spa", "shop", direct=direct)

    def route(**more):
        state = RoutingState(epoch=1, stable="b1", **more)
        site.cloud.put_store(
            STORE_ARN, routing=state.to_json(), secret="ab" * 32, **{"build/b1": "{}", "build/b2": "{}"}
        )
        if site.server is not None:
            site.refresh()

    route()
    site.route = route
    site.on_request(source("viewer_request.js"))
    code = source("viewer_request.js", direct=True)
    site.cloud.functions[HASHED_ARN] = FunctionRecord(name="hashed", etag="1", code=code, store_arns=(STORE_ARN,))
    hashed = {"Quantity": 1, "Items": [{"EventType": "viewer-request", "FunctionARN": HASHED_ARN}]}
    site.on_response(source("viewer_response.js"))
    site.at_edge((folder / "origin_request.py").read_text())
    site.policy("keyed", headers=["x-build-id"], gzip=True, ttl=YEAR)
    site.policy("by-path", ttl=YEAR)
    site.further.append(
        {
            "PathPattern": "/assets/*",
            "TargetOriginId": "primary",
            "CachePolicyId": "by-path",
            "Compress": False,
            "FunctionAssociations": hashed,
        }
    )
    for build in ("b1", "b2"):
        page = {"content_type": "text/html", "cache_control": "no-cache", "x_amz_meta_build_id": build}
        put_with_variants(site, f"builds/{build}/index.html", f"<p>{build}", **page)
        site.put(f"builds/{build}/favicon.ico", build, cache_control="no-cache", x_amz_meta_build_id=build)
    immutable = {"content_type": "text/javascript", "cache_control": "public, max-age=31536000, immutable"}
    put_with_variants(site, "shared/assets/app-B3x9aZ0q.js", SCRIPT, **immutable)
    return site


def cookies(response) -> dict[str, str]:
    lines = response.headers.get("set-cookie", [])
    return dict(line.partition(";")[0].partition("=")[::2] for line in lines)


def test_documents_files_and_hashed_files_of_the_stable_build(shop):
    page = shop.get("/checkout", **HTML)
    assert (page.status, page.body) == (200, b"<p>b1")
    assert cookies(page)["__Host-bg-build"] == "b1"
    assert re.search(r'bluegreen;desc="b1~\w+~[\w-]{22}"', page.header("server-timing"))
    assert shop.trace.custom_data == ["build=b1 role=stable"]
    assert shop.get("/assets/app-B3x9aZ0q.js").body == SCRIPT.encode()
    assert shop.get("/favicon.ico", cookie="__Host-bg-build=b1").body == b"b1"
    assert shop.asked == ["builds/b1/index.html", "shared/assets/app-B3x9aZ0q.js", "builds/b1/favicon.ico"]


def test_weight_moves_new_visitors_and_the_cookie_keeps_them(shop):
    shop.route(candidate="b2", weight=5000, holdout=0)
    seen = {ip: shop.get("/", ip=ip, user_agent="t", **HTML) for ip in (f"127.0.2.{n}" for n in range(30))}
    assert {page.body for page in seen.values()} == {b"<p>b1", b"<p>b2"}
    page = next(page for page in seen.values() if page.body == b"<p>b2")
    kept = "; ".join(f"{name}={value}" for name, value in cookies(page).items())
    assert all(shop.get("/", ip=f"127.0.3.{n}", cookie=kept, **HTML).body == b"<p>b2" for n in range(10))
    shop.route(candidate="b2", weight=0, holdout=0)
    assert shop.get("/", cookie=kept, **HTML).body == b"<p>b1"
    assert shop.get("/favicon.ico", cookie=kept).body == b"b2"


def test_the_edge_answers_its_own_paths_and_hides_the_buckets(shop):
    release = shop.get("/_bluegreen/release.json", cookie="__Host-bg-build=b0")
    assert json.loads(release.body) == {"stable": "b1", "build": "b0", "next": "b1", "newer": True}
    for hidden in ("/manifests/b1.json", "/shared/assets/app-B3x9aZ0q.js", "/builds/b1/index.html"):
        assert shop.get(hidden).status == 404
    assert shop.asked == []


def test_an_unreadable_store_never_mixes_builds(shop):
    shop.deploy()
    shop.server.edge.locations["us-east-1"].store(STORE_ARN).fault = "unreadable"
    assert shop.get("/", **HTML).status == 503
    assert shop.get("/", cookie="__Host-bg-build=b2", **HTML).body == b"<p>b2"


@pytest.mark.parametrize("sees_the_function_s_request", [True, False])
def test_stickiness_and_previews_need_nothing_that_viewer_request_said(shop, sees_the_function_s_request):
    shop.deploy()
    shop.server.edge.request_headers_visible_in_response = sees_the_function_s_request
    shop.route(candidate="b2", weight=5000)
    for number in range(20):
        page = shop.get("/", ip=f"127.0.2.{number}", user_agent="t", accept_encoding="br", **HTML)
        kept = cookies(page)
        assert set(kept) == {"__Host-bg-build", "__Host-bg-visitor"}
        sent = f"__Host-bg-visitor={kept['__Host-bg-visitor']}"
        again = shop.get("/", ip="127.0.9.9", cookie=sent, accept_encoding="br", **HTML)
        assert again.header("x-amz-meta-build-id") == kept["__Host-bg-build"]
    token = sign_token("ab" * 32, "b2", purpose=TokenPurpose.PREVIEW, expires=int(time.time()) + 60)
    shop.route()
    preview = shop.get(f"/?__bg_preview={token}", **HTML)
    assert (preview.body, cookies(preview)) == (b"<p>b2", {"__Host-bg-preview": token})


@pytest.mark.parametrize(
    ("accepted", "encoding", "key"),
    [
        ("gzip, deflate, br, zstd", "br", ".br"),
        ("gzip, deflate", "gzip", ".gz"),
        ("br;q=0, gzip", "gzip", ".gz"),
        ("identity", None, ""),
        ("", None, ""),
    ],
)
def test_a_hashed_file_comes_as_the_publisher_compressed_it(shop, accepted, encoding, key):
    found = shop.get("/assets/app-B3x9aZ0q.js", accept_encoding=accepted)
    assert (found.status, found.header("content-encoding")) == (200, encoding)
    assert found.header("content-type") == "text/javascript"
    decode = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[encoding]
    assert decode(found.body) == SCRIPT.encode()
    assert shop.asked == [f"shared/assets/app-B3x9aZ0q.js{key}"]


def test_each_variant_is_kept_once_however_it_is_asked_for(shop):
    for accepted in ("gzip, deflate, br", "br", "zstd, br;q=0.8, gzip"):
        shop.get("/assets/app-B3x9aZ0q.js", accept_encoding=accepted)
    assert shop.asked == ["shared/assets/app-B3x9aZ0q.js.br"]


def test_revalidation_and_head_are_of_the_variant(shop):
    first = shop.get("/assets/app-B3x9aZ0q.js", accept_encoding="br")
    again = shop.get("/assets/app-B3x9aZ0q.js", accept_encoding="br", if_none_match=first.header("etag"))
    assert (again.status, again.body) == (304, b"")
    # What a viewer kept of another encoding says nothing about this one.
    other = shop.get("/assets/app-B3x9aZ0q.js", accept_encoding="gzip", if_none_match=first.header("etag"))
    assert (other.status, gzip.decompress(other.body)) == (200, SCRIPT.encode())
    head = shop.get("/assets/app-B3x9aZ0q.js", method="HEAD", accept_encoding="br")
    assert (head.header("content-encoding"), head.header("etag")) == ("br", first.header("etag"))


def test_a_part_is_of_the_file_itself(shop):
    part = shop.get("/assets/app-B3x9aZ0q.js", accept_encoding="gzip, br", range="bytes=0-5")
    assert (part.status, part.body, part.header("content-encoding")) == (206, b"export", None)
    # What was begun as brotli cannot be gone on with: the whole comes instead, as If-Range asks.
    begun = shop.get("/assets/app-B3x9aZ0q.js", accept_encoding="br").header("etag")
    whole = shop.get("/assets/app-B3x9aZ0q.js", accept_encoding="br", range="bytes=9-", if_range=begun)
    assert (whole.status, whole.body) == (200, SCRIPT.encode())


def test_a_document_comes_compressed_and_still_leaves_its_build_behind(shop):
    page = shop.get("/checkout", accept_encoding="gzip, br", **HTML)
    assert (page.header("content-encoding"), brotli.decompress(page.body)) == ("br", b"<p>b1")
    assert cookies(page)["__Host-bg-build"] == "b1"
    assert "server-timing" in page.headers
    assert not page.header("etag").startswith("W/")
    fresh = shop.get("/checkout", accept_encoding="gzip, br", if_none_match=page.header("etag"), **HTML)
    assert (fresh.status, cookies(fresh)["__Host-bg-build"]) == (304, "b1")
    assert shop.asked == ["builds/b1/index.html.br"]


def test_a_page_in_a_hashed_folder_comes_compressed(shop):
    page = shop.get("/assets/list", accept_encoding="br", **HTML)
    assert (page.header("content-encoding"), brotli.decompress(page.body)) == ("br", b"<p>b1")


def test_behaviours_may_lag_behind_the_rules(shop):
    """A folder is hashed for the functions before or after it has a behaviour of its own: both find its other files."""
    shop.put("builds/b1/assets/hero.jpg", "hero", x_amz_meta_build_id="b1")
    shop.put("builds/b1/docs/hero.jpg", "other", x_amz_meta_build_id="b1")
    assert shop.get("/assets/hero.jpg").body == b"hero"
    lagging = dict(shop.further[0], PathPattern="/docs/*")
    shop.further[:] = [lagging]
    shop.deploy()
    assert shop.get("/assets/hero.jpg").body == b"hero"
    assert shop.get("/docs/hero.jpg").body == b"other"


def test_the_edge_compresses_what_has_no_variants(shop):
    shop.put("builds/b1/font.woff", b"x" * 5000, content_type="font/ttf", x_amz_meta_build_id="b1")
    font = shop.get("/font.woff", accept_encoding="gzip")
    assert (font.header("content-encoding"), gzip.decompress(font.body)) == ("gzip", b"x" * 5000)
