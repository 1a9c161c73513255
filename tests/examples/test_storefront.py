"""The storefront is a real build: what a release needs to be seen with is in it."""

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from bluegreen_cdn.local.rehearsal.example_builds import APPS, example_build

SOURCES = Path(__file__).parents[2] / "examples" / "storefront"
HASHED = re.compile(r"assets/.+-[A-Za-z0-9_-]{8}\.\w+")


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def builds() -> dict[str, dict[str, str]]:
    return {flavour: digests(example_build("storefront", flavour)) for flavour in APPS["storefront"]}


def test_every_kind_of_file_is_there(builds: dict[str, dict[str, str]]) -> None:
    files = builds["first"]
    assert {"index.html", "favicon.svg", "logo.svg", "assets/banner.png", "locales/en.json"} <= files.keys()
    assert not HASHED.fullmatch("assets/banner.png")
    hashed = [path for path in files if HASHED.fullmatch(path)]
    assert {path.rsplit(".", 1)[1] for path in hashed} == {"js", "css", "svg", "woff", "woff2"}
    for page in ("home", "product", "cart", "checkout", "about"):
        assert len([path for path in hashed if re.fullmatch(rf"assets/{page}-.{{8}}\.js", path)]) == 1


def test_the_font_is_one(builds: dict[str, dict[str, str]]) -> None:
    (font,) = example_build("storefront", "first").glob("assets/inter-latin-400-*.woff2")
    assert font.read_bytes()[:4] == b"wOF2"


def test_builds_share_files_and_differ_in_others(builds: dict[str, dict[str, str]]) -> None:
    first, second = ({path for path in builds[name] if HASHED.fullmatch(path)} for name in ("first", "second"))
    kept = {re.sub(r"-.{8}\.", ".", path) for path in first & second if path.endswith(".js")}
    changed = {re.sub(r"-.{8}\.", ".", path) for path in first - second}
    assert kept == {f"assets/{name}.js" for name in ("about", "cart", "product", "react", "shell")}
    assert changed == {f"assets/{name}.js" for name in ("checkout", "home", "index")}


def test_a_hashed_name_has_the_same_bytes_in_every_build(builds: dict[str, dict[str, str]]) -> None:
    for path in builds["first"].keys() | builds["second"].keys() | builds["bad"].keys():
        if HASHED.fullmatch(path):
            assert len({files[path] for files in builds.values() if path in files}) == 1, path


@pytest.mark.parametrize("path", ["index.html", "locales/en.json", "logo.svg", "assets/banner.png"])
def test_files_without_a_hash_change_under_their_names(builds: dict[str, dict[str, str]], path: str) -> None:
    assert builds["first"][path] != builds["second"][path]


def test_bad_differs_from_second_in_its_checkout_only(builds: dict[str, dict[str, str]]) -> None:
    differ = {path for path, digest in builds["bad"].items() if builds["second"].get(path) != digest}
    assert {re.sub(r"-.{8}\.", ".", path) for path in differ} == {
        "index.html",
        "logo.svg",
        "locales/en.json",
        "assets/checkout.js",
        "assets/index.js",
    }


def test_the_document_shows_its_build_and_knows_one_script_of_ours() -> None:
    for flavour in APPS["storefront"]:
        document = (example_build("storefront", flavour) / "index.html").read_text()
        assert f'data-build="{flavour}"' in document
        assert re.findall(r'src="(/_bluegreen/[^"]*)"', document) == ["/_bluegreen/client.js"]
        assert document.count("_bluegreen") == 1
        assert document.index("_bluegreen") < document.index('type="module"')


def test_building_again_gives_the_same_bytes(tmp_path: Path, builds: dict[str, dict[str, str]]) -> None:
    subprocess.run(
        ["npm", "run", "--silent", "build:second", "--", "--outDir", str(tmp_path / "again")],
        cwd=SOURCES,
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert digests(tmp_path / "again") == builds["second"]
