"""`bluegreen publish`, against S3, SSM and a KeyValueStore on this machine, and without any of them."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bluegreen_cdn.aws.key_value_store import CloudFrontKeyValueStore
from bluegreen_cdn.aws.object_store import S3ObjectStore
from bluegreen_cdn.aws.session import client
from bluegreen_cdn.cli.main import run
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.local.cloud import LocalCloud

Writer = Callable[[str, Mapping[str, str | bytes]], Path]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("cloud")) as started, pytest.MonkeyPatch.context() as patch:
        for name, value in started.environment().items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        patch.delenv("AWS_PROFILE", raising=False)
        yield started


@pytest.fixture
def bucket(cloud: LocalCloud, request: pytest.FixtureRequest) -> str:
    name = f"bucket-{abs(hash(request.node.nodeid)) % 10**10}"
    client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def site(cloud: LocalCloud, request: pytest.FixtureRequest) -> str:
    """A deployed site, as far as publishing sees one."""
    name = f"shop-{abs(hash(request.node.nodeid)) % 10**10}"
    arn = client("cloudfront").create_key_value_store(Name=f"bluegreen-{name}")["KeyValueStore"]["ARN"]
    account = arn.split(":")[4]
    client("s3").create_bucket(Bucket=f"bluegreen-{name}-{account}-us-east-1")
    for part, value in {
        "key-value-store-arn": arn,
        "rules": json.dumps(ClassificationRules.preset("vite").to_json()),
        "mode": "directory",
    }.items():
        client("ssm").put_parameter(Name=f"/bluegreen/{name}/{part}", Value=value, Type="String")
    return name


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    code = run(["publish", *map(str, arguments)])
    captured = capsys.readouterr()
    assert captured.out == ""
    return code, captured.err


@pytest.mark.cloud
def test_to_a_bucket_in_a_pipe(bucket: str, storefront: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["publish", str(storefront), "--bucket", bucket, "--build-id", "one"]) == 0
    captured = capsys.readouterr()
    first, second = captured.out.splitlines()
    assert first == f"build one is published in s3://{bucket}: 6 files uploaded (147 B), 0 found in place, 0 reused"
    assert re.fullmatch(
        r"its text has 147 B, \d+ B \(\+\d+%\) in brotli, \d+ B \(\+\d+%\) in gzip; "
        r"compressed just now: 6 files \(147 B\)",
        second,
    )
    assert "uploading 6 files (147 B), compressing 6 (147 B)" in captured.err
    assert "6/6 files, 147 B\n" in captured.err
    assert "compressed 6/6 files, 147 B\n" in captured.err
    assert "will take about" not in captured.err
    assert "\x1b" not in captured.err
    assert run(["publish", str(storefront), "--bucket", bucket, "--build-id", "one"]) == 0
    assert capsys.readouterr().out == f"build one was published in s3://{bucket} already: nothing to do\n"


@pytest.mark.cloud
def test_json_is_the_only_output(bucket: str, storefront: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["publish", str(storefront), "--bucket", bucket, "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    result = json.loads(captured.out)
    assert (result["uploaded_files"], result["already_published"]) == (6, False)
    assert result["manifest_key"] == f"manifests/{result['build_id']}.json"


@pytest.mark.cloud
def test_a_dry_run_prints_the_plan_and_writes_nothing(
    bucket: str, storefront: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["publish", str(storefront), "--bucket", bucket, "--build-id", "one", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "assets/index-B3x9aZ0q.js -> shared/assets/index-B3x9aZ0q.js" in out
    assert "index.html -> builds/one/index.html" in out
    assert "build one would be published" in out
    assert "compress      74 B  index.html -> builds/one/index.html.br, .gz\n" in out
    assert "6 to compress (147 B, about 0 s)" in out
    assert list(S3ObjectStore(bucket).list_keys("")) == []

    assert run(["publish", str(storefront), "--bucket", bucket, "--build-id", "one"]) == 0
    (storefront / "favicon.ico").write_bytes(b"new")
    capsys.readouterr()
    assert run(["publish", str(storefront), "--bucket", bucket, "--build-id", "two", "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["upload_files"], plan["reuse_files"], plan["warnings"]) == (4, 2, [])
    assert plan["uploads"][0].items() >= {"cache_class": "entry", "key": "builds/two/index.html"}.items()
    assert [len(plan["uploads"]), len(plan["reuses"])] == [4, 2]
    assert (plan["compress_files"], plan["compress_bytes"], plan["copy_variants_of_files"]) == (1, 3, 3)

    assert run(["publish", str(storefront), "--bucket", bucket, "--build-id", "two"]) == 0
    capsys.readouterr()
    assert run(["publish", str(storefront), "--bucket", bucket, "--build-id", "two", "--dry-run"]) == 0
    assert "is published already: nothing to do" in capsys.readouterr().out
    assert run(["publish", str(storefront), "--bucket", bucket, "--build-id", "two", "--dry-run", "--json"]) == 0
    empty = json.loads(capsys.readouterr().out)
    assert (empty["published"], empty["uploads"], empty["reuses"]) == (True, [], [])


@pytest.mark.cloud
def test_to_a_site_by_its_name(site: str, storefront: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["publish", str(storefront), "--site", site, "--build-id", "one"]) == 0
    assert f"s3://bluegreen-{site}-" in capsys.readouterr().out
    arn = client("ssm").get_parameter(Name=f"/bluegreen/{site}/key-value-store-arn")["Parameter"]["Value"]
    assert CloudFrontKeyValueStore(arn).read("build/one").values["build/one"] == '{"format":1}'
    store = S3ObjectStore(f"bluegreen-{site}-{arn.split(':')[4]}-us-east-1")
    manifest = json.loads(store.get("manifests/one.json"))
    assert manifest["mode"] == "directory"
    assert manifest["rules"]["hashedFolders"] == ["assets/"]


@pytest.mark.cloud
def test_rules_that_are_not_the_sites_are_refused(
    site: str, storefront: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, message = refused(capsys, storefront, "--site", site, "--unhashed", "assets/**")
    assert code == 2
    assert f"not those of site '{site}'" in message
    code, message = refused(capsys, storefront, "--site", site, "--mode", "spa")
    assert code == 2
    assert "leave --mode out" in message


@pytest.mark.cloud
@pytest.mark.parametrize(("says", "variants"), [("true", True), ("false", False), (None, False)])
def test_variants_are_made_as_the_sites_edge_asks_for_them(
    site: str, storefront: Path, capsys: pytest.CaptureFixture[str], says: str | None, variants: bool
) -> None:
    if says:
        client("ssm").put_parameter(Name=f"/bluegreen/{site}/precompress", Value=says, Type="String")
    asked = "--no-precompress" if variants else "--precompress"
    code, message = refused(capsys, storefront, "--site", site, asked)
    assert code == 2
    assert f"{asked} is not what the edge of site '{site}' does" in message
    assert run(["publish", str(storefront), "--site", site, "--build-id", "one", "--compression", "fast"]) == 0
    arn = client("ssm").get_parameter(Name=f"/bluegreen/{site}/key-value-store-arn")["Parameter"]["Value"]
    store = S3ObjectStore(f"bluegreen-{site}-{arn.split(':')[4]}-us-east-1")
    found = store.head("shared/assets/index-B3x9aZ0q.js.br")
    assert (found is not None) is variants
    assert found is None or found.headers.content_encoding == "br"


@pytest.mark.cloud
def test_a_bucket_without_variants(bucket: str, storefront: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--bucket", bucket, "--build-id", "one"]
    assert run(["publish", str(storefront), *options, "--no-precompress"]) == 0
    assert "its text has" not in capsys.readouterr().out
    assert not [key for key in S3ObjectStore(bucket).list_keys("") if key.endswith((".br", ".gz"))]
    assert run(["publish", str(storefront), *options]) == 0
    captured = capsys.readouterr()
    assert "nothing to do" in captured.out
    assert "put where the edge looks: 0 files, compressed: 6" in captured.out
    assert "shared/assets/index-B3x9aZ0q.js.br" in S3ObjectStore(bucket).list_keys("shared/")


@pytest.mark.cloud
def test_what_takes_long_is_said_before_it_begins(
    bucket: str, storefront: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from bluegreen_cdn.cli import publish_text

    monkeypatch.setattr(publish_text, "processors", lambda: 1)
    monkeypatch.setattr(publish_text, "COMPRESS_NOTICE_SECONDS", 0)
    said = "compressing 6 files (147 B) will take about 0 s on 1 core"
    command = ["publish", str(storefront), "--bucket", bucket, "--build-id"]
    assert run([*command, "one"]) == 0
    assert f"{said}; --compression fast takes about 0 s, for some 10 % more bytes" in capsys.readouterr().err
    assert run([*command, "two"]) == 0
    assert "compressing" not in capsys.readouterr().err, "the second build has the variants of the first"
    (storefront / "index.html").write_text("<p>")
    assert run([*command, "three", "--compression", "fast"]) == 0
    assert "on 1 core; what is compressed now is never compressed again" in capsys.readouterr().err


@pytest.mark.cloud
def test_a_site_that_is_not_there(cloud: LocalCloud, storefront: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, message = refused(capsys, storefront, "--site", "nowhere")
    assert code == 1
    assert "site 'nowhere' is not deployed" in message


@pytest.mark.cloud
def test_a_bucket_that_is_not_there(cloud: LocalCloud, storefront: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, message = refused(capsys, storefront, "--bucket", "no-such-bucket-of-ours")
    assert code == 1
    assert "s3://no-such-bucket-of-ours" in message
    assert "Traceback" not in message


@pytest.mark.cloud
def test_the_options_amend_the_rules(bucket: str, folder: Writer, tmp_path: Path) -> None:
    path = folder("dist", {"index.html": "<p>", "assets/a-B3x9aZ0q.js": "a", "libs/plain.js": "b", "widget.js": "c"})
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps(ClassificationRules.preset("vite").to_json()))
    options = ["--rules", rules, "--unhashed", "assets/a-*.js", "--hashed", "libs/*", "--entry", "widget.js"]
    assert run(["publish", str(path), "--bucket", bucket, "--build-id", "one", *map(str, options)]) == 0
    manifest = json.loads(S3ObjectStore(bucket).get("manifests/one.json"))
    assert {file["path"]: file["cache_class"] for file in manifest["files"]} == {
        "index.html": "entry",
        "assets/a-B3x9aZ0q.js": "versioned",
        "libs/plain.js": "shared",
        "widget.js": "entry",
    }


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ([], 2, "pass either --site NAME or --bucket NAME"),
        (["--site", "a", "--bucket", "b"], 2, "pass either --site NAME or --bucket NAME"),
        (["--bucket", "b", "--mode", "other"], 2, "'other'"),
        (["--bucket", "b", "--workers", "0"], 2, "0"),
        (["--bucket", "b", "--build-id", "../up"], 2, "build id '../up' is not acceptable"),
        (["--bucket", "b", "--hashed", "/a", "--hashed", ""], 2, ""),
    ],
)
def test_mistakes_are_said_before_anything_is_asked(
    storefront: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: Any,
    code: int,
    said: str,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    found, message = refused(capsys, storefront, *options)
    assert found == code
    assert said in message


@pytest.mark.parametrize(
    ("name", "said"), [("missing", "does not exist"), ("empty", "is empty"), ("no-documents", "has no document")]
)
def test_what_is_no_build_is_said_so(
    folder: Writer, cloud: LocalCloud, bucket: str, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    path = folder(name, {} if name == "empty" else {"a.txt": "x"})
    if name == "missing":
        (path / "a.txt").unlink()
        path.rmdir()
    code, message = refused(capsys, path, "--bucket", bucket)
    assert code == 2
    assert said in message
    assert str(path) in message


def test_help_needs_neither_the_sdk_nor_rich() -> None:
    program = (
        "import sys; from bluegreen_cdn.cli.main import run; code = run(['publish', '--help']); "
        "sys.exit(code or [m for m in ('boto3', 'botocore', 'rich', 'aws_cdk') if m in sys.modules].__len__())"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=30).returncode == 0


def test_the_bar_shows_files_and_bytes(storefront: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bluegreen_cdn.cli import publish_progress
    from bluegreen_cdn.publish.execute import execute
    from bluegreen_cdn.publish.memory_store import MemoryStore
    from bluegreen_cdn.publish.publisher import plan_for
    from bluegreen_cdn.publish.source import open_source

    shown: list[str] = []

    class Terminal:
        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> int:
            shown.append(text)
            return len(text)

        def flush(self) -> None:
            pass

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    store = MemoryStore()
    with open_source(storefront) as source:
        plan = plan_for(source, store, precompress=True)
        with publish_progress.show_progress(plan, quiet=False) as progress:
            execute(plan, source, store, progress=progress)
    text = "".join(shown)
    assert "upload 6/6 files" in text
    assert "compress 6/6 files" in text
    assert "147/147 bytes" in text


@pytest.mark.cloud
def test_missing_files_header_rules_and_warnings(
    bucket: str, folder: Writer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build = folder(
        "dist",
        {
            "index.html": "<img src=a.png><img src=/shared/x.png><script src=m.js></script>",
            "m.js": "",
            "m.js.map": "{}",
        },
    )
    code, said = refused(capsys, build, "--bucket", bucket, "--build-id", "one")
    assert code == 2
    assert "'a.png': 'a.png' in 'index.html'" in said
    headers = tmp_path / "headers.json"
    headers.write_text('{"rules": [{"glob": "m.js", "cache": "max-age=60"}]}')
    options = ["--allow-missing", "*.png", "--headers", headers, "--build-id", "one"]
    assert run(["publish", *map(str, [build, "--bucket", bucket, *options])]) == 0
    assert "warning: '/shared/x.png' in 'index.html': the edge does not look" in capsys.readouterr().err
    store = S3ObjectStore(bucket)
    script = store.head("builds/one/m.js")
    assert script is not None
    assert script.headers.cache_control == "public, max-age=60"
    assert store.head("builds/one/m.js.map") is None
    options = ["--allow-missing", "*.png", "--source-maps", "--build-id", "two"]
    assert run(["publish", *map(str, [build, "--bucket", bucket, *options])]) == 0
    assert store.head("builds/two/m.js.map") is not None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "cannot be read as JSON"),
        ('{"rules": [{"glob": "**", "cache": "immutable"}]}', "would make browsers keep"),
    ],
)
def test_header_rules_that_are_none(
    text: str, complaint: str, storefront: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = tmp_path / "headers.json"
    headers.write_text(text)
    code, said = refused(capsys, storefront, "--bucket", "anywhere", "--headers", headers)
    assert code == 2
    assert complaint in said


def test_sizes_for_people() -> None:
    from bluegreen_cdn.cli.publish_progress import size_text

    sizes = (0, 999, 1000, 1_500_000, 2_000_000_000, 5e12)
    assert [size_text(size) for size in sizes] == ["0 B", "999 B", "1.0 kB", "1.5 MB", "2.0 GB", "5000.0 GB"]
