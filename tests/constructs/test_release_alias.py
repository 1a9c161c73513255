import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from bluegreen_cdn.constructs import Build
from bluegreen_cdn.constructs.parameter_reader import INLINE_CODE
from bluegreen_cdn.domain.rollout import Rollout
from bluegreen_cdn.domain.verdict import Verdict

RELEASE_CODE_SHA256 = "b57085a03f254ec005b5ef56ebe408696d68331ebc5127fe9065a444318bfd11"


def version(templates: Any) -> tuple[str, dict[str, Any]]:
    ((logical_id, resource),) = templates.of_type("AWS::Lambda::Version", "web").items()
    return logical_id, resource


def release_function(templates: Any) -> dict[str, Any]:
    _, resource = version(templates)
    function: dict[str, Any] = templates["web"]["Resources"][resource["Properties"]["FunctionName"]["Ref"]]
    return function


def test_the_same_build_gives_the_same_templates(synthesise: Any, build_folder: Path) -> None:
    one, two = (synthesise(build=Build.folder(build_folder), regions=["us-east-1", "eu-west-1"]) for _ in range(2))
    assert one.by_stack == two.by_stack


def test_another_build_gives_exactly_one_new_version_and_another_variable(synthesise: Any) -> None:
    before, after = (synthesise(build=Build.published(build_id)) for build_id in ("v1", "v2"))
    assert before["shop-edge"] == after["shop-edge"], "a release leaves the edge stack alone"
    old, new = before["web"]["Resources"], after["web"]["Resources"]
    (gone, _), (come, _) = version(before), version(after)
    assert set(old) - set(new) == {gone}
    assert set(new) - set(old) == {come}
    changed = {key: new[key]["Type"] for key in set(old) & set(new) if old[key] != new[key]}
    assert sorted(changed.values()) == [
        "AWS::Lambda::Alias",
        "AWS::Lambda::Function",
        "Custom::BlueGreenBuild",
        "Custom::BlueGreenReleaseCheck",
        "Custom::BlueGreenRouting",
    ]
    assert [release_function(templates)["Properties"]["Environment"]["Variables"] for templates in (before, after)] == [
        {"BUILD_ID": "v1"},
        {"BUILD_ID": "v2"},
    ]


def test_a_change_of_anything_else_makes_no_new_version_and_leaves_the_release_function_alone(
    synthesise: Any, build_folder: Path
) -> None:
    before = synthesise(build=Build.folder(build_folder, build_id="v1"))
    after = synthesise(
        build=Build.published("v1"),
        regions=["us-east-1", "eu-west-1"],
        rollout=Rollout.linear(percent=20, bake_minutes=10),
        verdict=Verdict(minimum_page_loads=7),
        mode="directory",
    )
    assert version(before) == version(after)
    assert release_function(before) == release_function(after)
    ((_, old),) = before.of_type("AWS::Lambda::Alias").items()
    ((_, new),) = after.of_type("AWS::Lambda::Alias").items()
    assert old["Properties"] == new["Properties"], "no change of the alias, no rollout"


def test_a_version_stays_unless_its_creation_is_rolled_back(templates: Any) -> None:
    _, resource = version(templates)
    assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
    assert resource["UpdateReplacePolicy"] == "Retain"
    assert resource["Properties"]["Description"] == "build v1"


def test_the_release_functions_code_is_frozen(templates: Any) -> None:
    """Changing it would make every stack roll out a version that no build asked for."""
    code = release_function(templates)["Properties"]["Code"]["ZipFile"]
    assert code == (INLINE_CODE / "release.py").read_text()
    assert hashlib.sha256(code.encode()).hexdigest() == RELEASE_CODE_SHA256
    scope: dict[str, Any] = {}
    exec(compile(code, "release.py", "exec"), scope)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BUILD_ID", "v1")
        assert scope["handler"]({}, None) == {"build": "v1"}


def test_the_alias_is_moved_by_codedeploy_with_both_hooks(templates: Any) -> None:
    alias = templates.only("AWS::Lambda::Alias")
    (application,) = templates.of_type("AWS::CodeDeploy::Application")
    (group,) = templates.of_type("AWS::CodeDeploy::DeploymentGroup")
    logical_id, _ = version(templates)
    assert alias["Properties"]["Name"] == "live"
    assert alias["Properties"]["FunctionVersion"] == {"Fn::GetAtt": [logical_id, "Version"]}
    update = alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    assert update["ApplicationName"] == {"Ref": application}
    assert update["DeploymentGroupName"] == {"Ref": group}
    functions = templates["web"]["Resources"]
    assert [
        functions[update[hook]["Ref"]]["Properties"]["Handler"]
        for hook in ("BeforeAllowTrafficHook", "AfterAllowTrafficHook")
    ] == [
        "bluegreen_cdn.handlers.before_allow_traffic.handler",
        "bluegreen_cdn.handlers.after_allow_traffic.handler",
    ]


def test_failure_stop_and_alarm_roll_back(templates: Any) -> None:
    group = templates.only("AWS::CodeDeploy::DeploymentGroup")["Properties"]
    assert group["AutoRollbackConfiguration"] == {
        "Enabled": True,
        "Events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST", "DEPLOYMENT_STOP_ON_ALARM"],
    }
    alarms = templates.of_type("AWS::CloudWatch::Alarm", "web")
    watched = {
        alarms[alarm["Name"]["Ref"]]["Properties"]["AlarmName"] for alarm in group["AlarmConfiguration"]["Alarms"]
    }
    assert watched == {"bluegreen-shop-verdict", "bluegreen-shop-slowdown", "bluegreen-shop-edge-errors"}
    assert group["AlarmConfiguration"]["Enabled"] is True


@pytest.mark.parametrize(
    ("rollout", "routing"),
    [
        (
            Rollout.canary(percent=5, interval_minutes=7),
            {"Type": "TimeBasedCanary", "TimeBasedCanary": {"CanaryPercentage": 5, "CanaryInterval": 7}},
        ),
        (
            Rollout.linear(percent=20, interval_minutes=3),
            {"Type": "TimeBasedLinear", "TimeBasedLinear": {"LinearPercentage": 20, "LinearInterval": 3}},
        ),
    ],
)
def test_the_rollout_is_a_configuration_of_the_sites_own(synthesise: Any, rollout: Rollout, routing: Any) -> None:
    templates = synthesise(rollout=rollout)
    ((name, config),) = templates.of_type("AWS::CodeDeploy::DeploymentConfig").items()
    assert config["Properties"] == {"ComputePlatform": "Lambda", "TrafficRoutingConfig": routing}
    group = templates.only("AWS::CodeDeploy::DeploymentGroup")["Properties"]
    assert group["DeploymentConfigName"] == {"Ref": name}


def test_all_at_once_is_codedeploys_own_configuration(synthesise: Any) -> None:
    templates = synthesise(rollout=Rollout.all_at_once())
    assert not templates.of_type("AWS::CodeDeploy::DeploymentConfig")
    group = templates.only("AWS::CodeDeploy::DeploymentGroup")["Properties"]
    assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaAllAtOnce"


def test_bake_and_hold_out_reach_the_control_plane(synthesise: Any) -> None:
    templates = synthesise(rollout=Rollout.canary(bake_minutes=11, holdout_percent=2.5))
    for handler in ("sync", "check", "before_allow_traffic", "after_allow_traffic"):
        (variables,) = (
            function["Properties"]["Environment"]["Variables"]
            for function in templates.of_type("AWS::Lambda::Function", "web").values()
            if function["Properties"]["Handler"] == f"bluegreen_cdn.handlers.{handler}.handler"
        )
        assert (variables["BAKE_MINUTES"], variables["HOLDOUT_BASIS_POINTS"]) == ("11", "250")
        assert json.loads(variables["BUCKETS"]) == {"us-east-1": "bluegreen-shop-111122223333-us-east-1"}
