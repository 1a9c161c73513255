import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from bluegreen_cdn.errors import InvalidInput, RehearsalError
from bluegreen_cdn.local.rehearsal.example_builds import check_node, example_build, sources_digest


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone whose npm writes down its calls and builds one document."""
    sources = tmp_path / "clone" / "examples" / "storefront"
    sources.mkdir(parents=True)
    (sources / "package.json").write_text(json.dumps({"name": "storefront"}))
    (sources / "package-lock.json").write_text("{}")
    programs = tmp_path / "bin"
    programs.mkdir()
    script(programs / "node", "echo v20.19.0")
    script(
        programs / "npm",
        f"""echo "$@" >> {tmp_path}/calls
if [ "$1" = ci ]; then mkdir -p node_modules; exit 0; fi
if [ -e fail ]; then echo 'Transform failed' >&2; exit 3; fi
for last; do :; done
mkdir -p "$last" && echo "<html>" > "$last/index.html" """,
    )
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}/bin{os.pathsep}/usr/bin")
    return tmp_path / "clone"


def calls(checkout: Path) -> list[str]:
    return [line.split()[0] for line in (checkout.parent / "calls").read_text().splitlines()]


def test_builds_once(checkout: Path) -> None:
    first = example_build("storefront", "first", checkout=checkout)
    assert (first / "index.html").is_file()
    assert example_build("storefront", "first", checkout=checkout) == first
    assert calls(checkout) == ["ci", "run"]


def test_another_flavour_needs_no_second_installation(checkout: Path) -> None:
    example_build("storefront", "first", checkout=checkout)
    example_build("storefront", "bad", checkout=checkout)
    assert calls(checkout) == ["ci", "run", "run"]


def test_changed_sources_are_built_again_and_old_builds_go(checkout: Path) -> None:
    before = example_build("storefront", "first", checkout=checkout)
    (checkout / "examples" / "storefront" / "index.html").write_text("new")
    after = example_build("storefront", "first", checkout=checkout)
    assert after != before
    assert not before.exists()


def test_a_changed_lock_file_is_installed(checkout: Path) -> None:
    example_build("storefront", "first", checkout=checkout)
    (checkout / "examples" / "storefront" / "package-lock.json").write_text('{"lockfileVersion": 3}')
    example_build("storefront", "first", checkout=checkout)
    assert calls(checkout) == ["ci", "run", "ci", "run"]


def test_several_at_once_build_once(checkout: Path) -> None:
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(example_build("storefront", "first", checkout=checkout)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 4
    assert calls(checkout) == ["ci", "run"]


def test_a_failed_build_says_why_and_leaves_nothing(checkout: Path) -> None:
    (checkout / "examples" / "storefront" / "fail").touch()
    with pytest.raises(RehearsalError, match=r"(?s)build:first.*exit code 3.*Transform failed"):
        example_build("storefront", "first", checkout=checkout)
    assert [path for path in (checkout / "build").rglob("*") if path.name.startswith(("first", ".first"))] == []


def test_what_npm_installs_and_makes_is_not_a_source(checkout: Path) -> None:
    sources = checkout / "examples" / "storefront"
    before = sources_digest(sources)
    example_build("storefront", "first", checkout=checkout)
    (sources / "dist").mkdir()
    (sources / "dist" / "index.html").touch()
    assert sources_digest(sources) == before
    (sources / "package.json").rename(sources / "other.json")
    assert sources_digest(sources) != before


def test_packages_that_another_process_installs_meanwhile_are_not_looked_at(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = checkout / "examples" / "storefront"
    for folder in ("node_modules", "src"):
        (sources / folder / "react").mkdir(parents=True)
    seen: list[Path] = []
    real = os.scandir

    def scandir(path: Any) -> Any:
        seen.append(Path(path).relative_to(sources))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    sources_digest(sources)
    assert sorted(seen) == [Path(), Path("src"), Path("src/react")]


@pytest.mark.parametrize("version", ["v18.20.4", "v20.18.3", "v22.12.0", "v21.7.0", "", "unheard of"])
def test_a_node_that_cannot_do_it_is_named_with_what_is_needed(checkout: Path, version: str) -> None:
    script(checkout.parent / "bin" / "node", f"echo {version}")
    with pytest.raises(RehearsalError, match=rf"node {version or 'of unknown version'} at .* need 24\.0 or newer"):
        example_build("storefront", "first", checkout=checkout)


@pytest.mark.parametrize("version", ["v20.19.0", "v22.13.1", "v24.0.0", "v26.1.0"])
def test_a_node_that_can(checkout: Path, version: str) -> None:
    script(checkout.parent / "bin" / "node", f"echo {version}")
    assert f"v{check_node()}" == version


@pytest.mark.parametrize("missing", ["node", "npm"])
def test_missing_programs_are_named(checkout: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    (checkout.parent / "bin" / missing).unlink()
    monkeypatch.setenv("PATH", str(checkout.parent / "bin"))
    with pytest.raises(RehearsalError, match=rf"^{missing} was not found on the PATH"):
        example_build("storefront", "first", checkout=checkout)


def test_an_installed_package_says_how_to_go_on(tmp_path: Path) -> None:
    with pytest.raises(RehearsalError, match="--stable DIR and --candidate DIR"):
        example_build("storefront", "first", checkout=tmp_path)


@pytest.mark.parametrize(("app", "flavour"), [("shop", "first"), ("storefront", "third")])
def test_unknown_names_list_the_known(app: str, flavour: str) -> None:
    with pytest.raises(InvalidInput, match=r"does not exist; choose one of .*(storefront|second)"):
        example_build(app, flavour)
