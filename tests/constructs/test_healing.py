"""Live builds survive a change of the rules: in the templates, and deployed to the local cloud."""

import gzip
import http.client
import io
import json
import os
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brotli
import pytest

from bluegreen_cdn.aws.key_value_store import CloudFrontKeyValueStore, KeyValueBuildRegistry
from bluegreen_cdn.aws.object_store import S3ObjectStore
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.handlers.seed import seed
from bluegreen_cdn.publish.memory_source import MemorySource
from bluegreen_cdn.publish.publisher import publish

FILES = {
    "index.html": '<script type="module" src="/assets/index-B3x9aZ0q.js"></script><img src="/img/logo.svg">',
    "assets/index-B3x9aZ0q.js": "import './brand-C4y0bA1r.js'",
    "assets/brand-C4y0bA1r.js": "console.log('brand')",
    "img/logo.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
    "locales/en.json": '{"cart": "Cart"}',
}


def healing(templates: Any) -> tuple[str, dict[str, Any]]:
    ((name, resource),) = templates.of_type("Custom::BlueGreenHealing").items()
    return name, resource


def test_the_functions_wait_until_live_builds_are_healed(templates: Any) -> None:
    name, resource = healing(templates)
    for function in templates.of_type("AWS::CloudFront::Function").values():
        assert name in function["DependsOn"]
    properties = resource["Properties"]
    assert json.loads(properties["Rules"]) == ClassificationRules(hashed_folders=("assets/",)).to_json()
    assert list(json.loads(properties["Buckets"])) == ["us-east-1", "eu-west-1"]
    assert "DependsOn" not in resource or not any("Function" in other for other in resource["DependsOn"])


def test_whatever_changes_where_the_edge_looks_heals_again(synthesise: Any) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"precompress": False},
        {"mode": "html"},
        {"rules": ClassificationRules.preset("vite")},
        {"rules": ClassificationRules.preset("vite", hashed=("img/*",))},
    ]
    digests = {healing(synthesise(**change))[1]["Properties"]["Digest"] for change in changes}
    assert len(digests) == len(changes)


def test_it_may_add_to_the_primary_bucket_and_look_into_the_others(templates: Any) -> None:
    statements = [
        statement
        for logical_id, policy in templates.of_type("AWS::IAM::Policy", "shop-edge").items()
        if "Healing" in logical_id
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]
    by_action: dict[str, str] = {}
    for statement in statements:
        assert statement["Effect"] == "Allow"
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        for action in actions:
            by_action[action] = by_action.get(action, "") + json.dumps(statement["Resource"])
    assert not any("Delete" in action or "*" in action for action in by_action)
    assert "eu-west-1" not in by_action["s3:PutObject"]
    assert "eu-west-1" in by_action["s3:GetObject"]
    assert "UpdateKeys" not in "".join(by_action)


class Asker:
    """An open page that asks for its files again and again.

    Attributes:
        wrong: What it did not get as its build has it.
        rounds: How often it has asked for everything.
    """

    def __init__(self, port: int, files: dict[str, str], cookie: str) -> None:
        self._port, self._files, self._cookie = port, files, cookie
        self._stop = threading.Event()
        self.wrong: list[str] = []
        self.rounds = 0
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Asker":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            for path, text in self._files.items():
                for encoding in ("identity", "gzip", "gzip, br"):
                    headers = {"accept": "*/*", "cookie": self._cookie, "accept-encoding": encoding}
                    status, body, answered = fetch(self._port, f"/{path}", **headers)
                    if (status, decoded(body, answered)) != (200, text.encode()):
                        self.wrong.append(f"{path} ({encoding}): {status} {body[:40]!r}")
            self.rounds += 1


def fetch(port: int, path: str, **headers: str) -> tuple[int, bytes, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers={"Host": "shop.localhost", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def decoded(body: bytes, headers: Any) -> bytes:
    encoding: str | None = headers["content-encoding"]
    decode = {None: bytes, "gzip": gzip.decompress, "br": brotli.decompress}[encoding]
    plain: bytes = decode(body)
    return plain


class Deployed:
    """The edge stack of a site, deployed from its template, with a bucket beside it and CloudFront before it."""

    def __init__(self, cloud: Any, edge: Any, synthesise: Any) -> None:
        self._endpoint, self._synthesise = cloud.endpoint, synthesise
        self._account = cloud.environment()["CDK_DEFAULT_ACCOUNT"]
        self._assets = f"cdk-hnb659fds-assets-{self._account}-us-east-1"
        self._known = False
        self.edge = edge
        self.bucket = f"bluegreen-shop-{self._account}-us-east-1"
        for name in (self._assets, self.bucket):
            self.client("s3").create_bucket(Bucket=name)
        self.client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")

    def client(self, service: str) -> Any:
        import boto3

        return boto3.client(service, region_name="us-east-1", endpoint_url=self._endpoint)

    def deploy(self, **site: Any) -> list[str]:
        """Create or update the stack; why that failed, if it did."""
        templates = self._synthesise(account=self._account, **site)
        s3, formation = self.client("s3"), self.client("cloudformation")
        manifest = json.loads((templates.folder / "shop-edge.assets.json").read_text())
        for asset in manifest["files"].values():
            (destination,) = asset["destinations"].values()
            s3.put_object(
                Bucket=self._assets,
                Key=destination["objectKey"],
                Body=packed(templates.folder / asset["source"]["path"]),
            )
        body = json.dumps(templates["shop-edge"]).encode()
        s3.put_object(Bucket=self._assets, Key="template.json", Body=body)
        call = formation.update_stack if self._known else formation.create_stack
        call(
            StackName="shop-edge",
            TemplateURL=f"{self._endpoint}/{self._assets}/template.json",
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        self._known = True
        end = time.monotonic() + 120
        while (status := formation.describe_stacks(StackName="shop-edge")["Stacks"][0]["StackStatus"]).endswith(
            "IN_PROGRESS"
        ):
            assert time.monotonic() < end, status
            time.sleep(0.2)
        events = formation.describe_stack_events(StackName="shop-edge")["StackEvents"]
        failed = [str(event.get("ResourceStatusReason")) for event in events if "FAILED" in event["ResourceStatus"]]
        assert bool(failed) == ("ROLLBACK" in status), status
        return failed

    def open_bucket(self) -> None:
        """What the stack of the bucket does: let the distribution read it."""
        distribution = self.parameter("distribution-id")
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "cloudfront.amazonaws.com"},
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{self.bucket}/*",
            "Condition": {
                "StringEquals": {"AWS:SourceArn": f"arn:aws:cloudfront::{self._account}:distribution/{distribution}"}
            },
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.client("s3").put_bucket_policy(Bucket=self.bucket, Policy=policy)

    def publish(self, build_id: str, files: dict[str, str], rules: ClassificationRules) -> None:
        registry = KeyValueBuildRegistry(self._values)
        publish(MemorySource(files), S3ObjectStore(self.bucket), build_id=build_id, rules=rules, registry=registry)

    def let_in(self, build_id: str) -> None:
        seed(self._values, build=build_id, holdout=0)

    @property
    def _values(self) -> CloudFrontKeyValueStore:
        return CloudFrontKeyValueStore(self.parameter("key-value-store-arn"))

    def parameter(self, name: str) -> str:
        value: str = self.client("ssm").get_parameter(Name=f"/bluegreen/shop/{name}")["Parameter"]["Value"]
        return value

    def code(self) -> str:
        """What runs at the edge."""
        answer = self.client("cloudfront").get_function(Name="bluegreen-shop-viewer-request", Stage="LIVE")
        code: str = answer["FunctionCode"].read().decode()
        return code


def packed(source: Path) -> bytes:
    if source.is_file():
        return source.read_bytes()
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for path in sorted(source.rglob("*")):
            archive.write(path, path.relative_to(source))
    return body.getvalue()


@pytest.fixture
def deployed(tmp_path: Path, synthesise: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    """A local cloud with the edge stack of a site whose files are those that Vite's rules say."""
    from bluegreen_cdn.local.cloud import LocalCloud
    from bluegreen_cdn.local.edge import EdgeSimulator

    with (
        LocalCloud(tmp_path / "cloud") as cloud,
        EdgeSimulator(cloud.endpoint, tmp_path / "edge", propagation_seconds=0.2) as edge,
    ):
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in cloud.environment().items():
            monkeypatch.setenv(name, value)
        yield Deployed(cloud, edge, synthesise)


@pytest.mark.cloud
@pytest.mark.slow
def test_an_open_page_finds_every_file_while_the_rules_change_and_afterwards(deployed: Deployed) -> None:
    old = ClassificationRules.preset("vite")
    new = ClassificationRules.preset("vite", hashed=("img/*.svg",), unhashed=("assets/brand-*",))
    assert deployed.deploy(rules=old, precompress=False) == []
    deployed.open_bucket()
    deployed.publish("one", FILES, old)
    deployed.let_in("one")
    deployed.edge.wait_until_serving(60)
    port = deployed.edge.port
    end = time.monotonic() + 30
    while (answer := fetch(port, "/", accept="text/html"))[0] != 200 and time.monotonic() < end:
        time.sleep(0.1)  # the routing state is on its way
    status, page, headers = answer
    assert (status, page.decode()) == (200, FILES["index.html"])
    cookie = headers["set-cookie"].partition(";")[0]
    files = {path: text for path, text in FILES.items() if path != "index.html"}

    before = deployed.code()
    with Asker(port, files, cookie) as asker:
        assert deployed.deploy(rules=new, precompress=True) == []
        assert deployed.code() != before
        there = {"accept": "*/*", "cookie": cookie, "accept-encoding": "br", "x-bluegreen-sim-location": "eu-west-1"}
        end = time.monotonic() + 60
        while fetch(port, "/locales/en.json", **there)[2]["content-encoding"] != "br" and time.monotonic() < end:
            time.sleep(0.1)  # the function is on its way
        seen = asker.rounds
        while asker.rounds < seen + 5 and time.monotonic() < end:
            time.sleep(0.1)
        assert asker.rounds >= seen + 5
    assert asker.wrong == []

    # The edge does look there: where the files were, they are no longer asked for; and the variants are.
    s3 = deployed.client("s3")
    for key in ("builds/one/img/logo.svg", "shared/assets/brand-C4y0bA1r.js", "shared/assets/index-B3x9aZ0q.js"):
        s3.delete_object(Bucket=deployed.bucket, Key=key)
    for path, text in files.items():
        status, body, headers = fetch(port, f"/{path}", **there)
        assert (status, headers["content-encoding"], brotli.decompress(body)) == (200, "br", text.encode()), path

    # What cannot be is refused before the edge looks anywhere else.
    deployed.publish("two", {**FILES, "locales/en.json": '{"cart": "Basket"}'}, new)
    kept = deployed.code()
    wrong = ClassificationRules.preset("vite", hashed=("img/*.svg", "locales/*"), unhashed=("assets/brand-*",))
    (reason,) = deployed.deploy(rules=wrong, precompress=True)
    assert "file 'locales/en.json' of build 'two' would count as hashed by the new rules (hashed 'locales/*')" in reason
    assert deployed.code() == kept
