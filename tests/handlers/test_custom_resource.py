"""Answering CloudFormation: always once, always in time, and never with a secret."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from bluegreen_cdn.errors import BuildConflict
from bluegreen_cdn.handlers.custom_resource import ResourceAnswer, ResourceRequest, custom_resource


@custom_resource
def greet(request: ResourceRequest) -> ResourceAnswer:
    """Greet."""
    name = request.text("Name")
    return ResourceAnswer(
        physical_id=f"greeting-{name}", data={"Text": f"hello {name}", "Was": str(request.physical_id)}
    )


def test_a_create_is_answered(formation: Any, context: Callable[..., Any]) -> None:
    greet(formation.event(), context())
    assert formation.answer == {
        "Status": "SUCCESS",
        "PhysicalResourceId": "greeting-ada",
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Publish",
        "Data": {"Text": "hello ada", "Was": "None"},
    }
    # The presigned URL was signed without one.
    assert formation.headers[0].get("Content-Type", "") == ""


def test_an_update_sees_the_present_id_and_may_change_it(formation: Any, context: Callable[..., Any]) -> None:
    greet(formation.event("Update"), context())
    assert formation.answer["Data"]["Was"] == "before"
    assert formation.answer["PhysicalResourceId"] == "greeting-ada"


def test_a_delete_succeeds_without_doing_anything(formation: Any, context: Callable[..., Any]) -> None:
    @custom_resource
    def never(request: ResourceRequest) -> ResourceAnswer:
        raise AssertionError("must not be called")

    never(formation.event("Delete"), context())
    assert (formation.answer["Status"], formation.answer["PhysicalResourceId"]) == ("SUCCESS", "before")


@pytest.mark.parametrize(("kind", "physical_id"), [("Create", "failed-request"), ("Update", "before")])
def test_an_error_of_ours_is_the_reason(
    formation: Any, kind: str, physical_id: str, context: Callable[..., Any]
) -> None:
    @custom_resource
    def refuse(request: ResourceRequest) -> ResourceAnswer:
        raise BuildConflict("build 'one' exists\nand differs")

    refuse(formation.event(kind), context())
    assert formation.answer["Status"] == "FAILED"
    assert formation.answer["Reason"] == "build 'one' exists and differs"
    assert formation.answer["PhysicalResourceId"] == physical_id


def test_an_error_of_nobody_is_answered_too(formation: Any, context: Callable[..., Any]) -> None:
    @custom_resource
    def stumble(request: ResourceRequest) -> ResourceAnswer:
        raise ZeroDivisionError("by zero")

    stumble(formation.event(), context())
    assert formation.answer["Reason"] == "ZeroDivisionError: by zero; the function's log has the details"


def test_a_missing_property_is_named(formation: Any, context: Callable[..., Any]) -> None:
    greet(formation.event(ResourceProperties={}), context())
    assert "property Name of the custom resource is None" in formation.answer["Reason"]


@pytest.mark.parametrize("character", ["x", "ü", "\U0001f30d", '"'])
def test_the_whole_answer_stays_within_what_cloudformation_takes(
    formation: Any, character: str, context: Callable[..., Any]
) -> None:
    @custom_resource
    def complain(request: ResourceRequest) -> ResourceAnswer:
        raise BuildConflict(character * 10_000)

    complain(formation.event(StackId="arn:" + "s" * 500, LogicalResourceId="L" * 255), context())
    assert formation.answer["Reason"].startswith(character * 100)
    assert formation.sizes[0] <= 4096


def test_a_function_about_to_run_out_of_time_says_so_once(formation: Any, context: Callable[..., Any]) -> None:
    @custom_resource
    def dawdle(request: ResourceRequest) -> ResourceAnswer:
        assert formation.arrived.wait(timeout=10)
        return ResourceAnswer(physical_id="late")

    dawdle(formation.event(), context(seconds=20.05))
    assert formation.answer["Status"] == "FAILED"
    assert "ran out of time" in formation.answer["Reason"]


def test_neither_properties_nor_the_answers_url_are_logged(
    formation: Any, caplog: pytest.LogCaptureFixture, context: Callable[..., Any]
) -> None:
    caplog.set_level(logging.DEBUG)
    greet(formation.event(), context())
    assert "Publish" in caplog.text
    assert "hunter2" not in caplog.text
    assert "top-secret" not in caplog.text
