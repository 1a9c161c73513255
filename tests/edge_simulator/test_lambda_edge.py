"""Lambda@Edge in a bare interpreter."""

import asyncio
import io
import os
import zipfile

import pytest

from bluegreen_cdn.errors import LocalCloudError
from bluegreen_cdn.local.edge.cloud import LambdaRecord
from bluegreen_cdn.local.edge.lambda_edge import LambdaFailed, LambdaWorker

ARN = "arn:aws:lambda:us-east-1:111122223333:function:edge:3"


def record(source: str, **more) -> LambdaRecord:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("package_of_edge/edge.py", source)
    return LambdaRecord(arn=ARN, handler="package_of_edge/edge.handler", package=package.getvalue(), **more)


def invoke(tmp_path, source, *events, **more):
    async def scenario():
        worker = LambdaWorker(record(source, **more), tmp_path)
        try:
            answers = []
            for event in events or ({},):
                try:
                    answers.append(await worker.invoke(event))
                except LambdaFailed as error:
                    answers.append(error)
            return answers, worker.starts
        finally:
            await worker.close()

    return asyncio.run(scenario())


def test_the_worker_is_kept_and_bare(tmp_path):
    source = """
import os, sys
count = 0
def handler(event, context):
    global count
    count += 1
    try:
        import boto3
    except ImportError:
        boto3 = None
    print("noise on stdout")
    return {"count": count, "environment": sorted(os.environ), "boto3": boto3 is not None, "echo": event["n"],
            "name": context.function_name, "version": context.function_version,
            "time": context.get_remaining_time_in_millis() > 0}
"""
    answers, starts = invoke(tmp_path, source, {"n": 1}, {"n": "ü"})
    assert starts == 1
    assert [answer["count"] for answer in answers] == [1, 2]
    assert answers[1]["echo"] == "ü"
    assert answers[0]["environment"] in ([], ["LC_CTYPE"])
    assert (answers[0]["boto3"], answers[0]["time"]) == (False, True)
    assert (answers[0]["name"], answers[0]["version"]) == ("edge", "3")


def test_an_exception_is_told_and_the_worker_goes_on(tmp_path):
    source = "def handler(event, context):\n    if event: raise ValueError('boo')\n    return 1"
    answers, starts = invoke(tmp_path, source, {"a": 1}, {})
    assert str(answers[0]) == "ValueError: boo"
    assert (answers[1], starts) == (1, 1)


@pytest.mark.parametrize(("how", "seconds"), [("os._exit(3)", 30.0), ("time.sleep(60)", 6.0)])
def test_a_worker_that_dies_or_hangs_is_replaced(tmp_path, how, seconds):
    source = f"import os, time\ndef handler(event, context):\n    if event: {how}\n    return 1"
    answers, starts = invoke(tmp_path, source, {"a": 1}, {}, timeout_seconds=seconds)
    assert isinstance(answers[0], LambdaFailed)
    assert (answers[1], starts) == (1, 2)


def test_a_package_that_does_not_import_is_a_failure(tmp_path):
    answers, _ = invoke(tmp_path, "import nothing_like_this")
    assert isinstance(answers[0], LambdaFailed)


def test_a_retired_worker_still_answers_and_leaves_no_process(tmp_path):
    async def scenario():
        worker = LambdaWorker(record("import os\ndef handler(event, context): return os.getpid()"), tmp_path)
        first = await worker.invoke({})
        await worker.close()
        return first, await worker.invoke({})

    for pid in asyncio.run(scenario()):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_what_lambda_at_the_edge_refuses(tmp_path):
    with pytest.raises(LocalCloudError, match="STAGE"):
        LambdaWorker(record("", environment={"STAGE": "x"}), tmp_path)
