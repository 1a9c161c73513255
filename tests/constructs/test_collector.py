"""Scheduled retention: off unless asked for, and then the only one that may delete."""

import json
from typing import Any

import pytest

from bluegreen_cdn.constructs import Retention
from bluegreen_cdn.errors import InvalidInput


@pytest.fixture(scope="module")
def collecting(synthesise: Any) -> Any:
    return synthesise(regions=["us-east-1", "eu-west-1"], retention=Retention(keep_last=3, skew_days=14, every_hours=6))


def deleters(templates: Any) -> dict[str, list[Any]]:
    return {
        logical_id: statement["Resource"]
        for logical_id, policy in templates.of_type("AWS::IAM::Policy", "web").items()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "s3:Delete" in json.dumps(statement["Action"])
    }


def test_it_is_off_unless_asked_for(templates: Any) -> None:
    assert "handlers.collect" not in json.dumps(templates.by_stack)
    assert deleters(templates) == {}


def test_it_alone_may_delete_and_only_versions_of_our_own(collecting: Any) -> None:
    ((role, resources),) = deleters(collecting).items()
    assert role.startswith("SiteCollectorHandler")
    text = json.dumps(collecting.by_stack["web"])
    assert "s3:DeleteObjectVersion" in text
    assert '"s3:DeleteObject"' not in text
    assert len(resources) == 2 * 4, "four prefixes in each of two regions"
    assert {json.dumps(resource).rsplit("/", 2)[-2] for resource in resources} == {
        "builds",
        "shared",
        "manifests",
        "condemned",
    }


def test_it_runs_on_its_schedule_with_what_is_kept(collecting: Any) -> None:
    (function,) = [
        function["Properties"]
        for function in collecting.of_type("AWS::Lambda::Function", "web").values()
        if function["Properties"]["Handler"] == "bluegreen_cdn.handlers.collect.handler"
    ]
    assert function["Environment"]["Variables"]["KEEP_LAST"] == "3"
    assert function["Environment"]["Variables"]["SKEW_DAYS"] == "14"
    rules = collecting.of_type("AWS::Events::Rule", "web").values()
    assert "rate(6 hours)" in [rule["Properties"].get("ScheduleExpression") for rule in rules]


@pytest.mark.parametrize("values", [{"keep_last": 0}, {"skew_days": -1}, {"every_hours": 0}, {"every_hours": 10_000}])
def test_numbers_out_of_range(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(values))):
        Retention(**values)
