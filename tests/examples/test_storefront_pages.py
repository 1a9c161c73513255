"""The storefront's pages, run: good builds work, the bad one fails where it should."""

import pytest

from bluegreen_cdn.local.rehearsal.example_builds import example_build

from .conftest import Answer, Site, Visitors, reported


@pytest.mark.parametrize(("storefront", "build"), [("first", "first"), ("second", "second")], indirect=["storefront"])
def test_a_good_build_sells(storefront: Site, build: str, visitors: Visitors) -> None:
    report = visitors.visit(
        f"{storefront.address}/",
        {"click": "a[href='/products/rope']"},
        {"click": "#add"},
        {"click": "nav a[href='/cart']"},
        {"click": "nav a[href='/checkout']"},
        read=["#build", "#locale-build", "#total"],
    )
    assert report["ok"], report
    assert report["texts"] == {"#build": build, "#locale-build": build, "#total": "£18.75"}
    assert report["build"] == build
    assert reported(storefront) == {"l": 1, "e": 0, "a": 0, "s": 0}


@pytest.mark.parametrize("storefront", ["first"], indirect=True)
def test_a_visit_asks_for_every_kind_of_file(storefront: Site, visitors: Visitors) -> None:
    report = visitors.visit(f"{storefront.address}/", {"click": "nav a[href='/checkout']"})
    kinds = {request["kind"] for request in report["requests"]}
    assert kinds == {"document", "script", "module", "style", "font", "image", "icon", "fetch", "beacon"}
    asked = set(storefront.paths())
    assert {"/locales/en.json", "/logo.svg", "/assets/banner.png", "/favicon.svg"} <= asked
    assert sorted(asked) == sorted(storefront.paths())


@pytest.mark.parametrize("storefront", ["first", "second", "bad"], indirect=True)
@pytest.mark.parametrize("path", ["/", "/products/kettle", "/cart", "/about"])
def test_pages_other_than_the_checkout_work_in_every_build(storefront: Site, path: str, visitors: Visitors) -> None:
    report = visitors.visit(f"{storefront.address}{path}")
    assert report["ok"], report


@pytest.mark.parametrize("storefront", ["bad"], indirect=True)
@pytest.mark.parametrize("directly", [True, False])
def test_the_bad_checkout_throws_and_is_reported(storefront: Site, directly: bool, visitors: Visitors) -> None:
    if directly:
        report = visitors.visit(f"{storefront.address}/checkout")
    else:
        report = visitors.visit(f"{storefront.address}/", {"click": "nav a[href='/checkout']"})
    assert not report["ok"]
    assert not report["rendered"]
    assert [error["type"] for error in report["errors"]] == ["error"]
    assert "TypeError" in report["errors"][0]["message"]
    assert reported(storefront) == {"l": 1, "e": 1, "a": 0, "s": 0}


@pytest.mark.parametrize("storefront", ["first"], indirect=True)
def test_a_chunk_that_is_gone_breaks_the_page(storefront: Site, visitors: Visitors) -> None:
    (chunk,) = example_build("storefront", "first").glob("assets/checkout-*.js")
    storefront.serve({f"/assets/{chunk.name}": Answer("gone", 404)})
    report = visitors.visit(f"{storefront.address}/", {"click": "nav a[href='/checkout']"})
    storefront.answers.pop(f"/assets/{chunk.name}")
    assert not report["ok"]
    # By the preload, whose failure is an event of its link, and (if that has failed by then) again by the import.
    assert {request["kind"] for request in report["requests"] if request["status"] == 404} == {"module"}
    assert [error["type"] for error in report["errors"]] == ["resource", "error"]
    assert "Failed to fetch dynamically imported module" in report["errors"][1]["message"]
    assert reported(storefront)["a"] == 1
