"""The bulk uploader: what it sends, and what it leaves to boto3."""

import base64
import hashlib
import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bluegreen_cdn.aws import bulk_store
from bluegreen_cdn.aws.bulk_store import BulkObjectStore, open_bucket
from bluegreen_cdn.aws.object_store import S3ObjectStore
from bluegreen_cdn.defaults import BULK_FAILURES_UNTIL_OFF, SMALL_FILE_BYTES
from bluegreen_cdn.domain.headers import ObjectHeaders
from bluegreen_cdn.errors import AccessDenied, FileChanged, Throttled
from bluegreen_cdn.publish.object_store import NewObject, PutOutcome

HEADERS = ObjectHeaders(content_type="text/css; charset=utf-8", cache_control="no-cache", content_encoding="br")
DATA = b"a{color:red}"


class Recorder:
    """An HTTP server that answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, str]] = []
        self.requests: list[dict[str, str]] = []
        self.headers: dict[str, str] = {}
        recorder, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                with lock:
                    recorder.requests.append({name.lower(): value for name, value in self.headers.items()})
                    status, code = recorder.answers.pop(0) if recorder.answers else (200, "")
                body = f"<Error><Code>{code}</Code><Message>told to</Message></Error>".encode() if code else b""
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.send_header("etag", '"x"')
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                with lock:
                    recorder.requests.append({name.lower(): value for name, value in self.headers.items()})
                    status, body = recorder.answers.pop(0) if recorder.answers else (200, "one\ntwo\n\nthree")
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.send_header("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT")
                self.send_header("etag", '"x"')
                for name, value in recorder.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body.encode())

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def clients(self) -> list[str]:
        """Who asked, in order."""
        return ["boto3" if "Boto3" in request["user-agent"] else "obstore" for request in self.requests]


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    made = Recorder()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    for name, value in {
        "AWS_ENDPOINT_URL": made.endpoint, "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "the-token", "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    yield made
    made.server.shutdown()
    made.server.server_close()


def new(data: bytes = DATA, key: str = "builds/one/a.css") -> NewObject:
    sha256 = hashlib.sha256(data).hexdigest()
    return NewObject(
        key=key, size=len(data), sha256=sha256, headers=HEADERS, metadata={"sha256": sha256, "build-id": "one"}
    )


def put(store: S3ObjectStore, data: bytes = DATA) -> PutOutcome:
    return store.put_if_absent(new(data), io.BytesIO(data))


def test_what_it_sends(recorder: Recorder) -> None:
    assert put(open_bucket("bucket")) is PutOutcome.CREATED
    assert recorder.clients == ["obstore"]
    (sent,) = recorder.requests
    digest = hashlib.sha256(DATA)
    assert sent["if-none-match"] == "*"
    assert sent["x-amz-checksum-sha256"] == base64.b64encode(digest.digest()).decode()
    assert sent["x-amz-content-sha256"] == digest.hexdigest(), "the body is signed as well"
    assert sent["x-amz-security-token"] == "the-token"
    assert "Credential=AKID/" in sent["authorization"]
    for name in ("if-none-match", "x-amz-checksum-sha256", "x-amz-meta-sha256", "x-amz-security-token"):
        assert name in sent["authorization"], f"{name} is signed"
    assert sent["content-type"] == HEADERS.content_type
    assert sent["cache-control"] == HEADERS.cache_control
    assert sent["content-encoding"] == "br"
    assert sent["x-amz-meta-sha256"] == digest.hexdigest()
    assert sent["x-amz-meta-build-id"] == "one"


def test_other_bytes_than_announced_are_not_even_sent(recorder: Recorder) -> None:
    with pytest.raises(FileChanged, match=r"builds/one/a\.css"):
        BulkObjectStore("bucket").put_if_absent(new(), io.BytesIO(b"b{color:red}"))
    assert recorder.requests == []


def test_a_burst_of_slow_down_is_waited_out(recorder: Recorder) -> None:
    recorder.answers = [(503, "SlowDown"), (500, "InternalError"), (503, "SlowDown")]
    assert put(BulkObjectStore("bucket")) is PutOutcome.CREATED
    assert recorder.clients == ["obstore"] * 4


def test_a_key_that_exists(recorder: Recorder) -> None:
    recorder.answers = [(412, "PreconditionFailed")]
    assert put(BulkObjectStore("bucket")) is PutOutcome.EXISTS
    assert recorder.clients == ["obstore"]


def test_a_write_under_way_is_no_key_that_exists(recorder: Recorder) -> None:
    recorder.answers = [(409, "ConditionalRequestConflict")]
    assert put(BulkObjectStore("bucket")) is PutOutcome.CREATED
    assert recorder.clients == ["obstore", "boto3"]
    recorder.answers = [(409, "ConditionalRequestConflict"), (412, "PreconditionFailed")]
    assert put(BulkObjectStore("bucket")) is PutOutcome.EXISTS


def test_a_refusal_is_said_as_boto3_says_it(recorder: Recorder) -> None:
    recorder.answers = [(403, "AccessDenied"), (403, "AccessDenied")]
    with pytest.raises(AccessDenied, match=r"s3 PutObject of s3://bucket/builds/one/a\.css failed: AccessDenied"):
        put(BulkObjectStore("bucket"))
    recorder.answers = [(400, "ExpiredToken"), (400, "ExpiredToken")]
    with pytest.raises(AccessDenied, match="no longer: log in again"):
        put(BulkObjectStore("bucket"))


def test_a_clock_that_is_off_is_said_so(recorder: Recorder) -> None:
    recorder.answers = [(403, "RequestTimeTooSkewed")] * 12
    with pytest.raises(AccessDenied, match="clock is off"):
        put(BulkObjectStore("bucket"))


def test_throttling_that_does_not_end(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.retries import standard

    monkeypatch.setattr(standard.ExponentialBackoff, "delay_amount", lambda *_: 0.0)
    monkeypatch.setattr(bulk_store, "AWS_RETRY_ATTEMPTS", 2)
    recorder.answers = [(503, "SlowDown")] * 30
    with pytest.raises(Throttled, match="try again later"):
        put(BulkObjectStore("bucket"))
    assert {"obstore", "boto3"} == set(recorder.clients)


def test_what_never_works_in_bulk_is_not_tried_for_ever(recorder: Recorder) -> None:
    store = BulkObjectStore("bucket")
    for _ in range(BULK_FAILURES_UNTIL_OFF):
        recorder.answers = [(301, "PermanentRedirect")]
        assert put(store) is PutOutcome.CREATED
    recorder.requests.clear()
    assert put(store) is PutOutcome.CREATED
    assert recorder.clients == ["boto3"]


def test_what_it_reads(recorder: Recorder) -> None:
    store = BulkObjectStore("bucket")
    assert store.get("manifests/a.json") == b"one\ntwo\n\nthree"
    assert list(store.lines("manifests/a.json")) == [b"one", b"two", b"", b"three"]
    assert recorder.clients == ["obstore", "obstore"]


@pytest.mark.parametrize("told", [0, 1, 2])
def test_what_it_says_of_an_object_is_what_boto3_says(told: int, recorder: Recorder) -> None:
    recorder.headers = [
        {},
        {"Content-Type": "text/css", "Cache-Control": "no-cache", "x-amz-meta-sha256": "1234", "x-amz-version-id": "v"},
        {
            "Content-Type": "image/png",
            "Content-Encoding": "br",
            "Content-Disposition": "inline",
            "Content-Language": "de",
            "x-amz-meta-build-id": "one",
            "x-amz-storage-class": "STANDARD_IA",
        },
    ][told]
    found = BulkObjectStore("bucket").head("a")
    assert found == S3ObjectStore("bucket").head("a")
    assert found is not None
    assert found.size == len("one\ntwo\n\nthree")
    assert recorder.clients == ["obstore", "boto3"]


def test_nothing_is_there(recorder: Recorder) -> None:
    recorder.answers = [(404, "")]
    assert BulkObjectStore("bucket").head("a") is None
    assert recorder.clients == ["obstore"]


def test_what_is_small_is_not_downloaded_by_boto3(recorder: Recorder) -> None:
    store, target = BulkObjectStore("bucket"), io.BytesIO()
    store.download("a", target)
    assert (target.getvalue(), recorder.clients) == (b"one\ntwo\n\nthree", ["obstore"])

    large = "x" * (SMALL_FILE_BYTES + 1)
    recorder.answers, target = [(200, large)] * 2, io.BytesIO()
    store.download("a", target)
    assert target.getvalue() == large.encode()
    assert recorder.clients[-1] == "boto3"


def test_what_it_cannot_read_boto3_explains(recorder: Recorder) -> None:
    store = BulkObjectStore("bucket")
    reads: list[Callable[[], object]] = [
        *(lambda: store.get("a"), lambda: list(store.lines("a")), lambda: list(store.list_keys("a/"))),
        lambda: store.download("a", io.BytesIO()),
    ]
    for read in reads:
        recorder.requests.clear()
        recorder.answers = [(403, "<Error><Code>AccessDenied</Code></Error>")] * 2
        with pytest.raises(AccessDenied, match="s3://bucket/a"):
            read()
        assert recorder.clients == ["obstore", "boto3"]
    # The answer to a HEAD does not say why, that to a GET does.
    recorder.requests.clear()
    recorder.answers = [(403, "<Error><Code>AccessDenied</Code></Error>")] * 3
    with pytest.raises(AccessDenied, match="s3://bucket/a"):
        store.head("a")
    assert recorder.clients == ["obstore", "boto3", "boto3"]


def test_lines_that_break_off_are_gone_on_with(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    class BrokenOff:
        def stream(self, min_chunk_size: int) -> Iterator[bytes]:
            yield b"one\nt"
            yield b"wo\n\nthr"
            raise ConnectionResetError

    monkeypatch.setattr(bulk_store.obstore, "get", lambda *_: BrokenOff())
    assert list(BulkObjectStore("bucket").lines("a")) == [b"one", b"two", b"", b"three"]
    assert recorder.clients == ["boto3"]


def test_the_sdk_is_not_loaded_for_what_the_environment_says(recorder: Recorder, tmp_path: Path) -> None:
    program = (
        "import sys; from bluegreen_cdn.aws.bulk_store import open_bucket\n"
        "open_bucket('bucket').get('a')\nassert not {'boto3', 'botocore', 'awscrt'} & set(sys.modules)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "AWS_REGION"}
    environment |= {"AWS_DEFAULT_REGION": "us-east-1", "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert recorder.clients == ["obstore"]


def test_large_files_are_streamed_by_boto3(recorder: Recorder) -> None:
    assert put(BulkObjectStore("bucket"), b"x" * (SMALL_FILE_BYTES + 1)) is PutOutcome.CREATED
    assert recorder.clients == ["boto3"]


def test_credentials_are_asked_for_again_when_they_may_have_been_renewed(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_store, "BULK_CREDENTIALS_SECONDS", 0)
    store = BulkObjectStore("bucket")
    put(store)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "renewed")  # another identity, as far as the session goes
    put(store)
    assert [request["x-amz-security-token"] for request in recorder.requests] == ["the-token", "renewed"]


@pytest.mark.parametrize(
    ("bucket", "endpoint", "wanted"),
    [
        ("a", "https://s3.amazonaws.com", {"virtual_hosted_style_request": True}),
        ("a", "https://s3.eu-west-1.amazonaws.com", {"virtual_hosted_style_request": True}),
        ("a.b", "https://s3.eu-west-1.amazonaws.com", {"virtual_hosted_style_request": False}),
        (
            "a",
            "https://s3.eu-west-1.amazonaws.com.cn",
            {"endpoint": "https://s3.eu-west-1.amazonaws.com.cn", "virtual_hosted_style_request": False},
        ),
        ("a", "http://127.0.0.1:9", {"endpoint": "http://127.0.0.1:9", "virtual_hosted_style_request": False}),
    ],
)
def test_where_it_sends_to(bucket: str, endpoint: str, wanted: dict[str, Any]) -> None:
    assert bulk_store._where(bucket, endpoint, "eu-west-1") == {"region": "eu-west-1", **wanted}


def test_without_the_library_boto3_does_it_all(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_store, "obstore", None)
    assert type(open_bucket("bucket")) is S3ObjectStore
    assert put(open_bucket("bucket")) is PutOutcome.CREATED
    assert recorder.clients == ["boto3"]


def test_a_bundle_of_certificates_of_the_sdks_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CA_BUNDLE", "/etc/own.pem")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    assert bulk_store._needs_bundle("https://s3.amazonaws.com")
    assert not bulk_store._needs_bundle("http://127.0.0.1:9")
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/own.pem")
    assert not bulk_store._needs_bundle("https://s3.amazonaws.com")
