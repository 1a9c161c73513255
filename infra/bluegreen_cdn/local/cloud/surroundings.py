"""The engine's view of the cloud, on ministack's Lambda, CloudWatch and EventBridge."""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from bluegreen_cdn.local.cloud.clock import ScaledClock
from bluegreen_cdn.local.cloud.deployment_model import Scope
from bluegreen_cdn.local.cloud.ministack_modules import Ministack
from bluegreen_cdn.local.cloud.seams import require
from bluegreen_cdn.local.cloud.timeline import Timeline
from bluegreen_cdn.local.cloud.weighted_alias import weights_of

ASYNC_RETRY_DELAYS_MINUTES = (1, 2)
"""Lambda tries an asynchronous invocation three times."""


class MinistackSurroundings:
    """Implements `deployment_port.Surroundings`."""

    def __init__(self, ministack: Ministack, clock: ScaledClock, timeline: Timeline) -> None:
        self._lambda = ministack.lambda_service
        self._events = ministack.events
        self._cloudwatch = ministack.cloudwatch
        self._request_scope = ministack.responses.request_scope
        self._clock = clock
        self._timeline = timeline
        require(
            self._lambda,
            "_functions",
            "_update_alias",
            "_execute_function_with_config_scope",
            "_execution_record_for_config",
            "_get_func_record_for_ref",
        )
        require(self._events, "_put_events")
        require(self._cloudwatch, "_alarms", "_composite_alarms")

    def read_alias(self, scope: Scope, function: str, alias: str) -> tuple[str, Mapping[str, float]]:
        """Give an alias's version and additional weights."""
        with self._request_scope(scope.account, scope.region):
            record = (self._lambda._functions.get(function) or {}).get("aliases", {}).get(alias)
            if record is None:
                raise LookupError(f"Function not found: {function}:{alias}")
            return str(record["FunctionVersion"]), weights_of(record)

    def write_alias(self, scope: Scope, function: str, alias: str, version: str, weights: Mapping[str, float]) -> None:
        """Set an alias's version and weights."""
        data = {"FunctionVersion": version, "RoutingConfig": {"AdditionalVersionWeights": dict(weights)}}
        with self._request_scope(scope.account, scope.region):
            status, _, body = self._lambda._update_alias(function, alias, data)
        if status >= 400:
            raise RuntimeError(f"UpdateAlias of {function}:{alias} answered {status}: {body!r}")

    def version_exists(self, scope: Scope, function: str, version: str) -> bool:
        """Whether the function has this version."""
        with self._request_scope(scope.account, scope.region):
            return version in (self._lambda._functions.get(function) or {}).get("versions", {})

    def call_hook(self, scope: Scope, function: str, payload: Mapping[str, str]) -> None:
        """Invoke a hook function asynchronously, with Lambda's two retries."""
        threading.Thread(
            target=self._call, args=(scope, function, dict(payload)), daemon=True, name=f"hook-{function}"
        ).start()

    def _call(self, scope: Scope, function: str, payload: dict[str, str]) -> None:
        for delay in (*ASYNC_RETRY_DELAYS_MINUTES, None):
            result = self.invoke(scope, function, payload)
            if not result.get("error"):
                return
            self._timeline.record(
                "hook_error",
                function=function,
                deployment=payload["DeploymentId"],
                error=result.get("body"),
                log=str(result.get("log", ""))[-2000:],
            )
            if delay is None:
                return
            time.sleep(self._clock.real_minutes(delay))

    def invoke(self, scope: Scope, function: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Run a function and give ministack's result record."""
        with self._request_scope(scope.account, scope.region):
            record, config, name = self._lambda._get_func_record_for_ref(function)
            if not record or not config:
                return {"error": True, "body": f"Function not found: {name}"}
            execution = self._lambda._execution_record_for_config(record, config)
            result: dict[str, Any] = self._lambda._execute_function_with_config_scope(execution, payload)
            return result

    def alarms_on(self, scope: Scope, names: Sequence[str]) -> list[str]:
        """Give those of the alarms that are in ALARM."""
        with self._request_scope(scope.account, scope.region):
            stores = (self._cloudwatch._alarms, self._cloudwatch._composite_alarms)
            return [
                name for name in names if any((store.get(name) or {}).get("StateValue") == "ALARM" for store in stores)
            ]

    def send_event(
        self,
        scope: Scope,
        detail_type: str,
        detail: Mapping[str, Any],
        resources: Sequence[str],
        source: str = "aws.codedeploy",
    ) -> None:
        """Put an AWS event on the default bus."""
        entry = {
            "Source": source,
            "DetailType": detail_type,
            "Detail": json.dumps(detail),
            "Resources": list(resources),
        }
        with self._request_scope(scope.account, scope.region):
            self._events._put_events({"Entries": [entry]}, allow_aws_source=True)
        self._timeline.record("event", source=source, detail_type=detail_type, detail=dict(detail))
