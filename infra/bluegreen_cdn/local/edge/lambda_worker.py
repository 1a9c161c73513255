"""Runs one Lambda@Edge function for the simulator: one JSON event a line in, one JSON answer a line out.

Started with `-I -S` in an empty environment, so that the handler finds the standard library and its own package, and
nothing of this project. This file imports nothing but the standard library for the same reason.
"""

import importlib
import json
import os
import sys
import time
import traceback


class Context:
    """The context object of Lambda, as far as it means anything here."""

    def __init__(self, name: str, arn: str, request_id: str, timeout: float) -> None:
        self.function_name = name
        self.function_version = arn.rpartition(":")[2]
        self.invoked_function_arn = arn
        self.memory_limit_in_mb = "128"
        self.aws_request_id = request_id
        self._until = time.monotonic() + timeout

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the simulator gives up."""
        return max(int((self._until - time.monotonic()) * 1000), 0)


def main(folder: str, handler_name: str, arn: str, timeout: float) -> None:
    """Answer events until the input ends."""
    # what the handler prints must not end up between the answers
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.path.insert(0, folder)
    module_name, _, function_name = handler_name.rpartition(".")
    handler = getattr(importlib.import_module(module_name.replace("/", ".")), function_name)
    for line in sys.stdin:
        call = json.loads(line)
        context = Context(arn.split(":")[6], arn, call["id"], timeout)
        try:
            answer = {"id": call["id"], "value": json.loads(json.dumps(handler(call["event"], context)))}
        except BaseException as error:
            answer = {"id": call["id"], "error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]))
