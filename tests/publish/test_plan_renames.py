"""Renamed files that do not count as hashed."""

from dataclasses import replace

import pytest

from bluegreen_cdn.defaults import RENAME_WARNINGS
from bluegreen_cdn.domain.classification import CacheClass, ClassificationRules
from bluegreen_cdn.publish.plan import PublishPlan, plan_publish
from bluegreen_cdn.publish.source import SourceFile

RULES = ClassificationRules.default()


def plan(*paths: str, before: PublishPlan | None = None, rules: ClassificationRules = RULES) -> PublishPlan:
    files = [SourceFile(path=path, size=1, sha256="a" * 64) for path in ("index.html", *paths)]
    retained = (before.manifest,) if before else ()
    return plan_publish("new" if before else "old", files, rules=rules, mode="spa", retained=retained)


@pytest.mark.parametrize(
    ("before", "after", "glob"),
    [
        ("libs/app.1a2b3c4d.js", "libs/app.5e6f7a8b.js", "libs/app.*.js"),
        ("libs/app-1a2b3c.js", "libs/app-5e6f7a.js", "libs/app-*.js"),
        ("media/20240101/a.png", "media/20240202/a.png", "media/*/a.png"),
        ("1a2b3c4d.css", "5e6f7a8b.css", "*.css"),
    ],
)
def test_a_renamed_file_is_warned_about_with_the_rule_that_mends_it(before: str, after: str, glob: str) -> None:
    old = plan(before)
    (warning,) = plan(after, before=old).warnings
    for part in (repr(before), repr(after), f"hashed=[{glob!r}]", f"--hashed {glob!r}"):
        assert part in warning
    mended = replace(RULES, hashed=(glob,))
    assert mended.classify(after) is CacheClass.SHARED
    assert plan(after, before=plan(before, rules=mended), rules=mended).warnings == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["libs/app.1a2b3c4d.js"], ["libs/app.1a2b3c4d.js"]),  # stayed
        (["libs/app.1a2b3c4d.js"], ["libs/app.1a2b3c4d.js", "libs/app.5e6f7a8b.js"]),  # came along
        (["libs/app.1a2b3c4d.js"], ["libs/other.5e6f7a8b.js"]),  # is another
        (["assets/index-B3x9aZ0q.js"], ["assets/index-Dk3fP0_x.js"]),  # counts as hashed
        (["assets/index-B3x9aZ0q.js.map"], ["assets/index-D03fP0xx.js.map"]),  # never does
        (["posts/1a2b3c4d.html"], ["posts/5e6f7a8b.html"]),  # is a document
        (["favicon.ico"], ["favicon.png"]),
    ],
)
def test_what_is_no_rename(before: list[str], after: list[str]) -> None:
    assert plan(*after, before=plan(*before)).warnings == ()


def test_many_of_a_kind_are_one_line_and_many_kinds_are_counted() -> None:
    old = plan(*(f"libs/{kind}.{number:08}.js" for kind in range(30) for number in range(3)))
    made = plan(*(f"libs/{kind}.{number + 5:08}.js" for kind in range(30) for number in range(3)), before=old)
    assert len(made.warnings) == RENAME_WARNINGS + 1
    assert "and 2 more" in made.warnings[0]
    assert made.warnings[-1].startswith(f"and {30 - RENAME_WARNINGS} more")
