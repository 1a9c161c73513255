"""Alias weights, honoured per invocation: ministack stores them and always runs the main version."""

import random
from collections.abc import Callable, Mapping
from typing import Any

from bluegreen_cdn.local.cloud.seams import replace, require
from bluegreen_cdn.local.cloud.timeline import Timeline


def choose_version(main_version: str, weights: Mapping[str, float], draw: float) -> str:
    """Choose the version that one invocation runs.

    Args:
        main_version: The alias's own version, which takes what the weights leave.
        weights: Share in [0, 1] of each additional version.
        draw: A number drawn evenly from [0, 1).
    """
    passed = 0.0
    for version, weight in weights.items():
        passed += weight
        if draw < passed:
            return version
    return main_version


def weights_of(alias: Mapping[str, Any]) -> dict[str, float]:
    """Give the additional weights of an alias record, empty when it has none."""
    routing = alias.get("RoutingConfig") or {}
    return {str(version): float(weight) for version, weight in (routing.get("AdditionalVersionWeights") or {}).items()}


def install(lambda_service: Any, timeline: Timeline, draw: Callable[[], float] = random.random) -> None:
    """Make every way into a function choose by weight.

    The Invoke API reads the alias record itself, so it is handed the chosen version as its qualifier; function URLs,
    events and custom resources resolve through `_get_func_record_for_ref`. Reads (GetFunctionConfiguration) resolve
    elsewhere and go on showing the alias's main version, as on AWS.
    """
    require(
        lambda_service, "_functions", "_create_alias", "_get_base_func_record_for_ref", "_resolve_name_and_qualifier"
    )

    def chosen(alias: Mapping[str, Any]) -> str:
        return choose_version(alias.get("FunctionVersion", "$LATEST"), weights_of(alias), draw())

    async def invoke(
        name: str,
        event: Any,
        headers: Any,
        path_qualifier: str | None = None,
        query_params: Mapping[str, Any] | None = None,
    ) -> Any:
        qualifier = path_qualifier or first(query_params, "Qualifier") or headers.get("x-amz-qualifier")
        alias = (lambda_service._functions.get(name) or {}).get("aliases", {}).get(qualifier)
        if not alias or not weights_of(alias):
            return await original_invoke(name, event, headers, path_qualifier, query_params)
        return await original_invoke(name, event, headers, chosen(alias), query_params)

    def record_for_ref(reference: str) -> Any:
        found = original_record_for_ref(reference)
        if found[0] is None:
            return found
        function = lambda_service._get_base_func_record_for_ref(reference)[0] or {}
        alias = function.get("aliases", {}).get(lambda_service._resolve_name_and_qualifier(reference)[1])
        if not alias or not weights_of(alias):
            return found
        record = function["versions"].get(chosen(alias))
        return (record, record["config"], found[2]) if record else found

    def update_alias(function: str, alias_name: str, data: Any) -> Any:
        answer = original_update(function, alias_name, data)
        alias = (lambda_service._functions.get(function) or {}).get("aliases", {}).get(alias_name)
        if answer[0] < 400 and alias:
            timeline.record(
                "alias",
                function=function,
                alias=alias_name,
                version=alias.get("FunctionVersion"),
                weights=weights_of(alias),
            )
        return answer

    original_invoke = replace(lambda_service, "_invoke", invoke)
    original_record_for_ref = replace(lambda_service, "_get_func_record_for_ref", record_for_ref)
    original_update = replace(lambda_service, "_update_alias", update_alias)


def first(query: Mapping[str, Any] | None, name: str) -> str | None:
    """Give one query parameter, whether the server kept it as a list or as text."""
    value = (query or {}).get(name)
    if isinstance(value, list):
        return str(value[0]) if value else None
    return None if value is None else str(value)
