import json
from typing import Any

from bluegreen_cdn.domain.control import Outcome, OutcomeKind
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


def test_what_the_stack_refused_is_listed_as_far_back_as_the_deployments(shop: Any, bluegreen: Any) -> None:
    def refused(check: str, at: float) -> None:
        note = Outcome(build="three", deployment=check, kind=OutcomeKind.REFUSED, reason="not complete", at=int(at))
        shop.store.write(note.puts())

    created = max(made.created for made in shop.releases.history)
    refused("check-0", created - 1)
    refused("check-1", created + 50)
    builds = [[line.split("\t")[place] for place in (1, 2, 3, 5, 6)] for line in bluegreen("history")[1].splitlines()]
    assert builds[0] == ["three", "?", "refused", "check-1", "not complete"]
    assert [line[3] for line in builds].count("check-0") == 1
    limited = bluegreen("history", "--limit", "1")[1].splitlines()
    assert [line.split("\t")[5] for line in limited] == ["check-1", shop.releases.history[0].id]
