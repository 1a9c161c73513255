"""Whose requests a private origin takes."""

import copy

import pytest

from bluegreen_cdn.local.edge.access import allows, request_context

ARN = "arn:aws:cloudfront::111122223333:distribution/E1"
STATEMENT = {
    "Effect": "Allow",
    "Principal": {"Service": "cloudfront.amazonaws.com"},
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::b/*",
    "Condition": {"StringEquals": {"AWS:SourceArn": ARN}},
}


def may(*statements, action="s3:GetObject", resource="arn:aws:s3:::b/k", signed=True):
    policy = {"Statement": list(statements)} if statements else None
    return allows(policy, action=action, resource=resource, signed=signed, context=request_context(ARN))


def changed(**members):
    return {**copy.deepcopy(STATEMENT), **members}


def test_the_statement_that_the_constructs_write_lets_this_distribution_in():
    assert may(STATEMENT)


@pytest.mark.parametrize(
    "statement",
    [
        changed(Condition={"StringEquals": {"AWS:SourceArn": ARN + "X"}}),
        changed(Condition={"StringEquals": {"AWS:SourceArn": ARN}, "IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}),
        changed(Condition={"StringLike": {"AWS:SourceArn": "arn:aws:cloudfront::999988887777:*"}}),
        changed(Action="s3:PutObject"),
        changed(Resource="arn:aws:s3:::other/*"),
        changed(Principal={"Service": "lambda.amazonaws.com"}),
        changed(Principal={"AWS": "arn:aws:iam::111122223333:root"}),
        changed(Effect="Deny"),
    ],
)
def test_any_other_statement_does_not(statement):
    assert not may(statement)


def test_an_origin_without_access_control_is_a_stranger():
    assert not may(STATEMENT, signed=False)
    assert may(changed(Principal="*", Condition={}), signed=False)


def test_a_denial_outweighs_and_one_for_plain_http_does_not_apply():
    denial = changed(Effect="Deny", Principal={"AWS": "*"}, Action="s3:*", Condition={})
    assert not may(STATEMENT, denial)
    denial["Condition"] = {"Bool": {"aws:SecureTransport": "false"}}
    assert may(STATEMENT, denial)


def test_lists_and_wildcards_are_understood():
    listed = changed(Action=["s3:Get*", "s3:List*"], Resource=["arn:aws:s3:::b", "arn:aws:s3:::b/*"])
    assert may(listed)
    assert may(listed, action="s3:ListBucket", resource="arn:aws:s3:::b")
    assert not may(action="s3:GetObject")
