"""Faults of functions and KeyValueStores, counted where they must be felt."""

from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from bluegreen_cdn.aws.key_value_store import CloudFrontKeyValueStore
from bluegreen_cdn.local.cloud.kvs_faults import EDGE_HEADER, store_name

from .conftest import Aws

pytestmark = [pytest.mark.cloud, pytest.mark.xdist_group("local-cloud")]


def invoke(aws: Aws, name: str) -> bool:
    return "FunctionError" not in aws.client("lambda").invoke(FunctionName=name)


def test_a_function_that_is_down_does_not_run_and_runs_again_when_mended(aws: Aws) -> None:
    down, other = f"down-{uuid4().hex[:8]}", f"up-{uuid4().hex[:8]}"
    source = "calls = []\ndef handler(event, context):\n    calls.append(1)\n    return len(calls)"
    for name in (down, other):
        aws.function(name, source)
        assert invoke(aws, name)
    fault = aws.cloud.fault("function-down", function="down-*")
    try:
        assert [invoke(aws, down) for _ in range(3)] == [False] * 3
        assert invoke(aws, other)
    finally:
        aws.cloud.mend(fault)
    answer = aws.client("lambda").invoke(FunctionName=down)
    assert answer["Payload"].read() == b"2", "the calls while it was down have run nothing"


def key_value_store(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> tuple[str, CloudFrontKeyValueStore]:
    name = f"store-{uuid4().hex[:8]}"
    arn = aws.client("cloudfront").create_key_value_store(Name=name)["KeyValueStore"]["ARN"]
    for variable, value in aws.cloud.environment().items():
        if variable.startswith("AWS_"):
            monkeypatch.setenv(variable, value)
    return name, CloudFrontKeyValueStore(arn)


def refused(aws: Aws, name: str) -> list[dict[str, Any]]:
    return [event for event in aws.cloud.timeline(kind="kvs_refused") if event["store"] == name]


@pytest.mark.parametrize(("kind", "status"), [("kvs-error", 500), ("kvs-throttle", 429)])
def test_a_share_of_a_writers_requests_is_refused_and_retried(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, kind: str, status: int
) -> None:
    name, store = key_value_store(aws, monkeypatch)
    etag = store.read().etag
    fault = aws.cloud.fault(kind, store=name, share=0.5)
    try:
        for number in range(3):
            etag = store.update({"key": str(number)}, etag=etag)
    finally:
        aws.cloud.mend(fault)
    assert store.read("key").values == {"key": "2"}
    met = refused(aws, name)
    # An update and the look at it are two requests. Every other one is refused: each of the six but the first one once.
    assert len(met) == 5
    assert {event["status"] for event in met} == {status}


def test_the_edge_is_spared(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    name, store = key_value_store(aws, monkeypatch)
    fault = aws.cloud.fault("kvs-error", store=name)
    client = store._client
    client.meta.events.register("before-sign", lambda request, **_: request.headers.add_header(EDGE_HEADER, "1"))
    try:
        assert client.list_keys(KvsARN=store.arn)["Items"] == []
    finally:
        aws.cloud.mend(fault)
    assert refused(aws, name) == []


def test_all_of_it_is_refused_until_the_retries_are_used_up(aws: Aws) -> None:
    name = f"store-{uuid4().hex[:8]}"
    fault = aws.cloud.fault("kvs-throttle", store=name)
    try:
        arn = aws.client("cloudfront").create_key_value_store(Name=name)["KeyValueStore"]["ARN"]
        assert store_name(f"/key-value-stores/{arn}/keys/a") == name
        with pytest.raises(ClientError, match="ThrottlingException"):
            _plain_client(aws).describe_key_value_store(KvsARN=arn)
    finally:
        aws.cloud.mend(fault)
    assert len(refused(aws, name)) == 1


def _plain_client(aws: Aws) -> Any:
    """A client that does not retry."""
    client = aws.client("cloudfront-keyvaluestore")

    def strip(request: Any, **_: Any) -> None:
        request.url = request.url.replace(f"{aws.account}.127.0.0.1", "127.0.0.1")

    client.meta.events.register("before-sign", strip)
    return client
