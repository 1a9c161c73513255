"""Runs the rendered edge functions, as they are deployed, in the simulator's engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.requests import DocumentMode, Plan, plan_request
from bluegreen_cdn.domain.routing import Decision, RequestKind, RoutingState, Visitor, decide
from bluegreen_cdn.edge_code import edge_handler_path, render_function
from bluegreen_cdn.local.edge.functions.engine import Function, KeyValueStoreError

PLACE = {"region": "us-east-1", "name": "us-east-1"}


def _boxed(items: Mapping[str, str] | None) -> dict[str, dict[str, str]]:
    return {name: {"value": value} for name, value in (items or {}).items()}


@dataclass
class EdgeFunctions:
    """The two rendered functions and what they read."""

    rules: ClassificationRules
    mode: str = "spa"
    precompress: bool = True
    reads: list[str] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.code = {
            name: render_function(
                (edge_handler_path() / f"{name}.js").read_text(),
                self.rules,
                self.mode,
                "shop",
                precompress=self.precompress,
            )
            for name in ("viewer_request", "viewer_response")
        }
        self.code["hashed_request"] = render_function(
            (edge_handler_path() / "viewer_request.js").read_text(),
            self.rules,
            self.mode,
            "shop",
            precompress=self.precompress,
            direct=True,
        )
        self.functions = {name: Function(name, code) for name, code in self.code.items()}

    def event(
        self,
        uri: str,
        *,
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        ip: str = "127.0.0.9",
    ) -> dict[str, Any]:
        """A viewer-request event as CloudFront shapes it."""
        return {
            "version": "1.0",
            "context": {"distributionId": "EDFDVBD6EXAMPLE", "eventType": "viewer-request", "requestId": "one"},
            "viewer": {"ip": ip},
            "request": {
                "method": "GET",
                "uri": uri,
                "querystring": _boxed(query),
                "headers": _boxed(headers),
                "cookies": _boxed(cookies),
            },
        }

    def request(self, event: Mapping[str, Any], store: Mapping[str, str] | None, *, direct: bool = False) -> Any:
        """What viewer request makes of an event; `store` is None when the KeyValueStore cannot be read."""
        return self._run("hashed_request" if direct else "viewer_request", event, store)

    def response(
        self, event: Mapping[str, Any], headers: Mapping[str, str], store: Mapping[str, str] | None, status: int = 200
    ) -> Any:
        """What viewer response makes of an answer to a request event."""
        answered = {
            **event,
            "context": {**event["context"], "eventType": "viewer-response"},
            "response": {"statusCode": status, "headers": _boxed(headers), "cookies": {}},
        }
        return self._run("viewer_response", answered, store)

    def expected(
        self,
        uri: str,
        visitor: Visitor,
        state: RoutingState | None,
        *,
        accept: str = "",
        destination: str = "",
        encoding: str = "",
        ranged: bool = False,
        direct: bool = False,
        retained: tuple[str, ...] = (),
    ) -> tuple[object, ...]:
        """The same decision by the Python twin, as `answer_of` tells it."""
        plan = plan_request(
            uri,
            self.rules,
            DocumentMode(self.mode),
            accept=accept,
            fetch_destination=destination,
            precompress=self.precompress,
            accept_encoding=encoding,
            ranged=ranged,
        )
        if plan.plan in (Plan.MALFORMED, Plan.MISSING):
            return ("status", 400 if plan.plan is Plan.MALFORMED else 404)
        if plan.plan in (Plan.SHARED, Plan.BUILT):
            return ("request", plan.uri, "shared")
        kind = RequestKind.ENTRY if plan.plan is Plan.ENTRY else RequestKind.FILE
        decision: Decision = decide(state, visitor, kind, retained=retained)
        if decision.build is None:
            return ("status", 503)
        prefix = f"/builds/{decision.build}" if direct else ""
        return ("request", prefix + plan.uri, decision.build)

    def answer_of(self, value: Any) -> tuple[object, ...]:
        """A function's result, reduced to what was decided."""
        if "statusCode" in value:
            return ("status", value["statusCode"])
        headers = value["headers"]
        return ("request", value["uri"], headers["x-build-id"]["value"])

    def _run(self, name: str, event: Mapping[str, Any], store: Mapping[str, str] | None) -> Any:
        self.reads.clear()

        def read(operation: str, _store: str, key: str | None) -> Any:
            assert key is not None
            self.reads.append(key)
            if store is None or (operation == "get" and key not in store) or key in self.unreadable:
                raise KeyValueStoreError("KeyNotFound" if store is not None else "unreadable")
            return key in store if operation == "exists" else store[key]

        return self.functions[name].run(event, place=PLACE, stores=1, read=read).value


@pytest.fixture(scope="session")
def edge() -> EdgeFunctions:
    """The functions of a site with the rules of Vite and Next, an embeddable script and one amended glob."""
    return EdgeFunctions(
        ClassificationRules.preset("vite", "next", entries=("widget.js",), unhashed=("assets/brand-*.png",))
    )


@pytest.fixture(scope="session")
def edge_of_mode() -> dict[str, EdgeFunctions]:
    """The functions of a site with all presets, by document mode; one of them without precompressed variants."""
    return {
        mode: EdgeFunctions(ClassificationRules.default(), mode, precompress=mode != "html")
        for mode in ("spa", "directory", "html")
    }
