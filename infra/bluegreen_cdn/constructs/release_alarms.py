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
from bluegreen_cdn.errors import InvalidInput

EDGE_ERROR_PERCENT = 5
EDGE_ERROR_MINIMUM_REQUESTS = 100
EDGE_ERROR_EVALUATION_MINUTES = 3
EDGE_ERROR_MINUTES_TO_ALARM = 2
ALARMS_MAXIMUM = 10
"""That a deployment group of CodeDeploy takes."""


class ReleaseAlarms(Construct):
    """The alarms that stop a release. Missing data is no alarm: a quiet site can be released.

    Attributes:
        verdict: The candidate is worse than stable.
        slowdown: The candidate's pages are slow more often than stable's; None if the verdict leaves that out.
        edge_errors: Too many answers are 5xx.
        alarms: All of them, and the user's own.
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

        Raises:
            InvalidInput: CodeDeploy takes no more than ten alarms.
        """
        super().__init__(scope, construct_id)
        check_site_name(name)
        verdict = verdict or Verdict()
        self.verdict: cloudwatch.Alarm = self._comparison(
            "Verdict",
            resource_name(name, "verdict"),
            "The candidate's pages go wrong more often than stable's, by more than chance",
            verdict.metric_math(),
            name,
        )
        math = verdict.slowdown_math()
        self.slowdown: cloudwatch.Alarm | None = None
        if math is not None:
            self.slowdown = self._comparison(
                "Slowdown",
                resource_name(name, "slowdown"),
                f"The candidate's pages are slow more than {verdict.slowdown_ratio:g} times as often as stable's, by "
                f"more than chance",
                math,
                name,
            )
        self.edge_errors: cloudwatch.Alarm = self._edge_errors(name, distribution_id)
        own = (self.verdict, self.edge_errors, *([self.slowdown] if self.slowdown else []))
        if len(own) + len(alarms) > ALARMS_MAXIMUM:
            raise InvalidInput(
                f"alarms has {len(alarms)} alarms; CodeDeploy watches {ALARMS_MAXIMUM} and {len(own)} of them are the "
                f"site's own: put several of yours into one composite alarm"
            )
        self.alarms: tuple[cloudwatch.IAlarm, ...] = (*own, *alarms)

    def _comparison(
        self, construct_id: str, alarm_name: str, description: str, math: MetricMath, name: str
    ) -> cloudwatch.Alarm:
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
            construct_id,
            alarm_name=alarm_name,
            alarm_description=description,
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
