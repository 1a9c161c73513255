import base64
from pathlib import Path
from typing import Any

import pytest

from bluegreen_cdn.handlers import client_metrics


def event(path: str, query: dict[str, str] | None = None, *, method: str = "GET", **headers: str) -> dict[str, Any]:
    """As a function URL sends it; personal particulars are there, and must go nowhere."""
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "queryStringParameters": query or {},
        "headers": {"user-agent": "Mozilla", "x-forwarded-for": "203.0.113.7", "cookie": "a=1"}
        | {name.replace("_", "-"): value for name, value in headers.items()},
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": "203.0.113.7"}},
    }


def beacon(query: dict[str, str], *, role: str = "candidate", build: str = "b2") -> dict[str, Any]:
    return event("/_bluegreen/beacon", query, x_bluegreen_role=role, x_build_id=build)


def test_a_beacon_becomes_metrics_by_site_and_role_only(lines: Any) -> None:
    answer = client_metrics.answer(beacon({"t": "token", "l": "1", "e": "1"}), site="shop")
    assert answer["statusCode"] == 204
    [line] = lines()
    [directive] = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "BluegreenCdn"
    assert directive["Dimensions"] == [["site", "role"]]
    assert {metric["Name"] for metric in directive["Metrics"]} == {
        "PageLoads",
        "ScriptErrors",
        "AssetFailures",
        "SlowLoads",
    }
    assert (line["site"], line["role"], line["build"]) == ("shop", "candidate", "b2")
    assert (line["PageLoads"], line["ScriptErrors"], line["AssetFailures"], line["SlowLoads"]) == (1, 1, 0, 0)


def test_nothing_personal_or_secret_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    client_metrics.answer(beacon({"t": "b2~zzz~signature", "l": "1", "x": "private"}), site="shop")
    client_metrics.answer(beacon({"l": "203.0.113.7"}), site="shop")
    said = capsys.readouterr().out
    for personal in ("203.0.113.7", "Mozilla", "signature", "private", "a=1"):
        assert personal not in said


@pytest.mark.parametrize("text", ["-1", "1.5", "1e3", "", " 1", "٣", "11", "999999999999999999999", "NaN", "0x1"])
def test_what_is_no_plausible_count_is_dropped_quietly(lines: Any, text: str) -> None:
    assert client_metrics.answer(beacon({"l": text}), site="shop")["statusCode"] == 204
    assert not [line for line in lines() if "_aws" in line]


@pytest.mark.parametrize("name", ["l", "e", "a", "s"])
def test_one_beacon_speaks_for_one_page(lines: Any, name: str) -> None:
    """Or a single visitor who means harm could have a release taken back with a single request."""
    client_metrics.answer(beacon({name: "2"}), site="shop")
    assert not [line for line in lines() if "_aws" in line]


@pytest.mark.parametrize(("role", "build"), [("admin", "b2"), ("", "b2"), ("stable", ""), ("stable", "../x")])
def test_only_what_the_edge_has_marked_is_counted(lines: Any, role: str, build: str) -> None:
    assert client_metrics.answer(beacon({"l": "1"}, role=role, build=build), site="shop")["statusCode"] == 204
    assert not [line for line in lines() if "_aws" in line]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    body = "export const who = 'grün';\n".encode()
    folder = tmp_path / "bluegreen_cdn" / "_edge_handler"
    folder.mkdir(parents=True)
    (folder / "client.js").write_bytes(body)
    (folder / "client.mjs").write_bytes(body)
    monkeypatch.setattr(client_metrics, "__file__", str(tmp_path / "bluegreen_cdn" / "handlers" / "client_metrics.py"))
    client_metrics._read.cache_clear()
    return body


@pytest.mark.parametrize("name", ["client.js", "client.mjs"])
def test_the_script_is_served_to_be_cached_for_minutes(script: bytes, name: str) -> None:
    answer = client_metrics.answer(event(f"/_bluegreen/{name}"), site="shop")
    assert answer["statusCode"] == 200
    assert base64.b64decode(answer["body"]) == script
    assert answer["isBase64Encoded"] is True
    assert answer["headers"]["content-type"] == "text/javascript; charset=utf-8"
    assert answer["headers"]["cache-control"] == "public, max-age=300"
    again = client_metrics.answer(event(f"/_bluegreen/{name}", If_None_Match=answer["headers"]["etag"]), site="shop")
    assert again["statusCode"] == 304
    head = client_metrics.answer(event(f"/_bluegreen/{name}", method="HEAD"), site="shop")
    assert (head["statusCode"], head["body"]) == (200, "")


@pytest.mark.parametrize(
    ("path", "method"),
    [("/", "GET"), ("/_bluegreen/beacon", "POST"), ("/_bluegreen/secret", "GET"), ("/_bluegreen/client.js", "PUT"),
     ("/_bluegreen/../handlers/seed.py", "GET")],
)  # fmt: skip
def test_nothing_else_is_here(path: str, method: str, lines: Any) -> None:
    assert client_metrics.answer(event(path, {"l": "1"}, method=method), site="shop")["statusCode"] == 404
    assert lines() == []
