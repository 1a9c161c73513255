"""A user's project: it installs the wheel, has a package called `infra` of its own, and synthesises."""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("consumer")
ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    base = {key: value for key, value in os.environ.items() if not key.startswith(("CDK_", "AWS_", "PYTHON"))}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=base | environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, made with the build backend that is installed already."""
    folder = tmp_path_factory.mktemp("wheel")
    backend = "import sys, hatchling.build; print(hatchling.build.build_wheel(sys.argv[1]))"
    run(sys.executable, "-c", backend, folder, cwd=ROOT)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """The consumer's folder with its own environment: the wheel, and this environment's dependencies."""
    folder = tmp_path_factory.mktemp("consumer") / "shop"
    shutil.copytree(Path(__file__).parent / "shop", folder, ignore=shutil.ignore_patterns("__pycache__"))
    venv.create(folder / ".venv", with_pip=False)
    (site_packages,) = (folder / ".venv").glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site_packages)
    # Everything else comes from here. A path of a .pth file is not searched for further .pth files, so the editable
    # install of this checkout, which is one, is not found through it.
    import aws_cdk

    (site_packages / "dependencies.pth").write_text(f"{Path(aws_cdk.__file__).parents[1]}\n")
    return folder


def test_the_wheel_holds_the_package_and_the_edge_code_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} == {"bluegreen_cdn", "bluegreen_cdn-0.1.0.dist-info"}
    assert {
        "bluegreen_cdn/_edge_handler/viewer_request.js",
        "bluegreen_cdn/_edge_handler/origin_request.py",
        "bluegreen_cdn/constructs/inline/release.py",
        "bluegreen_cdn/py.typed",
    } <= set(names)
    assert not [name for name in names if name.endswith(".pyc")]


def test_a_project_with_an_infra_package_of_its_own_synthesises(project: Path, tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<!doctype html>")
    (dist / "assets" / "index-B3x9aZ0q.js").write_text("export {}")
    out = run(
        project / ".venv" / "bin" / "python",
        "app.py",
        dist,
        cwd=project,
        CDK_VALIDATION="false",
        CDK_OUTDIR=str(tmp_path / "cdk.out"),
        XDG_CACHE_HOME=str(tmp_path / "cache"),
    )
    said = json.loads(out.splitlines()[-1])
    assert Path(said["package"]).is_relative_to(project / ".venv"), "the wheel, not the checkout"
    assert Path(said["infra"]).is_relative_to(project), "the consumer's own"
    assert said["stacks"] == ["prod-shop-edge", "prod-shop-eu-west-1", "prod-web"]
