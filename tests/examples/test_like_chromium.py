"""What the page runner asks for is what Chromium asks for."""

import time
from typing import Any

import pytest

from .conftest import SLOW_SECONDS, Site, Visitors, reported


def asked_and_reported(site: Site) -> tuple[set[str], dict[str, int]]:
    """Paths, without the icon (a browser without a window shows none), and the sums of the client script's reports."""
    sums = reported(site)
    del sums["s"]
    return {path.split("?")[0] for path in site.paths()} - {"/favicon.svg"}, sums


def none_slow_but_by(site: Site, seconds: float) -> bool:
    """Whether no load is reported as slow, unless it may have been."""
    return reported(site)["s"] <= (seconds > SLOW_SECONDS)


@pytest.mark.browser
@pytest.mark.parametrize("storefront", ["first", "bad"], indirect=True)
@pytest.mark.parametrize("route", ["/checkout", "/about", "/cart"])
def test_the_same_files_and_the_same_reports(storefront: Site, route: str, visitors: Visitors, chromium: Any) -> None:
    began = time.monotonic()
    report = visitors.visit(f"{storefront.address}/", {"click": f"nav a[href='{route}']"})
    ours, our_counts = asked_and_reported(storefront)
    assert none_slow_but_by(storefront, time.monotonic() - began)
    storefront.asked.clear()
    page = chromium.new_page()
    errors: list[object] = []
    page.on("pageerror", lambda error: errors.append(error))
    began = time.monotonic()
    page.goto(f"{storefront.address}/", wait_until="networkidle")
    seconds = time.monotonic() - began
    page.click(f"nav a[href='{route}']")
    end = time.monotonic() + 20
    while asked_and_reported(storefront) != (ours, our_counts) and time.monotonic() < end:
        page.wait_for_timeout(50)
    page.wait_for_timeout(600)  # for what is more than ours: longer than the client script waits before it reports
    rendered = page.inner_text("body").strip() != ""
    page.close()
    theirs, their_counts = asked_and_reported(storefront)
    assert ours == theirs
    assert our_counts == their_counts
    assert none_slow_but_by(storefront, seconds)
    assert len(report["errors"]) == len(errors)
    assert report["rendered"] == rendered
