"""What a release looks like, on one CloudWatch dashboard: who gets what, how it fares, what is about to stop it."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from bluegreen_cdn import defaults
from bluegreen_cdn.constructs.client_metrics import client_metric
from bluegreen_cdn.constructs.names import check_site_name, resource_name
from bluegreen_cdn.constructs.release_alarms import ReleaseAlarms
from bluegreen_cdn.constructs.traffic_sync import TrafficSync, sync_metric
from bluegreen_cdn.domain.expressions import Role
from bluegreen_cdn.domain.verdict import ASSET_FAILURES, PAGE_LOADS, SCRIPT_ERRORS, SLOW_LOADS

WIDTH = 24
"""Columns that CloudWatch's grid has."""
STABLE, CANDIDATE, OTHER = cloudwatch.Color.BLUE, cloudwatch.Color.GREEN, cloudwatch.Color.GREY
_MINUTE = Duration.minutes(1)
_PERCENT = cloudwatch.YAxisProps(min=0, max=100, label="%", show_units=False)
_SHARE = cloudwatch.YAxisProps(min=0, label="%", show_units=False)
_COUNT = cloudwatch.YAxisProps(min=0, show_units=False)


class ReleaseDashboard(Construct):
    """A dashboard for one site: traffic share, error rates, alarms, drift, cache hit ratio.

    CloudWatch keeps three dashboards of an account for nothing and takes some dollars a month for each further one. The
    cache hit ratio is one of CloudFront's additional metrics, which cost some dollars a month for each distribution.

    Attributes:
        dashboard: The dashboard.
        cache_metrics: Switches CloudFront's additional metrics on; None where they are not wanted.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        distribution_id: str,
        release_alarms: ReleaseAlarms,
        sync: TrafficSync,
        cache_metrics: bool = True,
    ) -> None:
        """Create the dashboard.

        Args:
            scope: Where it belongs, in a stack in us-east-1, where CloudFront's metrics are.
            construct_id: Its id there.
            name: The site's name.
            distribution_id: The distribution.
            release_alarms: What stops a release.
            sync: What makes the edge follow, with its own alarms.
            cache_metrics: Whether to switch on CloudFront's additional metrics and show the cache hit ratio. Default:
                True. False where they are switched on already, or are not worth their price.
        """
        super().__init__(scope, construct_id)
        self._name = check_site_name(name)
        self._distribution_id = distribution_id
        self.cache_metrics: cloudfront.CfnMonitoringSubscription | None = None
        if cache_metrics:
            subscription = cloudfront.CfnMonitoringSubscription.RealtimeMetricsSubscriptionConfigProperty(
                realtime_metrics_subscription_status="Enabled"
            )
            self.cache_metrics = cloudfront.CfnMonitoringSubscription(
                self,
                "CacheMetrics",
                distribution_id=distribution_id,
                monitoring_subscription=cloudfront.CfnMonitoringSubscription.MonitoringSubscriptionProperty(
                    realtime_metrics_subscription_config=subscription
                ),
            )
        alarms = [*release_alarms.alarms, sync.dead, sync.drift]
        self.dashboard: cloudwatch.Dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=resource_name(name, "releases"),
            default_interval=Duration.hours(1),
            widgets=[
                [self._alarms(alarms)],
                [self._weights(), self._page_loads()],
                [self._error_rates(), self._judged("The verdict", release_alarms.verdict)],
                self._slowness(release_alarms),
                self._edge(cache_metrics=cache_metrics),
                [self._control()],
            ],
        )

    def _alarms(self, alarms: Sequence[cloudwatch.IAlarm]) -> cloudwatch.IWidget:
        return cloudwatch.AlarmStatusWidget(
            title=f"{self._name}: any of these takes a release back, but for sync-dead and drift, which call for you",
            alarms=list(alarms),
            width=WIDTH,
            height=3,
        )

    def _weights(self) -> cloudwatch.IWidget:
        return self._graph(
            "Share of the visitors that the candidate gets",
            [
                self._own(defaults.EDGE_SHARE_METRIC, "at the edge", CANDIDATE),
                self._own(defaults.ALIAS_SHARE_METRIC, "of the alias", cloudwatch.Color.ORANGE),
            ],
            axis=_PERCENT,
        )

    def _page_loads(self) -> cloudwatch.IWidget:
        colours = {Role.STABLE: STABLE, Role.CANDIDATE: CANDIDATE, Role.OTHER: OTHER}
        return cloudwatch.GraphWidget(
            title="Page loads that were reported",
            left=[self._client(PAGE_LOADS, role, colour) for role, colour in colours.items()],
            left_y_axis=_COUNT,
            stacked=True,
            width=WIDTH // 2,
        )

    def _error_rates(self) -> cloudwatch.IWidget:
        rates = [
            self._rate(role, colour, "pages that went wrong", (SCRIPT_ERRORS, ASSET_FAILURES))
            for role, colour in ((Role.STABLE, STABLE), (Role.CANDIDATE, CANDIDATE))
        ]
        return self._graph("Pages that went wrong, of those reported", rates, axis=_SHARE)

    def _slowness(self, release_alarms: ReleaseAlarms) -> list[cloudwatch.IWidget]:
        rates = [
            self._rate(role, colour, "slow pages", (SLOW_LOADS,))
            for role, colour in ((Role.STABLE, STABLE), (Role.CANDIDATE, CANDIDATE))
        ]
        widgets: list[cloudwatch.IWidget] = [self._graph("Pages that were slow, of those reported", rates, axis=_SHARE)]
        if release_alarms.slowdown is not None:
            widgets.append(self._judged("The verdict on slowness", release_alarms.slowdown))
        return widgets

    def _edge(self, *, cache_metrics: bool) -> list[cloudwatch.IWidget]:
        widgets: list[cloudwatch.IWidget] = [
            cloudwatch.GraphWidget(
                title="Requests, and answers that were errors",
                left=[self._cloudfront("Requests", "Sum", "requests", STABLE)],
                left_y_axis=_COUNT,
                right=[
                    self._cloudfront("5xxErrorRate", "Average", "5xx", cloudwatch.Color.RED),
                    self._cloudfront("4xxErrorRate", "Average", "4xx", cloudwatch.Color.ORANGE),
                ],
                right_y_axis=_SHARE,
                width=WIDTH // 2,
            )
        ]
        if cache_metrics:
            hits = self._cloudfront("CacheHitRate", "Average", "of cacheable requests", STABLE)
            widgets.append(self._graph("Cache hit ratio", [hits], axis=_PERCENT))
        return widgets

    def _control(self) -> cloudwatch.IWidget:
        return cloudwatch.GraphWidget(
            title="The traffic sync: runs, and whether the edge does otherwise than the alias says",
            left=[self._own(defaults.SYNC_HEARTBEAT_METRIC, "runs a minute", STABLE, statistic="Sum")],
            left_y_axis=_COUNT,
            right=[self._own(defaults.DRIFT_METRIC, "drift", cloudwatch.Color.RED)],
            right_y_axis=cloudwatch.YAxisProps(min=0, max=1, show_units=False),
            width=WIDTH,
            height=4,
        )

    def _judged(self, title: str, alarm: cloudwatch.Alarm) -> cloudwatch.IWidget:
        """What an alarm sees, with its threshold."""
        return cloudwatch.AlarmWidget(title=f"{title}, in standard errors", alarm=alarm, width=WIDTH // 2)

    def _graph(
        self, title: str, lines: Sequence[cloudwatch.IMetric], *, axis: cloudwatch.YAxisProps
    ) -> cloudwatch.IWidget:
        return cloudwatch.GraphWidget(title=title, left=list(lines), left_y_axis=axis, width=WIDTH // 2)

    def _client(self, metric: str, role: Role, colour: str) -> cloudwatch.Metric:
        return client_metric(self._name, metric, role, _MINUTE).with_(label=role.value, color=colour)

    def _rate(self, role: Role, colour: str, what: str, metrics: Sequence[str]) -> cloudwatch.IMetric:
        """Percent of a role's page loads, over the verdict's window; nothing where nothing was loaded."""
        period = Duration.seconds(defaults.VERDICT_PERIOD_SECONDS)
        counted = {f"{role.value}{number}": metric for number, metric in enumerate(metrics)}
        loads = f"{role.value}_loads"
        return cloudwatch.MathExpression(
            expression=f"100 * ({' + '.join(counted)}) / {loads}",
            using_metrics={
                id_: client_metric(self._name, metric, role, period)
                for id_, metric in {**counted, loads: PAGE_LOADS}.items()
            },
            label=f"{role.value}: {what}",
            color=colour,
            period=period,
        )

    def _own(self, metric: str, label: str, colour: str, *, statistic: str = "Maximum") -> cloudwatch.Metric:
        return sync_metric(self._name, metric, statistic).with_(label=label, color=colour)

    def _cloudfront(self, metric: str, statistic: str, label: str, colour: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/CloudFront",
            metric_name=metric,
            dimensions_map={"DistributionId": self._distribution_id, "Region": "Global"},
            statistic=statistic,
            period=_MINUTE,
            label=label,
            color=colour,
        )
