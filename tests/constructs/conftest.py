"""Synthesised sites: templates by stack name, each kind synthesised once."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# Before the Node process starts: its validation has a gate of its own, and its warning is no finding of a test.
os.environ.setdefault("CDK_VALIDATION", "false")
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")

sys.path.insert(0, str(Path(__file__).parent))

import aws_cdk as cdk

from bluegreen_cdn.constructs import BlueGreenSite, Build
from bluegreen_cdn.domain.classification import ClassificationRules

ACCOUNT = "111122223333"
Resource = dict[str, Any]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests together: they share their synthesised sites and one Node process."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.xdist_group("app" if item.path.name == "test_app.py" else "constructs"))


@dataclass(frozen=True)
class Templates:
    """The templates of one app.

    Attributes:
        by_stack: Every template by the name of its stack.
        folder: The cloud assembly.
    """

    by_stack: dict[str, Resource]
    folder: Path

    def __getitem__(self, stack: str) -> Resource:
        return self.by_stack[stack]

    def of_type(self, resource_type: str, stack: str | None = None) -> dict[str, Resource]:
        """The resources of a type, by logical id."""
        return {
            logical_id: resource
            for name, template in self.by_stack.items()
            if stack in (None, name)
            for logical_id, resource in template["Resources"].items()
            if resource["Type"] == resource_type
        }

    def only(self, resource_type: str, stack: str | None = None) -> Resource:
        """The one resource of a type."""
        (resource,) = self.of_type(resource_type, stack).values()
        return resource


Synthesise = Callable[..., Templates]


@pytest.fixture(scope="session")
def build_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a bundler might have written."""
    folder = tmp_path_factory.mktemp("dist")
    (folder / "assets").mkdir()
    (folder / "index.html").write_text('<!doctype html><script type="module" src="/assets/index-B3x9aZ0q.js"></script>')
    (folder / "assets" / "index-B3x9aZ0q.js").write_text("console.log('one')")
    (folder / "favicon.ico").write_bytes(b"\0\0\1\0")
    return folder


@pytest.fixture(scope="session")
def synthesise(tmp_path_factory: pytest.TempPathFactory) -> Synthesise:
    """Synthesise a site called `shop` in the stack `web`, with these arguments."""

    def synthesise(
        *,
        account: str | None = ACCOUNT,
        region: str | None = "us-east-1",
        around: Callable[[cdk.Stack], dict[str, Any]] = lambda stack: {},
        after: Callable[[cdk.Stack, BlueGreenSite], None] = lambda stack, site: None,
        **arguments: Any,
    ) -> Templates:
        folder = tmp_path_factory.mktemp("cdk.out")
        app = cdk.App(outdir=str(folder), analytics_reporting=False, context={"aws:cdk:disable-asset-staging": True})
        env = cdk.Environment(account=account, region=region) if region else None
        stack = cdk.Stack(app, "web", env=env)
        site = BlueGreenSite(
            stack, "Site", **{"name": "shop", "build": Build.published("v1"), **around(stack), **arguments}
        )
        after(stack, site)
        app.synth()
        return Templates(
            {path.name.removesuffix(".template.json"): json.loads(path.read_text()) for path in _templates(folder)},
            folder,
        )

    return synthesise


@pytest.fixture(scope="session")
def templates(synthesise: Synthesise, build_folder: Path) -> Templates:
    """The usual site: two regions, a build from a folder."""
    return synthesise(
        regions=["us-east-1", "eu-west-1"],
        build=Build.folder(build_folder, build_id="v1"),
        rules=ClassificationRules(hashed_folders=("assets/",)),
    )


def _templates(folder: Path) -> Iterator[Path]:
    return folder.glob("*.template.json")
