"""Path patterns and their precedence."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.errors import LocalCloudError
from bluegreen_cdn.local.edge.behaviors import match_behavior, pattern_matches
from bluegreen_cdn.local.edge.config import read_distribution

PATHS = st.text(st.sampled_from("ab.-/?*"), max_size=8).map(lambda text: "/" + text)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/assets/*", "/assets/a.js", True),
        ("assets/*", "/assets/deep/er/a.js", True),
        ("/assets/*", "/assets", False),
        ("*.js", "/deep/a.js", True),
        ("*.js", "/deep/a.jsx", False),
        ("/a?c", "/abc", True),
        ("/a?c", "/ac", False),
        ("/A*", "/abc", False),
        ("/a.b", "/axb", False),
        ("*", "/", True),
        ("/??", "/?", False),
    ],
)
def test_patterns_match_as_on_cloudfront(pattern, path, expected):
    assert pattern_matches(pattern, path) is expected


@given(pattern=PATHS, path=PATHS)
def test_patterns_agree_with_a_backtracking_matcher(pattern, path):
    def matches(left: str, right: str) -> bool:
        if not left:
            return not right
        if left[0] == "*":
            return any(matches(left[1:], right[at:]) for at in range(len(right) + 1))
        return bool(right) and left[0] in ("?", right[0]) and matches(left[1:], right[1:])

    assert pattern_matches(pattern, path) is matches(pattern, path)


@given(path=PATHS)
def test_a_pattern_without_wildcards_matches_itself_alone(path):
    plain = re.sub(r"[*?]", "x", path)
    assert pattern_matches(plain, plain)
    assert not pattern_matches(plain, plain + "x")


def behavior(pattern: str | None = None, **more):
    return {"TargetOriginId": "o", **({"PathPattern": pattern} if pattern else {}), **more}


def read(*patterns, default=None, **config):
    behaviors = {"Items": [each if isinstance(each, dict) else behavior(each) for each in patterns]}
    origins = {"Items": [{"Id": "o", "DomainName": "b.s3.us-east-1.amazonaws.com"}]}
    config = {"Origins": origins, "CacheBehaviors": behaviors, "DefaultCacheBehavior": default or behavior(), **config}
    return read_distribution(id="E1", arn="arn:aws:cloudfront::1:distribution/E1", domain_name="d", config=config)


def test_the_first_behavior_that_matches_wins_and_the_default_is_last():
    distribution = read("/a/b/*", "/a/*", "/a/b/c")
    assert match_behavior(distribution, "/a/b/c").pattern == "/a/b/*"
    assert match_behavior(distribution, "/a/x").pattern == "/a/*"
    assert match_behavior(distribution, "/other").pattern == "*"


ALIAS = "arn:aws:lambda:us-east-1:111122223333:function:edge:live"
ELSEWHERE = "arn:aws:lambda:eu-west-1:111122223333:function:edge:1"


@pytest.mark.parametrize(
    ("default", "config", "named"),
    [
        (behavior(TargetOriginId="gone"), {}, "gone"),
        (behavior(ForwardedValues={"QueryString": True}), {}, "ForwardedValues"),
        (behavior(TrustedKeyGroups={"Enabled": True}), {}, "TrustedKeyGroups"),
        (behavior(FunctionAssociations={"Items": [{"EventType": "origin-request", "FunctionARN": "f"}]}), {}, "origin"),
        (
            behavior(
                LambdaFunctionAssociations={"Items": [{"EventType": "origin-request", "LambdaFunctionARN": ALIAS}]}
            ),
            {},
            "live",
        ),
        (
            behavior(
                LambdaFunctionAssociations={"Items": [{"EventType": "origin-request", "LambdaFunctionARN": ELSEWHERE}]}
            ),
            {},
            "us-east-1",
        ),
        (behavior(), {"Restrictions": {"GeoRestriction": {"RestrictionType": "whitelist"}}}, "whitelist"),
        (behavior(), {"WebACLId": "arn:aws:wafv2:us-east-1:1:global/webacl/x"}, "web ACL arn:aws:wafv2"),
        (behavior(), {"OriginGroups": {"Items": [{"Id": "g", "Members": {"Items": [{"OriginId": "x"}]}}]}}, "'x'"),
    ],
)
def test_what_cloudfront_refuses_or_the_simulator_cannot_honour_is_an_error(default, config, named):
    with pytest.raises(LocalCloudError, match=re.escape(named)):
        read(default=default, **config)
