"""What browsers report: a function behind the distribution that turns beacons into metrics."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from bluegreen_cdn import defaults
from bluegreen_cdn.constructs.handler_function import HandlerFunction
from bluegreen_cdn.constructs.names import check_site_name
from bluegreen_cdn.domain.expressions import Role
from bluegreen_cdn.domain.verdict import METRIC_NAMES
from bluegreen_cdn.errors import InvalidInput


class ClientMetrics(Construct):
    """The client-metrics function and its URL, which only CloudFront can call.

    Attributes:
        function: Answers beacons, serves the client script, writes metrics into its log.
        url: Its URL; it wants signed requests.
    """

    def __init__(self, scope: Construct, construct_id: str, *, name: str) -> None:
        """Create the function.

        Args:
            scope: Where it belongs, in the distribution's stack.
            construct_id: Its id there.
            name: The site's name, a dimension of its metrics.
        """
        super().__init__(scope, construct_id)
        handler = HandlerFunction(
            self,
            "Handler",
            handler="bluegreen_cdn.handlers.client_metrics.handler",
            description=f"{name}: what browsers report, as metrics",
            timeout=Duration.seconds(10),
            environment={"SITE": check_site_name(name)},
            with_libraries=False,
        )
        self.function: lambda_.Function = handler.function
        self.url: lambda_.FunctionUrl = self.function.add_function_url(auth_type=lambda_.FunctionUrlAuthType.AWS_IAM)


def client_metric(site: str, name: str, role: Role | str, period: Duration | None = None) -> cloudwatch.Metric:
    """One of the client metrics of a site.

    Args:
        site: The site's name.
        name: `PageLoads`, `ScriptErrors`, `AssetFailures` or `SlowLoads`.
        role: `stable`, `candidate` or `other`.
        period: Of the sums. Default: one minute.

    Raises:
        InvalidInput: There is no such metric or role.
    """
    if name not in METRIC_NAMES or role not in set(Role):
        raise InvalidInput(
            f"there is no metric {name!r} of role {role!r}; metrics are {', '.join(METRIC_NAMES)}, "
            f"roles are {', '.join(Role)}"
        )
    return cloudwatch.Metric(
        namespace=defaults.METRIC_NAMESPACE,
        metric_name=name,
        dimensions_map={"site": site, "role": str(role)},
        statistic="Sum",
        period=period or Duration.seconds(defaults.VERDICT_PERIOD_SECONDS),
    )
