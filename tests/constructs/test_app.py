"""`app.py` as the CDK CLI runs it, and the gate: CDK's own validation and cfn-lint have nothing to say."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
REDUNDANT_DEPENDENCY = "W3005"
"""CDK writes dependencies down that references imply; the alias's are written down on purpose."""


def run_app(folder: Path, *, validation: bool = False, **context: Any) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("CDK_", "AWS_"))}
    environment |= {
        "CDK_CONTEXT_JSON": json.dumps(context),
        "CDK_OUTDIR": str(folder),
        "CDK_VALIDATION": "true" if validation else "false",
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
    }
    return subprocess.run(
        [sys.executable, str(ROOT / "app.py")],
        capture_output=True,
        text=True,
        cwd=folder.parent,
        env=environment,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory, build_folder: Path) -> Path:
    """The app of this repository, with everything in `cdk.json` and CDK's validation on."""
    folder = tmp_path_factory.mktemp("app") / "cdk.out"
    done = run_app(folder, validation=True, build=str(build_folder), beacon_rate_limit=300)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_cdks_own_validation_has_nothing_to_say(assembly: Path) -> None:
    report = json.loads((assembly / "validation-report.json").read_text())

    assert not [violation for plugin in report["pluginReports"] for violation in plugin["violations"]]


def test_cfn_lint_has_nothing_to_say(assembly: Path) -> None:
    templates = sorted(str(path) for path in assembly.glob("*.template.json"))
    assert len(templates) == 3
    program = [sys.executable, "-c", "from cfnlint.runner import main; main()", "--format", "parseable"]
    arguments = ["--ignore-checks", REDUNDANT_DEPENDENCY, "--", *templates]
    done = subprocess.run([*program, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_no_asset_holds_compiled_code(assembly: Path) -> None:
    assert not [path for path in assembly.rglob("*") if path.suffix == ".pyc" or path.name == "__pycache__"]


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({}, "error: there is no build to release; pass -c build="),
        ({"build_id": "v1", "regions": "us-east-1,eu-west-9"}, "error: region 'eu-west-9' is unknown"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(tmp_path: Path, context: dict[str, Any], message: str) -> None:
    folder = tmp_path / "cdk.out"
    done = run_app(folder, **context)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if "!!" not in line]
    assert line.startswith(message)
    assert not list(folder.glob("*.json"))


def test_a_published_build_needs_no_folder(tmp_path: Path) -> None:
    folder = tmp_path / "cdk.out"
    done = run_app(folder, build_id="v1", regions="us-east-1", site="docs", rollout="all-at-once")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in folder.glob("*.template.json")} == {"docs.template.json", "docs-edge.template.json"}
