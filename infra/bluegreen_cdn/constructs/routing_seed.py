"""The first routing state, written once by code: no template ever holds a weight."""

from __future__ import annotations

from aws_cdk import CustomResource, Duration
from constructs import Construct

from bluegreen_cdn.constructs.handler_function import HandlerFunction
from bluegreen_cdn.constructs.names import check_site_name
from bluegreen_cdn.constructs.published_build import KEY_VALUE_STORE_READ, KEY_VALUE_STORE_WRITE
from bluegreen_cdn.domain.builds import check_build_id


class RoutingSeed(Construct):
    """Gives an empty KeyValueStore its routing state and its secret, and leaves one that has them alone.

    Attributes:
        resource: The custom resource; depend on it to come after the seed.
        pin: Which build was pinned when the deploy began, in words; a token.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        build_id: str,
        key_value_store_arn: str,
        holdout_basis_points: int,
        occasion: str,
    ) -> None:
        """Seed the store while the stack is deployed.

        Args:
            scope: Where it belongs.
            construct_id: Its id there.
            name: The site's name.
            build_id: Stable, if there is none yet.
            key_value_store_arn: The store.
            holdout_basis_points: Share of the visitors kept on stable during releases.
            occasion: Changes with every deploy after which the pin is to be looked up again.
        """
        super().__init__(scope, construct_id)
        handler = HandlerFunction(
            self,
            "Handler",
            handler="bluegreen_cdn.handlers.seed.handler",
            description=f"{check_site_name(name)}: the first routing state",
            timeout=Duration.minutes(2),
            environment={"SITE": name, "KEY_VALUE_STORE_ARN": key_value_store_arn},
        )
        handler.allow([*KEY_VALUE_STORE_READ, *KEY_VALUE_STORE_WRITE], [key_value_store_arn])
        self.resource: CustomResource = CustomResource(
            self,
            "State",
            resource_type="Custom::BlueGreenRouting",
            service_token=handler.function.function_arn,
            service_timeout=Duration.minutes(3),
            properties={
                "BuildId": check_build_id(build_id),
                "KeyValueStoreArn": key_value_store_arn,
                "HoldoutBasisPoints": holdout_basis_points,
                "Occasion": occasion,
            },
        )
        self.pin: str = self.resource.get_att_string("Pin")
