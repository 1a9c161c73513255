import json
from typing import Any

from bluegreen_cdn.domain.observation import DeploymentStatus


def test_every_release_with_its_outcome(shop: Any, bluegreen: Any) -> None:
    shop.begin("three")
    shop.releases.end(DeploymentStatus.FAILED)
    shop.records.messages["d-2"] = "a hook\nfailed"
    bluegreen("rollback", "--to", "one", "--yes")
    lines = [line.split("\t") for line in bluegreen("history")[1].splitlines()]
    assert [[line[1], line[2], line[3], line[6]] for line in lines] == [
        ["three", "two", "failed", "a hook failed"],
        ["two", "one", "withdrawn", "rolled back by hand, to build one"],
    ]
    assert [release["result"] for release in json.loads(bluegreen("history", "--json")[1])["releases"]] == [
        "failed",
        "withdrawn",
    ]


def test_the_first_deploy_is_no_release(shop: Any, bluegreen: Any) -> None:
    shop.releases.history.clear()
    assert bluegreen("history")[1] == "site shop has had no release since its first deploy\n"
