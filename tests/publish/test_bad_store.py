"""The commands against a store that throttles, fails, forgets who asks or disagrees about the time.

A quiet retry or one clear line, and nothing half-published: the real commands, a proxy, and SeaweedFS behind it.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.retries import standard
from tests.publish.faulty_proxy import BreakOff, Fault, FaultyProxy, Refuse, Request

from bluegreen_cdn.aws.versioned_store import S3VersionedStore
from bluegreen_cdn.cli.main import run
from bluegreen_cdn.defaults import AWS_RETRY_ATTEMPTS, SMALL_FILE_BYTES
from bluegreen_cdn.errors import AccessDenied

pytestmark = pytest.mark.cloud


class Shop:
    """A bucket behind a faulty proxy, and the commands."""

    def __init__(self, proxy: FaultyProxy, s3: Any, bucket: str, build: Path, capsys: Any) -> None:
        self.proxy, self._s3, self._bucket, self._build, self._capsys = proxy, s3, bucket, build, capsys

    def publish(self, build_id: str = "one", *options: str) -> tuple[int, str]:
        """The exit code, and what was said on stderr."""
        code = run(["publish", str(self._build), "--bucket", self._bucket, "--build-id", build_id, "--json", *options])
        return code, self._capsys.readouterr().err

    def verify(self, build_id: str = "one") -> tuple[int, str]:
        """The exit code, and all that was said."""
        code = run(["verify", build_id, "--bucket", f"us-east-1={self._bucket}"])
        said = self._capsys.readouterr()
        return code, said.out + said.err

    def store(self) -> S3VersionedStore:
        return S3VersionedStore(self._bucket, "us-east-1")

    def manifests(self) -> list[str]:
        """The builds that readers see."""
        listed = self._s3.list_objects_v2(Bucket=self._bucket, Prefix="manifests/").get("Contents", ())
        return [item["Key"] for item in listed if item["Key"].endswith(".json")]

    def refuse(self, which: Callable[[Request], bool], status: int, code: str) -> None:
        """Refuse some requests from now on."""
        self.proxy.fault = lambda request: Refuse(status, code) if which(request) else None

    def heal(self) -> None:
        self.proxy.fault = lambda request: None


@pytest.fixture
def shop(
    seaweedfs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, request: pytest.FixtureRequest
) -> Iterator[Shop]:
    build = tmp_path / "dist"
    (build / "assets").mkdir(parents=True)
    (build / "index.html").write_text("<p>")
    for number in range(20):
        (build / "assets" / f"chunk-{number:08}AbCd.js").write_text(f"export default {number}")
    (build / "video.mp4").write_bytes(os.urandom(SMALL_FILE_BYTES * 2))  # streamed by boto3
    bucket = f"bad-{abs(hash(request.node.name)) % 10**10}"
    s3 = seaweedfs.client()
    s3.create_bucket(Bucket=bucket)
    monkeypatch.setattr(standard.ExponentialBackoff, "delay_amount", lambda *_: 0.01)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with FaultyProxy(seaweedfs.endpoint) as proxy:
        for name, value in {**seaweedfs.environment(), "AWS_ENDPOINT_URL": proxy.endpoint}.items():
            monkeypatch.setenv(name, value)
        yield Shop(proxy, s3, bucket, build, capsys)


@pytest.mark.parametrize(("status", "code"), [(503, "SlowDown"), (500, "InternalError"), (503, "ServiceUnavailable")])
def test_a_burst_is_waited_out_quietly(shop: Shop, status: int, code: str) -> None:
    # Every thing that is asked for is refused at first, whoever asks for it, by whatever method.
    shop.refuse(lambda request: request.repetition == 1, status, code)
    assert shop.publish() == (0, "")
    assert shop.manifests() == ["manifests/one.json"]
    puts = shop.proxy.of("PUT")
    answers: dict[str, list[int]] = {}
    for request in puts:
        answers.setdefault(request.path, []).append(shop.proxy.statuses.get(request.number, 0))
    for path, (refused, *between, last) in answers.items():
        assert (refused, last in (200, 412)) == (status, True), path
        # The server has bad moments of its own, or none.
        assert all(one == 0 or one >= 500 for one in between), f"{path} was sent again though it had arrived: {between}"
    assert {"boto", "bluegreen-cdn"} <= {
        "boto" if "Boto3" in request.headers["user-agent"] else request.headers["user-agent"] for request in puts
    }
    code_, said = shop.verify()
    assert (code_, "is complete" in said) == (0, True)
    heads = shop.proxy.of("HEAD")
    assert len(heads) >= 2 * 20
    assert shop.publish() == (0, "")


def test_throttling_that_does_not_end_is_said_and_nothing_is_half_published(shop: Shop) -> None:
    shop.refuse(lambda request: request.path.endswith("video.mp4"), 503, "SlowDown")
    code, said = shop.publish()
    assert code == 1
    assert "video.mp4" in said
    assert f"asked {AWS_RETRY_ATTEMPTS} times: try again later, or with fewer workers" in said
    assert "Traceback" not in said
    assert shop.manifests() == []
    shop.heal()
    assert shop.publish() == (0, "")
    assert shop.verify()[0] == 0


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (400, "ExpiredToken", "the credentials are not valid, or no longer: log in again"),
        (403, "RequestTimeTooSkewed", "this machine's clock is off by more than signatures allow: set it"),
        (403, "AccessDenied", "the caller lacks the permission for it"),
    ],
)
def test_refusals_midway_end_in_one_clear_line(shop: Shop, status: int, code: str, reason: str) -> None:
    # From the tenth request on, uploads of every size.
    begun = len(shop.proxy.requests)
    shop.refuse(lambda request: request.number > begun + 10, status, code)
    exit_code, said = shop.publish()
    assert exit_code == 1
    assert reason in said
    assert code in said
    assert len(said.strip().splitlines()) == 1, said
    assert shop.manifests() == []
    shop.heal()
    assert shop.publish() == (0, "")
    assert shop.verify()[0] == 0

    # Whoever only looks is told as well: the answer to a HEAD does not say why.
    shop.refuse(lambda request: request.method == "HEAD" or "video.mp4" in request.path, status, code)
    exit_code, said = shop.verify()
    assert exit_code == 1
    shop.refuse(lambda request: "/builds/" in request.path or "/shared/" in request.path, status, code)
    exit_code, said = shop.verify()
    assert (exit_code, reason in said) == (1, True), said
    shop.refuse(lambda request: True, status, code)
    exit_code, said = shop.verify()
    assert (exit_code, reason in said) == (1, True), said
    # As is retention, which lists versions.
    with pytest.raises(AccessDenied, match=reason[:30]):
        list(shop.store().versions("manifests/"))


def test_only_the_manifest_is_refused(shop: Shop) -> None:
    shop.refuse(lambda request: request.method == "PUT" and request.is_manifest, 400, "ExpiredToken")
    exit_code, said = shop.publish()
    assert (exit_code, "log in again" in said) == (1, True)
    assert shop.manifests() == []
    shop.heal()
    sent = len(shop.proxy.of("PUT"))
    assert shop.publish() == (0, "")
    # What lies there was found: no bytes of a file were written twice.
    code, said = shop.verify()
    assert (code, "is complete" in said) == (0, True)
    assert len(shop.proxy.of("PUT")) > sent


def test_answers_that_break_off_are_read_on(shop: Shop) -> None:
    assert shop.publish() == (0, "")

    def fault(request: Request) -> Fault:
        return BreakOff(700) if request.method == "GET" and request.is_manifest and request.repetition % 2 else None

    shop.proxy.fault = fault
    assert shop.publish("two") == (0, "")
    ranges = [request.headers.get("range") for request in shop.proxy.of("GET", "manifests/one.json")]
    assert any(which and which.startswith("bytes=700-") for which in ranges), ranges
    code, said = shop.verify()
    assert (code, "is complete" in said) == (0, True)


def test_credentials_that_expire_midway_are_renewed_by_the_session(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An external process hands out keys; the first ones are refused after some uploads, as when their time is over."""
    counter = tmp_path / "handed-out"
    script = tmp_path / "credentials.py"
    script.write_text(
        "import datetime, json\n"
        # Added to, never written anew: the store counts while keys are handed out.
        f"print('x', end='', file=open({str(counter)!r}, 'a'))\n"
        # Within the time in which the SDK renews.
        "until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=60)\n"
        f"print(json.dumps(dict(Version=1, AccessKeyId={os.environ['AWS_ACCESS_KEY_ID']!r},\n"
        f"    SecretAccessKey={os.environ['AWS_SECRET_ACCESS_KEY']!r}, Expiration=until.isoformat())))\n"
    )
    config = tmp_path / "config"
    import sys

    config.write_text(f"[default]\nregion = us-east-1\ncredential_process = {sys.executable} {script}\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))

    handed_out: list[int] = []
    refused: list[Request] = []

    def fault(request: Request) -> Fault:
        # Once a few files are up, whoever signs with keys that were handed out until then is refused.
        # The video may have been signed just before that.
        if request.number <= 6 or request.path.endswith("video.mp4"):
            return None
        if not handed_out:
            handed_out.append(len(counter.read_text()))
        if len(counter.read_text()) > handed_out[0]:
            return None
        refused.append(request)
        return Refuse(400, "ExpiredToken")

    shop.proxy.fault = fault
    assert shop.publish() == (0, "")
    assert refused
    assert shop.manifests() == ["manifests/one.json"]


def test_the_result_names_what_was_found_after_a_failure(shop: Shop, capsys: Any) -> None:
    shop.refuse(lambda request: request.method == "PUT" and request.path.endswith("index.html"), 403, "AccessDenied")
    assert shop.publish()[0] == 1
    shop.heal()
    assert run(["publish", str(shop._build), "--bucket", shop._bucket, "--build-id", "one", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["found_files"] + done["uploaded_files"] == 22
    assert done["uploaded_files"] >= 1
