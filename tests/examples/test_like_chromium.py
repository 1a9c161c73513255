"""What the page runner asks for is what Chromium asks for."""

from typing import Any

import pytest

from .conftest import Site, Visitors, reported


def asked_and_reported(site: Site) -> tuple[set[str], dict[str, int]]:
    """Paths, without the icon (a browser without a window shows none), and the sums of the client script's reports."""
    paths = {path.split("?")[0] for path in site.paths()} - {"/favicon.svg"}
    sums = reported(site)
    site.asked.clear()
    return paths, sums


@pytest.mark.browser
@pytest.mark.parametrize("storefront", ["first", "bad"], indirect=True)
@pytest.mark.parametrize("route", ["/checkout", "/about", "/cart"])
def test_the_same_files_and_the_same_reports(storefront: Site, route: str, visitors: Visitors, chromium: Any) -> None:
    report = visitors.visit(f"{storefront.address}/", {"click": f"nav a[href='{route}']"})
    ours, our_counts = asked_and_reported(storefront)
    page = chromium.new_page()
    errors: list[object] = []
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(f"{storefront.address}/", wait_until="networkidle")
    page.click(f"nav a[href='{route}']")
    page.wait_for_timeout(600)  # longer than the client script waits before it reports
    rendered = page.inner_text("body").strip() != ""
    page.close()
    theirs, their_counts = asked_and_reported(storefront)
    assert ours == theirs
    assert our_counts == their_counts
    assert len(report["errors"]) == len(errors)
    assert report["rendered"] == rendered
