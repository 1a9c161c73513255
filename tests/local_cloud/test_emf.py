"""Embedded metric format, line by line."""

import json

import pytest

from bluegreen_cdn.local.cloud.emf import EmbeddedMetric, parse_line


def line(**changes: object) -> str:
    header = {
        "Timestamp": 1_700_000_000_500,
        "CloudWatchMetrics": [
            {"Namespace": "Shop", "Dimensions": [["site", "role"]], "Metrics": [{"Name": "PageLoads", "Unit": "Count"}]}
        ],
    }
    return json.dumps({"_aws": header, "site": "shop", "role": "candidate", "PageLoads": 2, "build": "b1", **changes})


def test_a_metric_has_exactly_its_dimensions_and_time() -> None:
    assert parse_line(line()) == [
        EmbeddedMetric(
            namespace="Shop",
            name="PageLoads",
            dimensions={"site": "shop", "role": "candidate"},
            unit="Count",
            values=(2.0,),
            timestamp=1_700_000_000.5,
        )
    ]


def test_a_list_is_many_values() -> None:
    (metric,) = parse_line(line(PageLoads=[1, 2.5]))
    assert metric.values == (1.0, 2.5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain text",
        "{not json",
        '{"a": 1}',
        '{"_aws": 3}',
        '{"_aws": {"Timestamp": "x", "CloudWatchMetrics": []}}',
        line(PageLoads="many"),
        line(PageLoads=[]),
        line(PageLoads=True),
    ],
)
def test_what_is_no_metric_gives_none(text: str) -> None:
    assert parse_line(text) == []


def test_a_set_of_dimensions_that_the_document_lacks_is_left_out() -> None:
    document = json.loads(line())
    document["_aws"]["CloudWatchMetrics"][0]["Dimensions"] = [["site"], ["site", "region"]]
    assert [metric.dimensions for metric in parse_line(json.dumps(document))] == [{"site": "shop"}]
