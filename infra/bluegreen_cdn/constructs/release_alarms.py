"""What takes a candidate back: the verdict of its visitors' browsers, and errors of the origin."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from bluegreen_cdn.constructs.client_metrics import client_metric
from bluegreen_cdn.constructs.names import check_site_name, resource_name
from bluegreen_cdn.domain.verdict import MetricMath, Verdict

EDGE_ERROR_PERCENT = 5
EDGE_ERROR_MINIMUM_REQUESTS = 100
EDGE_ERROR_EVALUATION_MINUTES = 3
EDGE_ERROR_MINUTES_TO_ALARM = 2


class ReleaseAlarms(Construct):
    """The alarms that stop a release. Missing data is no alarm: a quiet site can be released.

    Attributes:
        verdict: The candidate is worse than stable.
        edge_errors: Too many answers are 5xx.
        alarms: Both, and the user's own.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        distribution_id: str,
        verdict: Verdict | None = None,
        alarms: Sequence[cloudwatch.IAlarm] = (),
    ) -> None:
        """Create the alarms.

        Args:
            scope: Where they belong, in a stack in us-east-1, where CloudFront's metrics are.
            construct_id: Their id there.
            name: The site's name.
            distribution_id: The distribution.
            verdict: How much worse a candidate may look, and on how many page loads. Default: `Verdict()`.
            alarms: The user's own, which stop a release just the same; of this account and region. Default: none.
        """
        super().__init__(scope, construct_id)
        check_site_name(name)
        self.verdict: cloudwatch.Alarm = self._verdict(name, (verdict or Verdict()).metric_math())
        self.edge_errors: cloudwatch.Alarm = self._edge_errors(name, distribution_id)
        self.alarms: tuple[cloudwatch.IAlarm, ...] = (self.verdict, self.edge_errors, *alarms)

    def _verdict(self, name: str, math: MetricMath) -> cloudwatch.Alarm:
        period = Duration.seconds(math.period_seconds)
        known: dict[str, cloudwatch.IMetric] = {
            metric.id: client_metric(name, metric.name, metric.role, period) for metric in math.metrics
        }
        for query in math.queries:
            used = {id_: known[id_] for id_ in sorted(set(re.findall(r"\w+", query.expression))) if id_ in known}
            known[query.id] = cloudwatch.MathExpression(
                expression=query.expression, using_metrics=used, label=query.label, period=period
            )
        return cloudwatch.Alarm(
            self,
            "Verdict",
            alarm_name=resource_name(name, "verdict"),
            alarm_description="The candidate's pages go wrong more often than stable's, by more than chance",
            metric=known[math.queries[-1].id],
            threshold=math.threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=math.evaluation_periods,
            datapoints_to_alarm=math.datapoints_to_alarm,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _edge_errors(self, name: str, distribution_id: str) -> cloudwatch.Alarm:
        def metric(metric_name: str, statistic: str) -> cloudwatch.Metric:
            return cloudwatch.Metric(
                namespace="AWS/CloudFront",
                metric_name=metric_name,
                dimensions_map={"DistributionId": distribution_id, "Region": "Global"},
                statistic=statistic,
                period=Duration.minutes(1),
            )

        rate = cloudwatch.MathExpression(
            expression=f"IF(requests >= {EDGE_ERROR_MINIMUM_REQUESTS}, rate, 0)",
            using_metrics={"requests": metric("Requests", "Sum"), "rate": metric("5xxErrorRate", "Average")},
            label="5xx of all answers, percent",
            period=Duration.minutes(1),
        )
        return cloudwatch.Alarm(
            self,
            "EdgeErrors",
            alarm_name=resource_name(name, "edge-errors"),
            alarm_description=f"More than {EDGE_ERROR_PERCENT} % of the distribution's answers are 5xx",
            metric=rate,
            threshold=EDGE_ERROR_PERCENT,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=EDGE_ERROR_EVALUATION_MINUTES,
            datapoints_to_alarm=EDGE_ERROR_MINUTES_TO_ALARM,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
