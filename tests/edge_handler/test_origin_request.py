"""The Lambda@Edge handler, as the zip that ships, in a bare interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.edge_code import edge_handler_path

RUN = """
import sys
sys.path.insert(0, sys.argv[1])
import origin_request
loaded = sorted(sys.modules)
import json
print(json.dumps([[origin_request.handler(event, None) for event in json.load(sys.stdin)], loaded]))
"""


def _event(uri: str, build: str | None) -> dict[str, Any]:
    headers = {} if build is None else {"x-build-id": [{"key": "X-Build-Id", "value": build}]}
    return {"Records": [{"cf": {"request": {"method": "GET", "uri": uri, "headers": headers}}}]}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("edge") / "origin_request.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(edge_handler_path() / "origin_request.py", "origin_request.py")
    return path


def _run(package: Path, events: list[dict[str, Any]]) -> tuple[list[Any], set[str]]:
    command = [sys.executable, "-I", "-S", "-c", RUN, str(package)]
    done = subprocess.run(command, input=json.dumps(events), capture_output=True, text=True, check=True, timeout=30)
    answers, modules = json.loads(done.stdout)
    return answers, set(modules)


def test_it_puts_the_build_before_the_path(package: Path) -> None:
    assert package.stat().st_size < 30_000
    expected = {
        ("/index.html", "b1"): "/builds/b1/index.html",
        ("/builds/b1/index.html", "b1"): "/builds/b1/index.html",
        ("/shared/x.js", "shared"): "/shared/x.js",
        ("/builds/b0/x.png", "shared"): "/builds/b0/x.png",
        # A page may be called like one of our folders, a build too.
        ("/shared/with-me/index.html", "b1"): "/builds/b1/shared/with-me/index.html",
        ("/index.html", "shared"): "/builds/shared/index.html",
        ("//x.png", "b1"): "/builds/b1//x.png",
    }
    answers, modules = _run(package, [_event(uri, build) for uri, build in expected] + [_event("/x", None)])
    assert [answer.get("uri") for answer in answers[:-1]] == list(expected.values())
    assert (answers[-1]["status"], answers[-1]["headers"]["cache-control"][0]["value"]) == ("503", "no-store")
    assert not modules & {"boto3", "urllib.parse", "urllib.request", "hashlib", "re", "typing"}


@given(st.text(max_size=40), st.sampled_from(["b1", "v1.2", "shared"]))
def test_running_it_again_changes_nothing(path: str, build: str) -> None:
    namespace: dict[str, Any] = {}
    exec((edge_handler_path() / "origin_request.py").read_text(), namespace)
    once = namespace["handler"](_event(f"/{path}", build), None)
    again = namespace["handler"](_event(once["uri"], build), None)
    assert once["uri"] == again["uri"]
