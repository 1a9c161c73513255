"""The rollout as AWS sees it: a version per build, an alias whose weights are the rollout, CodeDeploy to move it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from aws_cdk import ArnFormat, CfnCodeDeployLambdaAliasUpdate, CfnDeletionPolicy, CfnUpdatePolicy, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from bluegreen_cdn.constructs.handler_function import HandlerFunction
from bluegreen_cdn.constructs.names import check_site_name
from bluegreen_cdn.constructs.parameter_reader import INLINE_CODE
from bluegreen_cdn.constructs.release_last import release_last
from bluegreen_cdn.domain.builds import check_build_id
from bluegreen_cdn.domain.rollout import Rollout, RolloutKind

ALIAS = "live"
EVERY_ALARM = ["*"]
"""Which alarms a watcher may look at: CloudWatch refuses to tell of composite ones to whoever may only see some."""


class ReleaseAlias(Construct):
    """The release function, a version of it for the build, and the alias `live` that CodeDeploy moves.

    Nobody calls the function: the alias's weights are read by the traffic sync, and the edge follows them.

    Attributes:
        function: The release function.
        version: The build's version.
        alias: `live`. Nothing but CodeDeploy, for CloudFormation, may move it.
        application: CodeDeploy's application.
        deployment_group: CodeDeploy's group.
        rollout: How the candidate is let in.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        build_id: str,
        rollout: Rollout,
        alarms: Sequence[cloudwatch.IAlarm] = (),
    ) -> None:
        """Create function, version, alias and deployment group.

        Args:
            scope: Where they belong, in a stack in us-east-1.
            construct_id: Their id there.
            name: The site's name.
            build_id: The build to release.
            rollout: How it is let in.
            alarms: What takes it back, beside a failed hook. Default: none.
        """
        super().__init__(scope, construct_id)
        self.rollout = rollout
        handler = HandlerFunction(
            self,
            "Handler",
            handler="index.handler",
            description=f"{check_site_name(name)}: a version is a build, the weights of its alias are the rollout",
            timeout=Duration.seconds(3),
            memory_megabytes=128,
            environment={"BUILD_ID": check_build_id(build_id)},
            code=lambda_.Code.from_inline((INLINE_CODE / "release.py").read_text()),
        )
        self.function: lambda_.Function = handler.function
        self.version = self._version(build_id)
        self.alias: lambda_.Alias = lambda_.Alias(
            self,
            "Alias",
            alias_name=ALIAS,
            version=lambda_.Version.from_version_attributes(
                self, "AliasVersion", lambda_=self.function, version=self.version.attr_version
            ),
        )
        self.application: codedeploy.CfnApplication = codedeploy.CfnApplication(
            self, "Application", compute_platform="Lambda"
        )
        self._role = iam.Role(self, "ShiftingRole", assumed_by=iam.ServicePrincipal("codedeploy.amazonaws.com"))
        self._allow_shifting(alarms)
        self.deployment_group = self._deployment_group(alarms)
        self._update_policy()
        release_last(self.alias)

    @property
    def alias_arn(self) -> str:
        """The alias's ARN, without depending on the alias."""
        return f"{self.function.function_arn}:{ALIAS}"

    @property
    def deployment_group_arn(self) -> str:
        """The deployment group's ARN, which rights on deployments are given for."""
        return Stack.of(self).format_arn(
            service="codedeploy",
            resource="deploymentgroup",
            resource_name=f"{self.application.ref}/{self.deployment_group.ref}",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    def add_hooks(self, *, before: lambda_.IFunction, after: lambda_.IFunction) -> None:
        """Let CodeDeploy ask these functions before any traffic is shifted, and after all of it.

        Args:
            before: Says whether the release may begin.
            after: Says whether it has succeeded.
        """
        self._update_policy(before=before.function_name, after=after.function_name)
        self._role.add_to_policy(
            iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[before.function_arn, after.function_arn])
        )

    def _version(self, build_id: str) -> lambda_.CfnVersion:
        """The id comes from the build alone, so that nothing but another build makes another version.

        Its predecessor stays when it leaves the template, because it is what a rollback goes back to; its own creation,
        rolled back, takes it away again, because an unchanged function cannot be published a second time.
        """
        token = hashlib.sha256(build_id.encode()).hexdigest()[:16]
        version = lambda_.CfnVersion(
            self, f"Version{token}", function_name=self.function.function_name, description=f"build {build_id}"
        )
        version.cfn_options.deletion_policy = CfnDeletionPolicy.RETAIN_EXCEPT_ON_CREATE
        version.cfn_options.update_replace_policy = CfnDeletionPolicy.RETAIN
        return version

    def _deployment_group(self, alarms: Sequence[cloudwatch.IAlarm]) -> codedeploy.CfnDeploymentGroup:
        group = codedeploy.CfnDeploymentGroup
        return group(
            self,
            "Group",
            application_name=self.application.ref,
            service_role_arn=self._role.role_arn,
            deployment_config_name=self._deployment_config(),
            deployment_style=group.DeploymentStyleProperty(
                deployment_option="WITH_TRAFFIC_CONTROL", deployment_type="BLUE_GREEN"
            ),
            alarm_configuration=group.AlarmConfigurationProperty(
                enabled=bool(alarms),
                alarms=[group.AlarmProperty(name=alarm.alarm_name) for alarm in alarms],
            ),
            auto_rollback_configuration=group.AutoRollbackConfigurationProperty(
                enabled=True,
                events=[
                    "DEPLOYMENT_FAILURE",
                    "DEPLOYMENT_STOP_ON_REQUEST",
                    *(["DEPLOYMENT_STOP_ON_ALARM"] * bool(alarms)),
                ],
            ),
        )

    def _deployment_config(self) -> str:
        """A configuration of our own; it has no name, so that another rollout can replace it."""
        if self.rollout.kind is RolloutKind.ALL_AT_ONCE:
            return "CodeDeployDefault.LambdaAllAtOnce"
        config = codedeploy.CfnDeploymentConfig
        percent, minutes = self.rollout.percent, self.rollout.interval_minutes
        canary = config.TimeBasedCanaryProperty(canary_percentage=percent, canary_interval=minutes)
        linear = config.TimeBasedLinearProperty(linear_percentage=percent, linear_interval=minutes)
        is_canary = self.rollout.kind is RolloutKind.CANARY
        return config(
            self,
            "Config",
            compute_platform="Lambda",
            traffic_routing_config=config.TrafficRoutingConfigProperty(
                type=self.rollout.kind.value,
                time_based_canary=canary if is_canary else None,
                time_based_linear=None if is_canary else linear,
            ),
        ).ref

    def _allow_shifting(self, alarms: Sequence[cloudwatch.IAlarm]) -> None:
        self._role.add_to_policy(
            iam.PolicyStatement(
                actions=["lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig"],
                resources=[self.function.function_arn, self.alias_arn],
            )
        )
        if alarms:
            self._role.add_to_policy(iam.PolicyStatement(actions=["cloudwatch:DescribeAlarms"], resources=EVERY_ALARM))

    def _update_policy(self, *, before: str | None = None, after: str | None = None) -> None:
        alias = self.alias.node.default_child
        assert isinstance(alias, lambda_.CfnAlias)  # noqa: S101  what the L2 alias is made of
        alias.cfn_options.update_policy = CfnUpdatePolicy(
            code_deploy_lambda_alias_update=CfnCodeDeployLambdaAliasUpdate(
                application_name=self.application.ref,
                deployment_group_name=self.deployment_group.ref,
                before_allow_traffic_hook=before,
                after_allow_traffic_hook=after,
            )
        )
