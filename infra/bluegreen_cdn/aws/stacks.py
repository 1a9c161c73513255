"""CloudFormation: what a stack is doing."""

from typing import Any

from bluegreen_cdn.aws.session import client, translate_errors


def stack_status(stack_id: str, *, cloudformation: Any | None = None) -> str:
    """What a stack is doing, in CloudFormation's word, such as `UPDATE_ROLLBACK_IN_PROGRESS`.

    Args:
        stack_id: Its ARN.
        cloudformation: A client to use instead of a new one. Default: a new one.

    Raises:
        NotFound: There is no such stack.
        CloudError: CloudFormation refused.
    """
    stacks = cloudformation or client("cloudformation", None)
    with translate_errors("cloudformation", "DescribeStacks", stack_id):
        answer = stacks.describe_stacks(StackName=stack_id)
    return str(answer["Stacks"][0]["StackStatus"])
