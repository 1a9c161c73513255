import json
import re
from pathlib import Path
from typing import Any

import pytest

from bluegreen_cdn.constructs import Build, SiteContext
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.header_rules import HeaderRules
from bluegreen_cdn.domain.no_traffic import NoTraffic
from bluegreen_cdn.domain.rollout import Rollout
from bluegreen_cdn.domain.verdict import Verdict
from bluegreen_cdn.errors import (
    BlueGreenError,
    InvalidBuild,
    InvalidBuildId,
    InvalidInput,
    InvalidRegions,
    InvalidRollout,
)


def read(**context: Any) -> SiteContext:
    return SiteContext.read(context.get)


def test_a_build_id_is_enough() -> None:
    context = read(build_id="8f3a1c90d2e4b567")
    assert context.build == Build.published("8f3a1c90d2e4b567")
    assert context.name == "site"
    assert context.regions == ("us-east-1",)
    assert context.rollout == Rollout.canary()
    assert context.rules == ClassificationRules.default()
    assert context.verdict == Verdict()
    assert context.mode == "spa"


def test_the_command_line_gives_text_and_the_file_gives_values() -> None:
    in_file = read(build_id="v1", regions=["us-east-1", "eu-west-1"], minimum_page_loads=20, entries=["widget.js"])
    as_text = read(build_id="v1", regions="us-east-1, eu-west-1", minimum_page_loads="20", entries="widget.js")
    as_json = read(build_id="v1", regions='["us-east-1","eu-west-1"]', minimum_page_loads="20", entries='["widget.js"]')
    assert in_file == as_text == as_json
    assert in_file.verdict.minimum_page_loads == 20
    assert in_file.rules.entries == ("widget.js",)


def test_a_folder_is_named_by_its_content_or_by_its_caller(build_folder: Path) -> None:
    by_content, by_caller = read(build=str(build_folder)).build, read(build=str(build_folder), build_id="v9").build
    assert re.fullmatch("[0-9a-f]{16}", by_content.build_id)
    assert by_caller.build_id == "v9"
    assert by_content.digest == by_caller.digest
    assert by_content.digest.startswith(by_content.build_id)
    assert by_content.path == build_folder.resolve()


@pytest.mark.parametrize("as_text", [False, True])
def test_headers_and_what_may_be_missing_are_read(build_folder: Path, as_text: bool) -> None:
    headers = {"presets": ["fonts"], "rules": [{"glob": "legal/**", "cache": "no-store"}], "sourceMaps": True}
    build = read(
        build=str(build_folder),
        headers=json.dumps(headers) if as_text else headers,
        allow_missing="api/**, feed.xml" if as_text else ["api/**", "feed.xml"],
    ).build
    assert build.headers == HeaderRules.from_json(headers)
    assert build.headers.source_maps
    assert build.allow_missing == ("api/**", "feed.xml")
    assert read(build=str(build_folder)).build.headers == HeaderRules()


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ("{", "context 'headers' is '{', which is not JSON"),
        ({"preset": []}, "member 'preset' is unknown; there are presets, rules, sourceMaps"),
        ({"rules": [{"glob": "**/*.html", "cache": "immutable"}]}, "would make browsers keep document"),
    ],
)
def test_header_rules_that_cannot_be_are_refused(build_folder: Path, headers: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(message)):
        read(build=str(build_folder), headers=headers)


def test_rollout_and_rules_are_read(build_folder: Path) -> None:
    context = read(build_id="v1", rollout="linear:20%:2m:bake=3m:holdout=1%", presets="vite", unhashed="assets/x-*.png")
    assert context.rollout == Rollout.linear(percent=20, interval_minutes=2, bake_minutes=3, holdout_percent=1)
    assert context.rules.hashed_folders == ClassificationRules.preset("vite").hashed_folders
    assert context.rules.unhashed == ("assets/x-*.png",)


@pytest.mark.parametrize(
    ("context", "kind", "message"),
    [
        ({}, InvalidInput, "there is no build to release; pass -c build=<folder"),
        ({"build": ""}, InvalidInput, "there is no build to release"),
        ({"build": "/nowhere/dist"}, InvalidBuild, "build folder '/nowhere/dist' does not exist; build the app first"),
        ({"build": __file__}, InvalidBuild, "is not a folder"),
        ({"build_id": "../v1"}, InvalidBuildId, "build id '../v1' is not acceptable"),
        ({"build_id": "v" * 65}, InvalidBuildId, "it must be 1 to 64 characters"),
        ({"build": "/nowhere/dist", "build_id": "a b"}, InvalidBuildId, "build id 'a b' is not acceptable"),
        ({"build_id": 7}, InvalidInput, "context 'build_id' is 7; it must be text"),
        ({"build_id": "v1", "site": "Shop"}, InvalidInput, "site name 'Shop' is not acceptable"),
        ({"build_id": "v1", "regions": "us-east-1,eu-west-9"}, InvalidRegions, "region 'eu-west-9' is unknown"),
        ({"build_id": "v1", "regions": "us-east-1,us-east-1"}, InvalidRegions, "region 'us-east-1' is listed twice"),
        ({"build_id": "v1", "regions": "eu-west-1"}, InvalidRegions, "the first must be us-east-1"),
        ({"build_id": "v1", "regions": "[us-east-1"}, InvalidInput, "which is not JSON"),
        ({"build_id": "v1", "regions": {"a": 1}}, InvalidInput, "it must be a list of texts"),
        ({"build_id": "v1", "rollout": "canary:10%:3000m"}, InvalidRollout, "from 1 to 2880"),
        ({"build_id": "v1", "rollout": "canary:0%:5m"}, InvalidRollout, "percent is 0"),
        ({"build_id": "v1", "rollout": "quickly"}, InvalidRollout, "rollout 'quickly' cannot be read"),
        ({"build_id": "v1", "minimum_page_loads": "many"}, InvalidInput, "context 'minimum_page_loads' is 'many'"),
        ({"build_id": "v1", "minimum_page_loads": 0}, InvalidInput, "it must be a whole number from 1"),
        ({"build_id": "v1", "z_threshold": "-1"}, InvalidInput, "context 'z_threshold' is '-1'"),
        ({"build_id": "v1", "slowdown": "maybe"}, InvalidInput, "context 'slowdown' is 'maybe'; it must be true or"),
        ({"build_id": "v1", "slowdown": 1}, InvalidInput, "context 'slowdown' is 1; it must be true or false"),
        ({"build_id": "v1", "slowdown_ratio": "0.5"}, InvalidInput, "slowdown_ratio is 0.5; it must be from 1"),
        ({"build_id": "v1", "presets": "vitee"}, BlueGreenError, "vitee"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(context: dict[str, Any], kind: type[BlueGreenError], message: str) -> None:
    with pytest.raises(kind, match=re.escape(message)) as error:
        read(**context)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 2


def test_the_slowdown_can_be_tuned_and_left_out() -> None:
    assert read(build_id="v1", slowdown="false").verdict == read(build_id="v1", slowdown=False).verdict
    assert read(build_id="v1", slowdown="true", slowdown_ratio="2").verdict == Verdict(slowdown_ratio=2)


def test_what_no_traffic_means_is_part_of_the_rollout_or_stands_by_itself() -> None:
    expected = Rollout.linear(on_no_traffic=NoTraffic.abort(minimum_page_loads=100))
    assert read(build_id="v1", rollout="linear:no-traffic=abort@100").rollout == expected
    assert read(build_id="v1", rollout="linear", on_no_traffic="abort@100").rollout == expected
    assert read(build_id="v1", rollout="linear:no-traffic=abort", on_no_traffic="promote").rollout == Rollout.linear()
    with pytest.raises(InvalidRollout, match="on_no_traffic 'stop' cannot be read; write promote, abort, or abort@100"):
        read(build_id="v1", on_no_traffic="stop")


def test_precompression_can_be_left_out() -> None:
    assert [read(build_id="v1", **given).precompress for given in ({}, {"precompress": "false"})] == [True, False]


def test_the_smoke_fetch_can_be_left_out() -> None:
    assert [read(build_id="v1", **given).smoke_fetch for given in ({}, {"smoke_fetch": "false"})] == [True, False]


def test_an_empty_folder_is_no_build(tmp_path: Path) -> None:
    with pytest.raises(InvalidBuild, match="is empty"):
        read(build=str(tmp_path))
