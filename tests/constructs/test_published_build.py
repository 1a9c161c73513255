"""What a stack says about the build it publishes, and what it refuses before anything is deployed."""

import json
from pathlib import Path
from typing import Any

import pytest

from bluegreen_cdn import Build, HeaderRule, HeaderRules
from bluegreen_cdn.errors import IncompleteBuild, InvalidInput, InvalidRules


@pytest.fixture
def incomplete(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text("<img src=/api/a.png>")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.html").write_text("")
    return tmp_path


def test_an_incomplete_build_is_refused_at_synthesis(synthesise: Any, incomplete: Path) -> None:
    with pytest.raises(IncompleteBuild, match=r"'api/a\.png'"):
        synthesise(build=Build.folder(incomplete))


def test_header_rules_that_keep_a_document_are_refused_at_synthesis(synthesise: Any, incomplete: Path) -> None:
    rules = HeaderRules(rules=(HeaderRule(glob="docs/**", cache="immutable"),))
    with pytest.raises(InvalidRules, match=r"document 'docs/a\.html'"):
        synthesise(build=Build.folder(incomplete, headers=rules, allow_missing=["api/**"]))


def test_a_list_of_globs_is_no_text(incomplete: Path) -> None:
    with pytest.raises(InvalidInput, match=r"it must be a list: \['api/\*\*'\]"):
        Build.folder(incomplete, allow_missing="api/**")


def test_the_publisher_is_told_how(synthesise: Any, incomplete: Path) -> None:
    rules = HeaderRules(presets=("fonts",), source_maps=True)
    resources = synthesise(build=Build.folder(incomplete, headers=rules, allow_missing=["api/**"]))["web"]["Resources"]
    (build,) = (resource for resource in resources.values() if resource["Type"] == "Custom::BlueGreenBuild")
    assert HeaderRules.from_json(json.loads(build["Properties"]["Headers"])) == rules
    assert build["Properties"]["AllowMissing"] == ["api/**"]
