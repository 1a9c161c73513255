"""Live builds survive a change of the rules: in the templates, and through the real CDK command on the local cloud."""

import gzip
import http.client
import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brotli
import pytest
from deployed import CDK, TIME_SCALE, Site

from bluegreen_cdn.domain.classification import ClassificationRules

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
        {"precompress": True},
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


def write(folder: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site with build `one`, by the rules of Vite, and the edge before it."""
    from bluegreen_cdn.local.cloud import LocalCloud
    from bluegreen_cdn.local.edge import EdgeSimulator

    with (
        LocalCloud(tmp_path / "cloud", time_scale=TIME_SCALE) as cloud,
        EdgeSimulator(cloud.endpoint, tmp_path / "edge", propagation_seconds=0.2) as edge,
    ):
        cloud.connect_edge(edge.address)
        site = Site(cloud.environment(), tmp_path, cloud, edge)
        booted = site.cdk("bootstrap", f"aws://{site.environment['CDK_DEFAULT_ACCOUNT']}/us-east-1")
        assert booted.returncode == 0, booted.stderr
        build = write(tmp_path / "one", FILES)
        first = site.deploy(f"build={build}", "build_id=one", "presets=vite", stacks="--all")
        assert first.returncode == 0, first.stdout + first.stderr
        edge.wait_until_serving(60)
        yield site
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.mark.cloud
@pytest.mark.slow
@pytest.mark.skipif(not CDK.exists(), reason="the CDK command is not installed: make setup")
def test_an_open_page_finds_every_file_while_the_rules_change_and_afterwards(site: Site) -> None:
    shop, edge = site, site.edge
    status, page, headers = fetch(edge.port, "/", accept="text/html")
    assert (status, page.decode()) == (200, FILES["index.html"])
    cookie = headers["set-cookie"].partition(";")[0]
    files = {path: text for path, text in FILES.items() if path != "index.html"}
    context = (f"build={shop.folder / 'one'}", "build_id=one", "presets=vite")
    bucket = shop.client("s3").list_buckets()["Buckets"]
    (name,) = (one["Name"] for one in bucket if one["Name"].startswith("bluegreen-shop"))

    def function_code() -> str:
        answer = shop.client("cloudfront").get_function(Name="bluegreen-shop-viewer-request", Stage="LIVE")
        code: str = answer["FunctionCode"].read().decode()
        return code

    before = function_code()
    with Asker(edge.port, files, cookie) as asker:
        changed = shop.deploy(*context, "hashed=img/*.svg", "unhashed=assets/brand-*", stacks="shop-edge")
        assert changed.returncode == 0, changed.stdout + changed.stderr
        assert function_code() != before
        seen = asker.rounds
        end = time.monotonic() + 60
        while asker.rounds < seen + 5 and time.monotonic() < end:
            time.sleep(0.1)
        assert asker.rounds >= seen + 5
    assert asker.wrong == []

    keys = {item["Key"] for item in shop.client("s3").list_objects_v2(Bucket=name)["Contents"]}
    assert {"shared/img/logo.svg", "builds/one/assets/brand-C4y0bA1r.js"} <= keys
    # The edge does look there: what was healed away from is no longer asked for.
    for key in ("builds/one/img/logo.svg", "shared/assets/brand-C4y0bA1r.js"):
        shop.client("s3").delete_object(Bucket=name, Key=key)
    for path, text in files.items():
        assert fetch(edge.port, f"/{path}?again", accept="*/*", cookie=cookie)[:2] == (200, text.encode()), path

    # And what cannot be is refused before the edge looks anywhere else.
    kept = function_code()
    two = write(shop.folder / "two", {**FILES, "locales/en.json": '{"cart": "Basket"}'})
    released = shop.deploy(
        f"build={two}", "build_id=two", "presets=vite", "hashed=img/*.svg", "unhashed=assets/brand-*",
        "rollout=all-at-once:bake=0m",
    )  # fmt: skip
    assert released.returncode == 0, released.stdout + released.stderr
    refused = shop.deploy(*context, "hashed=img/*.svg,locales/*", "unhashed=assets/brand-*", stacks="shop-edge")
    assert refused.returncode != 0
    assert "file 'locales/en.json' of build 'two' would count as hashed" in refused.stdout + refused.stderr
    assert function_code() == kept
