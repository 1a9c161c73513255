"""CloudFront Functions in QuickJS, with CloudFront's limits on code, memory and time."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import quickjs

from bluegreen_cdn.errors import LocalCloudError

CODE_MAXIMUM_BYTES = 10_240
MEMORY_MAXIMUM_BYTES = 2 * 1024 * 1024
TIME_LIMIT_SECONDS = 0.25
"""CPU time. CloudFront allows far less, but counts it on other machines than this."""
CUSTOM_DATA_MAXIMUM_BYTES = 800
MESSAGE_MAXIMUM_CHARACTERS = 1_000

_IMPORT = re.compile(
    r"(^[ \t]*|(?<=;)[ \t]*)import\s+(?:\*\s+as\s+)?([\w$]+|\{[^}]*\})\s+from\s*(['\"])([\w-]+)\3[ \t]*;?", re.MULTILINE
)
Read = Callable[[str, str, str | None], Any]
"""(operation, store, key) -> value; raises `KeyValueStoreError`."""


class FunctionFailed(Exception):
    """The function threw, ran out of time or memory, or has no handler."""


class KeyValueStoreError(Exception):
    """A read that the function sees as a rejected promise."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of a function left behind."""

    value: Any
    log: tuple[str, ...]
    custom_data: str
    origin_edits: tuple[Mapping[str, Any], ...]


def modules_to_requires(source: str) -> str:
    """Turn `import x from 'y'` into `const x = require('y')`, on the same line, so that line numbers stay true."""

    def replace(match: re.Match[str]) -> str:
        names = re.sub(r"\bas\b", ":", match[2])
        return f"{match[1]}const {names} = require('{match[4]}');"

    return _IMPORT.sub(replace, source)


class Function:
    """One published CloudFront Function.

    The code's top level is run anew for every event: nothing that one request leaves in a variable reaches the next, as
    on CloudFront.

    Raises:
        LocalCloudError: when the code is larger than CloudFront takes, or does not parse.
    """

    def __init__(self, name: str, source: str, *, time_limit_seconds: float = TIME_LIMIT_SECONDS) -> None:
        size = len(source.encode())
        if size > CODE_MAXIMUM_BYTES:
            raise LocalCloudError(f"function {name!r} has {size} bytes of code; CloudFront takes {CODE_MAXIMUM_BYTES}")
        self.name = name
        self._time_limit_seconds = time_limit_seconds
        self._factory = (
            f'(function (require, console) {{ "use strict"; {modules_to_requires(source)}\nreturn handler; }})'
        )
        self._load()

    def _load(self) -> None:
        context = quickjs.Context()
        for script in ("hashes.js", "modules.js", "host.js"):
            context.eval((files(__package__) / script).read_text())
        try:
            context.eval(f"const __factory = {self._factory};")
        except quickjs.JSException as error:
            raise LocalCloudError(f"function {self.name!r} does not parse: {error}") from None
        context.eval("globalThis.__start = function (input) { return __host.start(__factory, input); }")
        context.eval("globalThis.__settle = __host.settle; globalThis.__poll = __host.poll")
        self._start, self._settle, self._poll = (context.get(name) for name in ("__start", "__settle", "__poll"))
        context.set_memory_limit(context.memory()["malloc_size"] + MEMORY_MAXIMUM_BYTES)
        context.set_time_limit(self._time_limit_seconds)
        self._context = context

    def run(self, event: Mapping[str, Any], *, place: Mapping[str, str], stores: int, read: Read) -> Outcome:
        """Run the handler for one event.

        Args:
            event: The event object.
            place: `cf.edgeLocation`.
            stores: How many KeyValueStores are associated with the function.
            read: Answers KeyValueStore reads.

        Raises:
            FunctionFailed: with the function's own message.
        """
        try:
            self._start(json.dumps({"event": event, "place": place, "stores": stores}))
            while True:
                while self._context.execute_pending_job():
                    pass
                state = self._poll()
                if not state:
                    raise FunctionFailed("the handler waits for a promise that nothing settles")
                found = json.loads(state)
                if "reads" not in found:
                    return _outcome(found)
                self._settle(json.dumps([_answer(read, item) for item in found["reads"]]))
        except (quickjs.JSException, quickjs.StackOverflow) as error:
            # after a broken limit the engine's memory is in no known state
            self._load()
            raise FunctionFailed(_explained(str(error))) from None


def _answer(read: Read, item: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {"value": read(item["operation"], item["store"], item.get("key"))}
    except KeyValueStoreError as error:
        return {"error": str(error)}


def _outcome(found: Mapping[str, Any]) -> Outcome:
    outcome = found["outcome"]
    if "error" in outcome:
        raise FunctionFailed(_explained(outcome["error"].strip()))
    custom = "".join(found["custom"]).encode()[:CUSTOM_DATA_MAXIMUM_BYTES].decode(errors="ignore")
    return Outcome(outcome.get("value"), tuple(found["log"]), custom, tuple(found["edits"]))


def _explained(message: str) -> str:
    if "interrupted" in message:
        return f"the function used more than its time: {message[:MESSAGE_MAXIMUM_CHARACTERS]}"
    if "out of memory" in message or message.strip() == "null":
        return f"the function used more than its {MEMORY_MAXIMUM_BYTES} bytes of memory"
    return message[:MESSAGE_MAXIMUM_CHARACTERS]
