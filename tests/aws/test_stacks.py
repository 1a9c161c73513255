from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bluegreen_cdn.aws.stacks import stack_status
from bluegreen_cdn.errors import CloudError

ARN = "arn:aws:cloudformation:us-east-1:111122223333:stack/web/1"


class Stacks:
    """CloudFormation with one stack."""

    def describe_stacks(self, **arguments: Any) -> Mapping[str, Any]:
        if arguments != {"StackName": ARN}:
            refusal: Any = {"Error": {"Code": "ValidationError", "Message": "does not exist"}}
            raise ClientError(refusal, "DescribeStacks")
        return {"Stacks": [{"StackId": ARN, "StackStatus": "UPDATE_ROLLBACK_IN_PROGRESS"}]}


def test_a_stack_says_what_it_is_doing() -> None:
    assert stack_status(ARN, cloudformation=Stacks()) == "UPDATE_ROLLBACK_IN_PROGRESS"


def test_a_stack_that_nobody_knows_is_an_error_of_ours() -> None:
    with pytest.raises(CloudError, match="DescribeStacks"):
        stack_status("arn:other", cloudformation=Stacks())
