"""The ministack modules that the extension touches, imported in one place and after the environment is set."""

from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True, kw_only=True)
class Ministack:
    """Handles to the modules."""

    app: ModuleType
    router: ModuleType
    responses: ModuleType
    lambda_service: ModuleType
    lambda_runtime: ModuleType
    events: ModuleType
    cloudwatch: ModuleType
    s3: ModuleType
    cloudformation: ModuleType
    cloudformation_engine: ModuleType
    provisioners: ModuleType
    stacks: ModuleType
    custom_resource: ModuleType
    key_value_store: ModuleType


def load() -> Ministack:
    """Import ministack; it reads its whole configuration from the environment while being imported."""
    from ministack import app
    from ministack.core import lambda_runtime, responses, router
    from ministack.services import cloudformation, cloudfront_keyvaluestore, cloudwatch, eventbridge, lambda_svc, s3
    from ministack.services.cloudformation import custom_resource, engine, provisioners, stacks

    return Ministack(
        app=app,
        router=router,
        responses=responses,
        lambda_service=lambda_svc,
        lambda_runtime=lambda_runtime,
        events=eventbridge,
        cloudwatch=cloudwatch,
        s3=s3,
        cloudformation=cloudformation,
        cloudformation_engine=engine,
        provisioners=provisioners,
        stacks=stacks,
        custom_resource=custom_resource,
        key_value_store=cloudfront_keyvaluestore,
    )
