import json
from typing import Any

from bluegreen_cdn.domain.no_traffic import NoTraffic
from bluegreen_cdn.domain.rollout import Rollout


def sync_function(templates: Any) -> tuple[str, dict[str, Any]]:
    ((logical_id, function),) = (
        (logical_id, resource["Properties"])
        for logical_id, resource in templates.of_type("AWS::Lambda::Function", "web").items()
        if resource["Properties"]["Handler"] == "bluegreen_cdn.handlers.sync.handler"
    )
    return logical_id, function


def test_it_runs_on_deployments_on_alarms_and_every_minute(templates: Any) -> None:
    logical_id, _ = sync_function(templates)
    rules = [rule["Properties"] for rule in templates.of_type("AWS::Events::Rule").values()]
    assert all(rule["State"] == "ENABLED" for rule in rules)
    assert all(rule["Targets"][0]["Arn"] == {"Fn::GetAtt": [logical_id, "Arn"]} for rule in rules)
    assert [rule["ScheduleExpression"] for rule in rules if "ScheduleExpression" in rule] == ["rate(1 minute)"]
    patterns = {rule["EventPattern"]["source"][0]: rule["EventPattern"] for rule in rules if "EventPattern" in rule}
    (application,) = templates.of_type("AWS::CodeDeploy::Application")
    assert patterns["aws.codedeploy"] == {
        "source": ["aws.codedeploy"],
        "detail-type": ["CodeDeploy Deployment State-change Notification"],
        "detail": {"application": [{"Ref": application}]},
    }
    assert patterns["aws.cloudwatch"]["detail-type"] == ["CloudWatch Alarm State Change"]
    alarms = {
        key
        for key, alarm in templates.of_type("AWS::CloudWatch::Alarm", "web").items()
        if not alarm["Properties"]["AlarmName"].endswith(("sync-dead", "drift"))
    }
    assert {resource["Fn::GetAtt"][0] for resource in patterns["aws.cloudwatch"]["resources"]} == alarms


def test_every_rule_may_call_it(templates: Any) -> None:
    rules = set(templates.of_type("AWS::Events::Rule"))
    permissions = [p["Properties"] for p in templates.of_type("AWS::Lambda::Permission", "web").values()]
    assert {permission["SourceArn"]["Fn::GetAtt"][0] for permission in permissions} == rules
    assert {permission["Principal"] for permission in permissions} == {"events.amazonaws.com"}


def test_its_silence_and_drift_are_alarms_that_stop_no_release(templates: Any) -> None:
    alarms = {
        alarm["Properties"]["AlarmName"]: (key, alarm["Properties"])
        for key, alarm in templates.of_type("AWS::CloudWatch::Alarm", "web").items()
    }
    group = templates.only("AWS::CodeDeploy::DeploymentGroup")["Properties"]
    for name, metric, missing in (
        ("bluegreen-shop-sync-dead", "SyncHeartbeat", "breaching"),
        ("bluegreen-shop-drift", "Drift", "notBreaching"),
    ):
        key, alarm = alarms[name]
        assert (alarm["Namespace"], alarm["MetricName"], alarm["TreatMissingData"]) == ("BluegreenCdn", metric, missing)
        assert alarm["Dimensions"] == [{"Name": "site", "Value": "shop"}]
        assert {"Name": {"Ref": key}} not in group["AlarmConfiguration"]["Alarms"]


def test_it_knows_what_the_handlers_settings_ask_for(templates: Any) -> None:
    _, function = sync_function(templates)
    assert set(function["Environment"]["Variables"]) == {
        "SITE",
        "KEY_VALUE_STORE_ARN",
        "DISTRIBUTION_DOMAIN",
        "RELEASE_FUNCTION",
        "ALIAS",
        "CODEDEPLOY_APPLICATION",
        "CODEDEPLOY_GROUP",
        "ALARM_NAMES",
        "BUCKETS",
        "BAKE_MINUTES",
        "HOLDOUT_BASIS_POINTS",
        "SMOKE_FETCH",
        "VERDICT_PERIOD_SECONDS",
        "MINIMUM_SAMPLE",
    }


def test_page_loads_are_looked_up_only_where_a_release_depends_on_them(templates: Any, synthesise: Any) -> None:
    def readers(found: Any) -> int:
        return json.dumps(found["web"]).count('"cloudwatch:GetMetricData"')

    picky = synthesise(rollout=Rollout.canary(on_no_traffic=NoTraffic.abort(minimum_page_loads=50)))
    assert sync_function(picky)[1]["Environment"]["Variables"]["MINIMUM_SAMPLE"] == "50"
    seen = (readers(templates), readers(picky))
    assert seen == (2, 4), "the release check and the hook before traffic look at the window anyway"
