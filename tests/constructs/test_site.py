import json
import re
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Match, Template

from bluegreen_cdn.constructs import BlueGreenSite, Build
from bluegreen_cdn.domain.rollout import Rollout
from bluegreen_cdn.errors import BlueGreenError, InvalidInput, InvalidRegions


def stack_dependencies(templates: Any) -> dict[str, set[str]]:
    manifest = json.loads((templates.folder / "manifest.json").read_text())
    return {
        name: {dependency for dependency in artifact.get("dependencies", ()) if not dependency.endswith(".assets")}
        for name, artifact in manifest["artifacts"].items()
        if artifact["type"] == "aws:cloudformation:stack"
    }


def test_the_edge_comes_first_then_the_replicas_then_the_users_stack(synthesise: Any) -> None:
    templates = synthesise(regions=["us-east-1", "eu-west-1", "ap-southeast-2"])
    assert stack_dependencies(templates) == {
        "shop-edge": set(),
        "shop-eu-west-1": {"shop-edge"},
        "shop-ap-southeast-2": {"shop-edge"},
        "web": {"shop-edge", "shop-eu-west-1", "shop-ap-southeast-2"},
    }


def test_a_site_in_one_region_has_two_stacks(synthesise: Any) -> None:
    assert set(synthesise().by_stack) == {"web", "shop-edge"}


def test_the_alias_comes_after_everything_else_in_its_stack(synthesise: Any) -> None:
    def users_own(stack: cdk.Stack, site: BlueGreenSite) -> None:
        sqs.Queue(stack, "Jobs")

    templates = synthesise(after=users_own)
    (alias,) = templates.of_type("AWS::Lambda::Alias", "web")
    resources = templates["web"]["Resources"]
    assert set(resources[alias]["DependsOn"]) == set(resources) - {alias}


def test_what_says_that_it_comes_after_the_site_is_not_waited_for(synthesise: Any) -> None:
    def after(stack: cdk.Stack, site: BlueGreenSite) -> None:
        sqs.Queue(stack, "Announcement").node.add_dependency(site)

    resources = synthesise(after=after)["web"]["Resources"]
    (alias,) = (key for key, resource in resources.items() if resource["Type"] == "AWS::Lambda::Alias")
    (queue,) = (key for key, resource in resources.items() if resource["Type"] == "AWS::SQS::Queue")
    assert alias in resources[queue]["DependsOn"]
    assert queue not in resources[alias]["DependsOn"]


def test_no_template_holds_a_weight_and_the_store_is_seeded_by_code(templates: Any) -> None:
    assert set(templates.only("AWS::Lambda::Alias")["Properties"]) == {"FunctionName", "FunctionVersion", "Name"}
    assert "AdditionalVersionWeights" not in json.dumps(templates.by_stack)
    assert '"weight"' not in json.dumps(templates.by_stack).lower()
    store = templates.only("AWS::CloudFront::KeyValueStore")
    assert "ImportSource" not in store["Properties"]
    seed = templates.only("Custom::BlueGreenRouting")
    assert seed["Properties"]["BuildId"] == "v1"
    assert seed["Properties"]["HoldoutBasisPoints"] == 500
    (build,) = templates.of_type("Custom::BlueGreenBuild")
    assert build in seed["DependsOn"]


def test_the_deploys_output_says_whether_a_build_is_pinned_whenever_the_site_changes(
    templates: Any, synthesise: Any
) -> None:
    def occasion(found: Any) -> str:
        named: str = found.only("Custom::BlueGreenRouting")["Properties"]["Occasion"]
        return named

    (seed,) = templates.of_type("Custom::BlueGreenRouting")
    pins = [output["Value"] for name, output in templates["web"]["Outputs"].items() if "Pin" in name]
    assert pins == [{"Fn::GetAtt": [seed, "Pin"]}]
    assert seed in templates.only("AWS::Lambda::Alias")["DependsOn"], "what fails here fails before the release"
    usual, other = synthesise(), synthesise(rollout=Rollout.canary(bake_minutes=7))
    assert occasion(usual) == occasion(synthesise()), "a deploy that changes nothing is no update"
    assert occasion(usual) != occasion(other)


def test_publishing_gets_the_asset_the_rules_and_the_bucket(templates: Any) -> None:
    Template.from_json(templates["web"]).has_resource_properties(
        "Custom::BlueGreenBuild",
        {
            "Site": "shop",
            "BuildId": "v1",
            "Mode": "spa",
            "Rules": Match.serialized_json(Match.object_like({"hashedFolders": Match.any_value()})),
            "SourceBucket": "cdk-hnb659fds-assets-111122223333-us-east-1",
            "SourceKey": Match.string_like_regexp("^[0-9a-f]{64}[.]zip$"),
            "ServiceTimeout": "960",
        },
    )


def test_no_custom_resource_is_waited_for_longer_than_its_function_may_run(templates: Any) -> None:
    """CloudFormation would wait an hour for a function that died without an answer."""
    own = [
        (template, resource["Properties"])
        for template in templates.by_stack.values()
        for resource in template["Resources"].values()
        if resource["Type"].startswith("Custom::BlueGreen")
    ]
    assert len(own) == 5
    for template, properties in own:
        function = template["Resources"][properties["ServiceToken"]["Fn::GetAtt"][0]]
        slack = int(properties["ServiceTimeout"]) - function["Properties"]["Timeout"]
        assert 0 < slack <= 60


def test_a_published_build_brings_no_files_along(synthesise: Any) -> None:
    properties = synthesise(build=Build.published("older"))["web"]["Resources"]
    (build,) = (resource for resource in properties.values() if resource["Type"] == "Custom::BlueGreenBuild")
    assert build["Properties"]["BuildId"] == "older"
    assert not {"SourceBucket", "SourceKey"} & set(build["Properties"])


def test_the_command_line_finds_everything_in_parameters(templates: Any) -> None:
    names = {
        stack: {resource["Properties"]["Name"] for resource in templates.of_type("AWS::SSM::Parameter", stack).values()}
        for stack in ("shop-edge", "web")
    }
    parts = ("distribution-id", "distribution-domain", "key-value-store-arn", "regions", "rules", "mode", "precompress")
    assert names == {
        "shop-edge": {f"/bluegreen/shop/{part}" for part in parts},
        "web": {"/bluegreen/shop/alias", "/bluegreen/shop/control"},
    }


def test_whoever_may_publish_may_add_and_not_delete(synthesise: Any) -> None:
    def ci(stack: cdk.Stack, site: BlueGreenSite) -> None:
        site.grant_publish(iam.Role(stack, "Ci", assumed_by=iam.AccountRootPrincipal()))

    templates = synthesise(after=ci)
    (policy,) = (
        resource["Properties"]["PolicyDocument"]["Statement"]
        for key, resource in templates.of_type("AWS::IAM::Policy", "web").items()
        if key.startswith("Ci")
    )
    actions = {action for statement in policy for action in _listed(statement["Action"])}
    assert {"s3:PutObject", "cloudfront-keyvaluestore:UpdateKeys", "ssm:GetParametersByPath"} <= actions
    assert not [action for action in actions if re.search(r"Delete|\*", action)]


@pytest.mark.parametrize("fan_out", [False, True])
def test_who_fans_out_may_write_to_every_region_and_nobody_else(synthesise: Any, fan_out: bool) -> None:
    def ci(stack: cdk.Stack, site: BlueGreenSite) -> None:
        site.grant_publish(iam.Role(stack, "Ci", assumed_by=iam.AccountRootPrincipal()), fan_out=fan_out)

    templates = synthesise(regions=["us-east-1", "eu-west-1"], after=ci)
    (policy,) = (
        resource["Properties"]["PolicyDocument"]["Statement"]
        for key, resource in templates.of_type("AWS::IAM::Policy", "web").items()
        if key.startswith("Ci")
    )
    there = [statement for statement in policy if "eu-west-1" in str(statement["Resource"])]
    actions = {action for statement in there for action in _listed(statement["Action"])}
    assert actions == (
        {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListBucket"} if fan_out else set()
    )
    assert "condemned" not in str(there)


def test_its_parts_and_metrics_can_be_used(synthesise: Any) -> None:
    def use(stack: cdk.Stack, site: BlueGreenSite) -> None:
        cloudwatch.Alarm(stack, "Loads", metric=site.metric_page_loads("stable"), threshold=1, evaluation_periods=1)
        cdk.CfnOutput(stack, "Domain", value=site.distribution.distribution_domain_name)
        cdk.CfnOutput(stack, "Store", value=site.key_value_store.key_value_store_arn)
        assert list(site.buckets) == ["us-east-1", "eu-west-1"]
        assert site.alias is site.release.alias
        with pytest.raises(InvalidInput, match="roles are stable, candidate, other"):
            site.metric_page_loads("blue")

    templates = synthesise(regions=["us-east-1", "eu-west-1"], after=use)
    Template.from_json(templates["web"]).has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {
            "Namespace": "BluegreenCdn",
            "MetricName": "PageLoads",
            "Dimensions": [{"Name": "role", "Value": "stable"}, {"Name": "site", "Value": "shop"}],
        },
    )


def test_the_account_need_not_be_known(synthesise: Any) -> None:
    templates = synthesise(account=None, regions=["us-east-1", "eu-west-1"])
    names = [bucket["Properties"]["BucketName"] for bucket in templates.of_type("AWS::S3::Bucket").values()]
    assert {json.dumps(name) for name in names} == {
        json.dumps({"Fn::Join": ["", ["bluegreen-shop-", {"Ref": "AWS::AccountId"}, f"-{region}"]]})
        for region in ("us-east-1", "eu-west-1")
    }


def test_the_stacks_beside_are_protected_and_bootstrapped_as_the_users_own(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path), analytics_reporting=False, context={"@aws-cdk/core:bootstrapQualifier": "ours"})
    env = cdk.Environment(account="111122223333", region="us-east-1")
    stack = cdk.Stack(app, "web", env=env, termination_protection=True)
    BlueGreenSite(stack, "Site", name="shop", build=Build.published("v1"), regions=["us-east-1", "eu-west-1"])
    app.synth()
    artifacts = json.loads((tmp_path / "manifest.json").read_text())["artifacts"]
    for name in ("web", "shop-edge", "shop-eu-west-1"):
        template = json.loads((tmp_path / f"{name}.template.json").read_text())
        assert template["Parameters"]["BootstrapVersion"]["Default"] == "/cdk-bootstrap/ours/version"
        assert artifacts[name]["properties"]["terminationProtection"] is True


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"regions": ["us-east-1", "eu-west-9"]}, InvalidRegions, "region 'eu-west-9' is unknown"),
        ({"regions": ["us-east-1", "eu-west-1", "eu-west-1"]}, InvalidRegions, "region 'eu-west-1' is listed twice"),
        ({"regions": ["eu-west-1"]}, InvalidRegions, "the first must be us-east-1"),
        ({"name": "My Shop"}, InvalidInput, "site name 'My Shop' is not acceptable"),
        ({"name": "a" * 25}, InvalidInput, "it must be 2 to 24 characters"),
        ({"mode": "mpa"}, InvalidInput, "there is no document mode 'mpa'"),
        ({"region": "eu-west-1"}, InvalidInput, "stack 'web' has the region 'eu-west-1'; a site belongs in us-east-1"),
        ({"region": None}, InvalidInput, "stack 'web' has no region of its own; a site belongs in us-east-1"),
        ({"build": "dist"}, InvalidInput, "build is 'dist'; pass something like Build.folder(\"dist\")"),
        ({"rollout": "canary"}, InvalidInput, "rollout is 'canary'; pass something like Rollout.canary(percent=10)"),
        ({"domain_names": "shop.example"}, InvalidInput, "domain_names is the text 'shop.example'; pass a list"),
        ({"domain_names": ["shop.example"]}, InvalidInput, "site 'shop' has domain names without a certificate"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    synthesise: Any, arguments: dict[str, Any], kind: type[BlueGreenError], message: str
) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        synthesise(**arguments)


def test_two_sites_of_one_name_are_refused(synthesise: Any) -> None:
    def second(stack: cdk.Stack, site: BlueGreenSite) -> None:
        BlueGreenSite(stack, "Second", name="shop", build=Build.published("v1"))

    with pytest.raises(InvalidInput, match="stack 'shop-edge' cannot be added: it exists; give every site a name"):
        synthesise(after=second)


def test_two_sites_live_in_one_stack(synthesise: Any) -> None:
    def second(stack: cdk.Stack, site: BlueGreenSite) -> None:
        BlueGreenSite(stack, "Second", name="docs", build=Build.published("v1"))

    templates = synthesise(after=second)
    assert set(templates.by_stack) == {"web", "shop-edge", "docs-edge"}
    assert len(templates.of_type("AWS::Lambda::Version", "web")) == 2


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_whoever_may_roll_back_may_stop_a_deployment_and_not_move_the_alias(synthesise: Any) -> None:
    def operators(stack: cdk.Stack, site: BlueGreenSite) -> None:
        site.grant_rollback(iam.Role(stack, "Operators", assumed_by=iam.AccountRootPrincipal()))

    templates = synthesise(after=operators)
    (policy,) = (
        resource
        for logical_id, resource in templates.of_type("AWS::IAM::Policy", "web").items()
        if logical_id.startswith("Operators")
    )
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    actions = {
        action
        for statement in statements
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert {"codedeploy:StopDeployment", "cloudfront-keyvaluestore:UpdateKeys", "s3:GetObject"} <= actions
    assert not {action for action in actions if re.search("Update(Alias|Function)|Put|Delete|CreateDeployment", action)}
