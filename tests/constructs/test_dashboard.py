"""The dashboard: what every widget shows is a metric that exists."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from bluegreen_cdn import defaults
from bluegreen_cdn.domain.expressions import Role
from bluegreen_cdn.domain.verdict import METRIC_NAMES

from .conftest import Synthesise, Templates

CLOUDFRONT = {"Requests": "Sum", "BytesDownloaded": "Sum", "BytesUploaded": "Sum", "4xxErrorRate": "Average",
              "5xxErrorRate": "Average", "TotalErrorRate": "Average"}  # fmt: skip
ADDITIONAL = {"CacheHitRate": "Average", "OriginLatency": "Average", "401ErrorRate": "Average"}
"""From "Types of metrics for CloudFront" in its developer guide: each has one statistic that means anything."""


def body(dashboard: dict[str, Any]) -> dict[str, Any]:
    """The dashboard's text, with every reference to another resource as `<…>`."""
    parts = dashboard["Properties"]["DashboardBody"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else f"<{json.dumps(part)}>".replace('"', "'") for part in parts)
    found: dict[str, Any] = json.loads(text)
    return found


def rows(widget: dict[str, Any]) -> Iterator[list[Any]]:
    """The lines of `metrics`, with the abbreviation `.` (as above) written out."""
    above: list[Any] = []
    for row in widget["properties"].get("metrics", []):
        full = [above[index] if item == "." else item for index, item in enumerate(row)]
        yield full
        above = full


def metrics(widgets: list[dict[str, Any]]) -> Iterator[tuple[str, str, dict[str, str], str, int]]:
    """Namespace, name, dimensions, statistic and period of every line that is no expression."""
    for widget in widgets:
        for row in rows(widget):
            if isinstance(row[0], dict):
                continue
            options = row[-1] if isinstance(row[-1], dict) else {}
            names = [item for item in row if not isinstance(item, dict)]
            dimensions = dict(zip(names[2::2], names[3::2], strict=True))
            default = widget["properties"]
            yield (
                names[0],
                names[1],
                dimensions,
                options.get("stat", default.get("stat", "Average")),
                options.get("period", default.get("period", 300)),
            )


@pytest.fixture(scope="module")
def shown(templates: Templates) -> list[dict[str, Any]]:
    widgets: list[dict[str, Any]] = body(templates.only("AWS::CloudWatch::Dashboard"))["widgets"]
    return widgets


def test_it_shows_share_rates_alarms_drift_and_cache(shown: list[dict[str, Any]]) -> None:
    names = {name for _, name, *_ in metrics(shown)}
    assert {*METRIC_NAMES, *defaults.SYNC_METRICS, "Requests", "5xxErrorRate", "CacheHitRate"} <= names
    (alarms,) = (widget for widget in shown if widget["type"] == "alarm")
    assert len(alarms["properties"]["alarms"]) == 5


def test_every_metric_has_the_dimensions_and_a_statistic_that_it_is_written_with(shown: list[dict[str, Any]]) -> None:
    for namespace, name, dimensions, statistic, period in metrics(shown):
        assert period % 60 == 0
        if namespace == "AWS/CloudFront":
            assert statistic == {**CLOUDFRONT, **ADDITIONAL}[name]
            assert set(dimensions) == {"DistributionId", "Region"}
            assert dimensions["Region"] == "Global"
        elif name in METRIC_NAMES:
            assert (namespace, statistic) == (defaults.METRIC_NAMESPACE, "Sum")
            assert dimensions == {"site": "shop", "role": dimensions["role"]}
            assert dimensions["role"] in set(Role)
        else:
            assert (namespace, dimensions) == (defaults.METRIC_NAMESPACE, {"site": "shop"})
            assert name in defaults.SYNC_METRICS


def test_expressions_use_what_is_there_and_never_divide_by_nothing_shown(shown: list[dict[str, Any]]) -> None:
    for widget in shown:
        ids = {row[-1]["id"] for row in rows(widget) if isinstance(row[-1], dict) and "id" in row[-1]}
        for row in rows(widget):
            if isinstance(row[0], dict):
                assert set(re.findall(r"\b[a-z]\w*", row[0]["expression"])) <= ids, row


def test_it_stands_in_the_region_of_its_metrics(shown: list[dict[str, Any]]) -> None:
    for widget in shown:
        if "region" in widget["properties"]:
            # The stack's own, which a site refuses unless it is us-east-1.
            assert widget["properties"]["region"] in ("us-east-1", "<{'Ref': 'AWS::Region'}>")


def test_nothing_overlaps_and_nothing_is_wider_than_the_grid(shown: list[dict[str, Any]]) -> None:
    taken: set[tuple[int, int]] = set()
    for widget in shown:
        cells = {(widget["x"] + x, widget["y"] + y) for x in range(widget["width"]) for y in range(widget["height"])}
        assert not taken & cells
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_additional_metrics_are_switched_on_for_this_distribution(templates: Templates) -> None:
    subscription = templates.only("AWS::CloudFront::MonitoringSubscription")["Properties"]
    config = subscription["MonitoringSubscription"]["RealtimeMetricsSubscriptionConfig"]
    assert config == {"RealtimeMetricsSubscriptionStatus": "Enabled"}
    assert "Distribution" in json.dumps(subscription["DistributionId"])


def test_without_it_nothing_of_it_is_paid_for(synthesise: Synthesise) -> None:
    bare = synthesise(dashboard=False)
    assert not bare.of_type("AWS::CloudWatch::Dashboard")
    assert not bare.of_type("AWS::CloudFront::MonitoringSubscription")


def test_one_of_ones_own_can_leave_the_cache_out(synthesise: Synthesise) -> None:
    from bluegreen_cdn.constructs import BlueGreenSite, ReleaseDashboard

    def after(stack: Any, site: BlueGreenSite) -> None:
        ReleaseDashboard(
            stack,
            "Mine",
            name="shop",
            distribution_id=site.distribution.distribution_id,
            release_alarms=site.release_alarms,
            sync=site.sync,
            cache_metrics=False,
        )

    templates = synthesise(dashboard=False, after=after)
    names = {name for _, name, *_ in metrics(body(templates.only("AWS::CloudWatch::Dashboard"))["widgets"])}
    assert "CacheHitRate" not in names
    assert not templates.of_type("AWS::CloudFront::MonitoringSubscription")
