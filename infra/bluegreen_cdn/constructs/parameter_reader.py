"""Reads a value of the edge stack in another region, so that there is no id to paste."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import Aws, CustomResource, Duration
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from bluegreen_cdn.constructs.handler_function import HandlerFunction
from bluegreen_cdn.domain.regions import EDGE_REGION

INLINE_CODE = Path(__file__).parent / "inline"
READ_TIMEOUT_SECONDS = 60


class ParameterReader(Construct):
    """A custom resource that reads one SSM parameter of us-east-1 while this stack is deployed.

    Attributes:
        value: The parameter's value, a token.
    """

    def __init__(self, scope: Construct, construct_id: str, *, parameter_name: str) -> None:
        """Create the reader.

        Args:
            scope: Where it belongs.
            construct_id: Its id there.
            parameter_name: The parameter's full name, such as `/bluegreen/shop/distribution-id`.
        """
        super().__init__(scope, construct_id)
        reader = HandlerFunction(
            self,
            "Reader",
            handler="index.handler",
            description=f"Reads {parameter_name} of {EDGE_REGION} for this stack",
            timeout=Duration.seconds(READ_TIMEOUT_SECONDS),
            code=lambda_.Code.from_inline((INLINE_CODE / "parameter_reader.py").read_text()),
        )
        reader.allow(
            ["ssm:GetParameter"],
            [f"arn:{Aws.PARTITION}:ssm:{EDGE_REGION}:{Aws.ACCOUNT_ID}:parameter{parameter_name}"],
        )
        resource = CustomResource(
            self,
            "Value",
            resource_type="Custom::BlueGreenParameter",
            service_token=reader.function.function_arn,
            service_timeout=Duration.seconds(2 * READ_TIMEOUT_SECONDS),
            properties={"Name": parameter_name, "Region": EDGE_REGION},
        )
        self.value: str = resource.get_att_string("Value")
