from typing import Any

from bluegreen_cdn.constructs import Build

from .test_rights import flat, listed, statements


def rights(templates: Any, role: str) -> set[tuple[str, str]]:
    """Every action and resource of the one role whose logical id begins so, but for its own log."""
    return {
        (action, flat(resource))
        for logical_id, statement in statements(templates["web"])
        if logical_id.startswith(role)
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
        if not action.startswith("logs:")
    }


def test_the_alias_waits_for_the_check_and_the_check_for_build_and_seed(templates: Any) -> None:
    (check, resource), *others = templates.of_type("Custom::BlueGreenReleaseCheck").items()
    assert others == []
    assert check in templates.only("AWS::Lambda::Alias")["DependsOn"]
    before = resource["DependsOn"]
    for kind in ("Custom::BlueGreenBuild", "Custom::BlueGreenRouting"):
        (needed,) = templates.of_type(kind)
        assert needed in before, kind
    assert not set(before) & set(templates.of_type("AWS::Lambda::Alias"))


def test_only_another_build_is_checked(synthesise: Any) -> None:
    first, same, other = (
        synthesise(build=Build.published(build), **settings).only("Custom::BlueGreenReleaseCheck")["Properties"]
        for build, settings in (
            ("v1", {}),
            ("v1", {"mode": "directory", "regions": ["us-east-1", "eu-west-1"]}),
            ("v2", {}),
        )
    )
    assert first == same
    assert {**first, "BuildId": "v2"} == other
    assert set(first) == {"ServiceToken", "ServiceTimeout", "BuildId"}


def test_it_may_look_at_what_the_hook_looks_at_and_at_its_own_stack(templates: Any) -> None:
    check, hook = (rights(templates, f"Site{role}Role") for role in ("CheckHandler", "HooksBefore"))
    assert check - hook == {("cloudformation:DescribeStacks", "<AWS::StackId>")}
    assert {action for action, _ in hook - check} == {"codedeploy:PutLifecycleEventHookExecutionStatus"}
