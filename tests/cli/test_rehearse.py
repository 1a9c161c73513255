from pathlib import Path

import pytest

from bluegreen_cdn.cli.main import run
from bluegreen_cdn.local.rehearsal import stage


@pytest.fixture(autouse=True)
def nothing_may_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was started")

    monkeypatch.setattr(stage.LocalCloud, "start", refuse)


def folder(path: Path, **files: str) -> Path:
    path.mkdir()
    for name, text in files.items():
        (path / name.replace("_", ".")).write_text(text)
    return path


@pytest.mark.parametrize(
    ("stable", "words"),
    [
        ("missing", "there is no such folder"),
        ("empty", "the folder is empty; run the build first"),
        ("scripts", "none of its 1 files is a document"),
        ("file", "this is a file"),
    ],
)
def test_a_folder_that_is_no_build_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], stable: str, words: str
) -> None:
    folder(tmp_path / "empty")
    folder(tmp_path / "scripts", app_js="1")
    (tmp_path / "file").write_text("")
    good = folder(tmp_path / "good", index_html="<html>")
    for given, option in (((stable, "good"), "--stable"), (("good", stable), "--candidate")):
        first, second = (str(tmp_path / name) for name in given)
        output = tmp_path / "report"
        assert run(["rehearse", "--stable", first, "--candidate", second, "--output", str(output)]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"bluegreen: {option} {tmp_path / stable}: ")
        assert words in said
        assert not output.exists()
    assert good.is_dir()


def test_the_same_folder_twice_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = folder(tmp_path / "good", index_html="<html>")
    assert run(["rehearse", "--stable", str(good), "--candidate", f"{good}/../good"]) == 2
    assert "are the same folder" in capsys.readouterr().err


def test_two_folders_with_the_same_content_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = (folder(tmp_path / name, index_html="<html>", a_js="1") for name in ("one", "two"))
    assert run(["rehearse", "--stable", str(one), "--candidate", str(two), "--output", str(tmp_path / "out")]) == 2
    assert "have the same content" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--stable", "."], "--stable is given without --candidate"),
        (["--bad"], "--bad makes a failing copy of --candidate"),
        (["--time-scale", "0"], "--time-scale is 0"),
        (["--visitors", "1"], "--visitors is 1"),
        (["--rollout", "often"], "rollout 'often' cannot be read"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["rehearse", *arguments]) == 2
    assert words in capsys.readouterr().err
