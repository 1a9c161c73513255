"""What stands at the edge, and the mistakes that no validator notices."""

import copy
import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk.assertions import Match, Template

from bluegreen_cdn.constructs import BlueGreenSite
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.errors import InvalidInput

FUNCTION_EVENTS = {"viewer-request", "viewer-response"}
LAMBDA_EVENTS = {"origin-request", "origin-response"}
"""Viewer events are Lambda@Edge's too, but not beside a CloudFront Function in the same behaviour."""
LAMBDA_AT_EDGE_REGION = "us-east-1"


def association_mistakes(template: dict[str, Any]) -> list[str]:
    """Every association of a distribution that CloudFront would refuse or that would never be right."""
    resources = template["Resources"]
    mistakes = []
    for config in (
        resource["Properties"]["DistributionConfig"]
        for resource in resources.values()
        if resource["Type"] == "AWS::CloudFront::Distribution"
    ):
        for behaviour in [config["DefaultCacheBehavior"], *config.get("CacheBehaviors", [])]:
            path = behaviour.get("PathPattern", "default")
            events = []
            for association in behaviour.get("FunctionAssociations", []):
                events.append(association["EventType"])
                target, attribute = association["FunctionARN"]["Fn::GetAtt"]
                if association["EventType"] not in FUNCTION_EVENTS:
                    mistakes.append(f"{path}: a CloudFront Function at {association['EventType']}")
                if (resources[target]["Type"], attribute) != ("AWS::CloudFront::Function", "FunctionARN"):
                    mistakes.append(f"{path}: {target} is no CloudFront Function")
            for association in behaviour.get("LambdaFunctionAssociations", []):
                events.append(association["EventType"])
                target = association["LambdaFunctionARN"]["Ref"]
                if association["EventType"] not in LAMBDA_EVENTS:
                    mistakes.append(f"{path}: Lambda@Edge at {association['EventType']}")
                if resources[target]["Type"] != "AWS::Lambda::Version":
                    mistakes.append(f"{path}: {target} is a {resources[target]['Type']}, not a numbered version")
            if len(events) != len(set(events)):
                mistakes.append(f"{path}: two functions at one event")
    return mistakes


def distribution_config(templates: Any) -> dict[str, Any]:
    config: dict[str, Any] = templates.only("AWS::CloudFront::Distribution")["Properties"]["DistributionConfig"]
    return config


def behaviours(templates: Any) -> dict[str, dict[str, Any]]:
    config = distribution_config(templates)
    return {"default": config["DefaultCacheBehavior"]} | {
        behaviour["PathPattern"]: behaviour for behaviour in config["CacheBehaviors"]
    }


def events(behaviour: dict[str, Any]) -> list[str]:
    associations = behaviour.get("FunctionAssociations", []) + behaviour.get("LambdaFunctionAssociations", [])
    return sorted(association["EventType"] for association in associations)


def test_every_association_is_of_the_right_kind_and_event(templates: Any) -> None:
    for template in templates.by_stack.values():
        assert association_mistakes(template) == []


@pytest.mark.parametrize(
    ("kind", "field", "value", "mistake"),
    [
        ("FunctionAssociations", "EventType", "origin-request", "a CloudFront Function at origin-request"),
        ("LambdaFunctionAssociations", "EventType", "viewer-request", "Lambda@Edge at viewer-request"),
        ("LambdaFunctionAssociations", "LambdaFunctionARN", {"Ref": "Alias"}, "Alias is a AWS::Lambda::Alias"),
        ("FunctionAssociations", "FunctionARN", {"Fn::GetAtt": ["Alias", "Arn"]}, "Alias is no CloudFront Function"),
    ],
)
def test_a_confused_association_would_be_noticed(
    templates: Any, kind: str, field: str, value: Any, mistake: str
) -> None:
    template = copy.deepcopy(templates["shop-edge"])
    template["Resources"]["Alias"] = {"Type": "AWS::Lambda::Alias"}
    (distribution,) = (
        resource for resource in template["Resources"].values() if resource["Type"] == "AWS::CloudFront::Distribution"
    )
    distribution["Properties"]["DistributionConfig"]["DefaultCacheBehavior"][kind][0][field] = value
    assert any(mistake in found for found in association_mistakes(template))


def test_every_edge_function_is_a_version_in_us_east_1_that_outlives_its_stack(templates: Any) -> None:
    manifest = json.loads((templates.folder / "manifest.json").read_text())
    for stack, template in templates.by_stack.items():
        associated = {
            association["LambdaFunctionARN"]["Ref"]
            for resource in template["Resources"].values()
            if resource["Type"] == "AWS::CloudFront::Distribution"
            for behaviour in [
                resource["Properties"]["DistributionConfig"]["DefaultCacheBehavior"],
                *resource["Properties"]["DistributionConfig"]["CacheBehaviors"],
            ]
            for association in behaviour.get("LambdaFunctionAssociations", [])
        }
        if associated:
            assert manifest["artifacts"][stack]["environment"].endswith(f"/{LAMBDA_AT_EDGE_REGION}")
        for version in associated:
            assert template["Resources"][version]["DeletionPolicy"] == "RetainExceptOnCreate"
            assert template["Resources"][version]["UpdateReplacePolicy"] == "Retain"
    assert not any(
        resource["Type"] == "AWS::Lambda::Alias" for resource in templates["shop-edge"]["Resources"].values()
    )


def test_the_edge_function_has_only_what_lambda_at_edge_allows(templates: Any) -> None:
    (function,) = (
        resource["Properties"]
        for resource in templates.of_type("AWS::Lambda::Function", "shop-edge").values()
        if resource["Properties"]["Handler"] == "origin_request.handler"
    )
    assert not {"Environment", "Layers", "VpcConfig", "DeadLetterConfig", "TracingConfig", "LoggingConfig"} & set(
        function
    )
    assert function["Architectures"] == ["x86_64"]
    assert function["Runtime"] == "python3.13"
    assert function["Timeout"] <= 30


def test_documents_pass_through_all_three_functions_and_files_through_one(templates: Any) -> None:
    found = {path: events(behaviour) for path, behaviour in behaviours(templates).items()}
    assert found["default"] == ["origin-request", "viewer-request", "viewer-response"]
    assert found["/assets/*"] == found["/builds/*"] == found["/_bluegreen/*"] == ["viewer-request"]
    assert found["/_bluegreen/client.*"] == []
    assert all(behaviour["ViewerProtocolPolicy"] == "redirect-to-https" for behaviour in behaviours(templates).values())
    assert all(behaviour["ResponseHeadersPolicyId"] for behaviour in behaviours(templates).values())


def test_the_function_puts_the_build_before_the_path_exactly_where_no_origin_request_does(templates: Any) -> None:
    functions = templates.of_type("AWS::CloudFront::Function")
    for path, behaviour in behaviours(templates).items():
        for association in behaviour.get("FunctionAssociations", []):
            code = functions[association["FunctionARN"]["Fn::GetAtt"][0]]["Properties"]["FunctionCode"]
            if association["EventType"] == "viewer-request" and path != "/_bluegreen/*":
                assert ("direct:true" in code) == ("origin-request" not in events(behaviour)), path


def test_every_hashed_folder_has_a_behaviour_and_the_narrow_paths_come_first(synthesise: Any) -> None:
    paths = list(behaviours(synthesise(rules=ClassificationRules(hashed_folders=("static/", "my/chunks/")))))
    assert paths == ["default", "/static/*", "/my/chunks/*", "/builds/*", "/_bluegreen/client.*", "/_bluegreen/*"]


def test_documents_are_cached_a_year_under_path_and_build(templates: Any) -> None:
    policies = templates.of_type("AWS::CloudFront::CachePolicy")
    policy = policies[behaviours(templates)["default"]["CachePolicyId"]["Ref"]]["Properties"]["CachePolicyConfig"]
    assert policy["MinTTL"] == policy["MaxTTL"] == 31_536_000
    key = policy["ParametersInCacheKeyAndForwardedToOrigin"]
    assert key["HeadersConfig"] == {"HeaderBehavior": "whitelist", "Headers": ["x-build-id"]}
    assert key["CookiesConfig"] == {"CookieBehavior": "none"}
    assert key["QueryStringsConfig"] == {"QueryStringBehavior": "none"}


def test_hashed_files_are_cached_under_their_path_alone(templates: Any) -> None:
    policies = templates.of_type("AWS::CloudFront::CachePolicy")
    policy = policies[behaviours(templates)["/assets/*"]["CachePolicyId"]["Ref"]]["Properties"]["CachePolicyConfig"]
    assert policy["MinTTL"] == 31_536_000
    assert policy["ParametersInCacheKeyAndForwardedToOrigin"]["HeadersConfig"] == {"HeaderBehavior": "none"}


@pytest.mark.parametrize("precompress", [True, False])
def test_precompressed_files_are_neither_compressed_again_nor_kept_by_encoding(
    synthesise: Any, precompress: bool
) -> None:
    templates = synthesise(precompress=precompress)
    policies = templates.of_type("AWS::CloudFront::CachePolicy")
    compressed = {}
    for path, behaviour in behaviours(templates).items():
        if path in ("default", "/assets/*", "/builds/*"):
            policy = policies[behaviour["CachePolicyId"]["Ref"]]["Properties"]["CachePolicyConfig"]
            key = policy["ParametersInCacheKeyAndForwardedToOrigin"]
            assert key["EnableAcceptEncodingBrotli"] == key["EnableAcceptEncodingGzip"] == behaviour["Compress"], path
            compressed[path] = behaviour["Compress"]
    # Files without variants, such as fonts, pass through the default behaviour too.
    assert compressed == {"default": True, "/assets/*": not precompress, "/builds/*": not precompress}
    parameters = {
        resource["Properties"]["Name"]: resource["Properties"]["Value"]
        for resource in templates.of_type("AWS::SSM::Parameter").values()
    }
    assert parameters["/bluegreen/shop/precompress"] == ("true" if precompress else "false")


def test_something_else_than_a_yes_or_no_is_refused(synthesise: Any) -> None:
    with pytest.raises(InvalidInput, match="precompress is 'false'; pass something like precompress=True"):
        synthesise(precompress="false")


def test_beacons_are_passed_on_with_build_and_role_and_never_cached(templates: Any) -> None:
    behaviour = behaviours(templates)["/_bluegreen/*"]
    assert behaviour["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "AWS's own: caching disabled"
    policy = templates.only("AWS::CloudFront::OriginRequestPolicy")["Properties"]["OriginRequestPolicyConfig"]
    assert policy["HeadersConfig"]["Headers"] == ["x-build-id", "x-bluegreen-role"]
    assert policy["QueryStringsConfig"] == {"QueryStringBehavior": "all"}
    assert policy["CookiesConfig"] == {"CookieBehavior": "none"}


def test_the_second_region_stands_behind_the_first(templates: Any) -> None:
    config = distribution_config(templates)
    (group,) = config["OriginGroups"]["Items"]
    assert [member["OriginId"] for member in group["Members"]["Items"]] == ["bucket-us-east-1", "bucket-eu-west-1"]
    assert set(group["FailoverCriteria"]["StatusCodes"]["Items"]) == {403, 404, 500, 502, 503, 504}
    origins = {origin["Id"]: origin for origin in config["Origins"]}
    assert all(origins[f"bucket-{region}"]["ConnectionTimeout"] <= 2 for region in ("us-east-1", "eu-west-1"))
    assert all(
        behaviour["TargetOriginId"] in (group["Id"], "client-metrics") for behaviour in behaviours(templates).values()
    )


def test_one_region_needs_no_origin_group(synthesise: Any) -> None:
    templates = synthesise()
    config = distribution_config(templates)
    assert "OriginGroups" not in config
    assert behaviours(templates)["default"]["TargetOriginId"] == "bucket-us-east-1"


def test_every_origin_is_reached_with_a_signature(templates: Any) -> None:
    controls = templates.of_type("AWS::CloudFront::OriginAccessControl")
    for origin in distribution_config(templates)["Origins"]:
        control = controls[origin["OriginAccessControlId"]["Fn::GetAtt"][0]]["Properties"]["OriginAccessControlConfig"]
        assert control["SigningBehavior"] == "always"
        assert control["OriginAccessControlOriginType"] == ("lambda" if origin["Id"] == "client-metrics" else "s3")


def test_only_this_distribution_can_call_the_client_metrics(templates: Any) -> None:
    template = Template.from_json(templates["shop-edge"])
    template.has_resource_properties("AWS::Lambda::Url", {"AuthType": "AWS_IAM"})
    (distribution,) = templates.of_type("AWS::CloudFront::Distribution")
    permissions = templates.of_type("AWS::Lambda::Permission", "shop-edge").values()
    assert {permission["Properties"]["Action"] for permission in permissions} == {
        "lambda:InvokeFunctionUrl",
        "lambda:InvokeFunction",
    }
    for permission in permissions:
        assert permission["Properties"]["Principal"] == "cloudfront.amazonaws.com"
        assert {"Ref": distribution} in permission["Properties"]["SourceArn"]["Fn::Join"][1]


def test_own_domain_names_come_with_their_certificate(synthesise: Any) -> None:
    arn = "arn:aws:acm:us-east-1:111122223333:certificate/0f3c"

    def around(stack: cdk.Stack) -> dict[str, Any]:
        certificate = acm.Certificate.from_certificate_arn(stack, "Certificate", arn)
        return {"domain_names": ["shop.example"], "certificate": certificate}

    templates = synthesise(around=around)
    config = distribution_config(templates)
    assert config["Aliases"] == ["shop.example"]
    assert config["ViewerCertificate"]["AcmCertificateArn"] == arn
    assert config["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"
    assert Template.from_json(templates["shop-edge"]).find_outputs("*", {"Value": "https://shop.example"})


def test_a_certificate_of_another_region_is_refused(synthesise: Any) -> None:
    def around(stack: cdk.Stack) -> dict[str, Any]:
        arn = "arn:aws:acm:eu-west-1:111122223333:certificate/0f3c"
        return {
            "domain_names": ["shop.example"],
            "certificate": acm.Certificate.from_certificate_arn(stack, "Certificate", arn),
        }

    with pytest.raises(InvalidInput, match="is not in us-east-1, the only region that CloudFront takes one from"):
        synthesise(around=around)


def test_answers_carry_security_headers_and_may_be_loaded_elsewhere(templates: Any) -> None:
    Template.from_json(templates["shop-edge"]).has_resource_properties(
        "AWS::CloudFront::ResponseHeadersPolicy",
        {
            "ResponseHeadersPolicyConfig": {
                "SecurityHeadersConfig": {
                    "ContentTypeOptions": {"Override": True},
                    "StrictTransportSecurity": {"AccessControlMaxAgeSec": 31_536_000},
                    "ReferrerPolicy": {"ReferrerPolicy": "strict-origin-when-cross-origin"},
                    "FrameOptions": {"FrameOption": "SAMEORIGIN"},
                },
                "CorsConfig": Match.object_like(
                    {"AccessControlAllowCredentials": False, "AccessControlAllowOrigins": {"Items": ["*"]}}
                ),
            }
        },
    )


def test_the_last_resort_is_called_with_the_distribution(synthesise: Any) -> None:
    def shrink(distribution: cloudfront.Distribution) -> None:
        resource = distribution.node.default_child
        assert isinstance(resource, cloudfront.CfnDistribution)
        resource.add_property_override("DistributionConfig.PriceClass", "PriceClass_100")

    assert distribution_config(synthesise(customize_distribution=shrink))["PriceClass"] == "PriceClass_100"


def test_functions_read_the_store_and_carry_the_rules(templates: Any) -> None:
    (store,) = templates.of_type("AWS::CloudFront::KeyValueStore")
    functions = templates.of_type("AWS::CloudFront::Function")
    assert {function["Properties"]["Name"] for function in functions.values()} == {
        "bluegreen-shop-viewer-request",
        "bluegreen-shop-hashed-request",
        "bluegreen-shop-viewer-response",
    }
    for function in functions.values():
        properties = function["Properties"]
        assert properties["AutoPublish"] is True
        assert properties["FunctionConfig"]["Runtime"] == "cloudfront-js-2.0"
        assert properties["FunctionConfig"]["KeyValueStoreAssociations"] == [
            {"KeyValueStoreARN": {"Fn::GetAtt": [store, "Arn"]}}
        ]
        assert "BLUEGREEN_CONFIG" not in properties["FunctionCode"]
        assert len(properties["FunctionCode"].encode()) <= 9 * 1024


def test_a_site_can_be_made_of_its_parts(synthesise: Any) -> None:
    def check(stack: cdk.Stack, site: BlueGreenSite) -> None:
        assert site.edge.identity.parameter_name == "/bluegreen/shop/distribution-id"
        assert site.edge.identity.stack.stack_name == "shop-edge"

    synthesise(after=check)
