"""Importing the handlers' package: light, and with the bundle's own libraries where the runtime has none."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bluegreen_cdn

PROGRAM = """
import sys, json
if {hidden}:
    sys.path = [entry for entry in sys.path if "site-packages" not in entry]
sys.path.insert(0, {root!r})
before = set(sys.modules)
import bluegreen_cdn.handlers
heavy = sorted({{name.partition(".")[0] for name in set(sys.modules) - before}} & {{"boto3", "botocore", "awscrt"}})
found = {{"awscrt": None, "brotli": None}}
for name in found:
    try:
        found[name] = __import__(name).__file__
    except ImportError:
        pass
print(json.dumps({{"heavy": heavy, **found}}))
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The bundle's shape: the package, and `_vendor` beside it."""
    package = tmp_path / "bluegreen_cdn"
    source = Path(bluegreen_cdn.__file__).parent
    (package / "handlers").mkdir(parents=True)
    shutil.copy(source / "__init__.py", package)
    shutil.copy(source / "handlers" / "__init__.py", package / "handlers")
    (tmp_path / "_vendor" / "awscrt").mkdir(parents=True)
    (tmp_path / "_vendor" / "awscrt" / "__init__.py").write_text("")
    (tmp_path / "_vendor" / "brotli.py").write_text("")
    return tmp_path


def found(root: Path, *, hidden: bool) -> dict[str, object]:
    program = PROGRAM.format(root=str(root), hidden=hidden)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    result: dict[str, object] = json.loads(done.stdout)
    return result


def test_a_runtime_without_the_libraries_gets_the_bundles(bundle: Path) -> None:
    assert found(bundle, hidden=True)["awscrt"] == str(bundle / "_vendor" / "awscrt" / "__init__.py")
    assert found(bundle, hidden=True)["brotli"] == str(bundle / "_vendor" / "brotli.py")


def test_a_runtime_with_the_libraries_keeps_its_own(bundle: Path) -> None:
    assert "_vendor" not in str(found(bundle, hidden=False))


def test_without_either_nothing_breaks(bundle: Path) -> None:
    shutil.rmtree(bundle / "_vendor")
    assert found(bundle, hidden=True) == {"heavy": [], "awscrt": None, "brotli": None}


def test_the_package_itself_is_light(bundle: Path) -> None:
    assert found(bundle, hidden=False)["heavy"] == []
