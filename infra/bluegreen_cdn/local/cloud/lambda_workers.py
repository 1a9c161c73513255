"""Lambda's workers: metrics out of their logs, metrics about every invocation, and no time lost between the two."""

import time
from typing import Any

from bluegreen_cdn.local.cloud.custom_resource_failures import CustomResourceFailures
from bluegreen_cdn.local.cloud.emf import parse_line
from bluegreen_cdn.local.cloud.faults import Faults
from bluegreen_cdn.local.cloud.metric_store import MetricStore
from bluegreen_cdn.local.cloud.schedules import ScheduledRuns
from bluegreen_cdn.local.cloud.seams import replace, require

FIRST_LOG_LINE_SECONDS = 0.004
_DOWN = {"errorType": "FaultOrdered", "errorMessage": "this function is down, by order of the rehearsal"}


def install(ministack: Any, store: MetricStore, faults: Faults) -> None:
    """Patch ministack's worker class and its dispatcher, which obeys the fault `function-down`."""
    runtime, service = ministack.lambda_runtime, ministack.lambda_service
    custom_resources = CustomResourceFailures(ministack.custom_resource)
    request_scope = ministack.responses.request_scope
    require(runtime, "Worker", "_account_region_from_function_config")
    require(runtime.Worker, "_read_stderr", "_drain_stderr_bounded")

    def read_stderr(worker: Any) -> None:
        """Read a worker's log lines as they come; embedded metrics are taken here, where no line can be missed."""
        process = worker._proc
        account, region = runtime._account_region_from_function_config(worker.config)
        try:
            for line in process.stderr:
                text = line.rstrip("\n")
                worker._stderr_queue.put(text)
                metrics = parse_line(text)
                if not metrics:
                    continue
                with request_scope(account, region):
                    for metric in metrics:
                        store.add(
                            metric.namespace,
                            metric.name,
                            metric.dimensions,
                            metric.values,
                            metric.unit,
                            metric.timestamp,
                        )
        except (OSError, ValueError):
            return  # the worker is gone

    def drain(worker: Any) -> str:
        # Theirs waits 50 ms for a first line after every invocation that logs nothing.
        text: str = original_drain(worker, first_line_wait=FIRST_LOG_LINE_SECONDS)
        return text

    scheduled = ScheduledRuns()

    def dispatch(function: Any, config: Any, event: Any, request_id: str, started: float) -> Any:
        with scheduled.one(config.get("FunctionName", ""), event) as may_begin:
            if not may_begin:
                return {"body": None, "log": ""}
            return run(function, config, event, request_id, started)

    def run(function: Any, config: Any, event: Any, request_id: str, started: float) -> Any:
        if faults.stops_function(config.get("FunctionName", "")):
            result: Any = {"error": True, "body": dict(_DOWN), "log": ""}
        else:
            result = original_dispatch(function, config, event, request_id, started)
        failed = bool(isinstance(result, dict) and result.get("error"))
        original_emit(
            config.get("FunctionName", ""), duration_ms=(time.time() - started) * 1000, error=failed, throttle=False
        )
        custom_resources.notice(event, result)
        return result

    def emit(function_name: str, duration_ms: float, error: bool, throttle: bool) -> None:
        """Let through only what `dispatch` does not see: ministack counts invocations of its Invoke API alone."""
        if throttle:
            original_emit(function_name, duration_ms=duration_ms, error=error, throttle=True)

    replace(runtime.Worker, "_read_stderr", read_stderr)
    original_drain = replace(runtime.Worker, "_drain_stderr_bounded", drain)
    original_dispatch = replace(service, "_execute_function_dispatch", dispatch)
    original_emit = replace(service, "_emit_lambda_metrics", emit)
