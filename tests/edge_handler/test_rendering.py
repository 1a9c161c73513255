"""From the sources to what is deployed."""

from __future__ import annotations

import random
import re
import string

import pytest
import quickjs
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.domain.classification import CacheClass, ClassificationRules
from bluegreen_cdn.edge_code import PLACEHOLDER, edge_handler_path, render_client, render_function
from bluegreen_cdn.errors import InvalidRules

SOURCE = "const CONFIG = {/*BLUEGREEN_CONFIG*/};\n"
FUNCTIONS = ("viewer_request.js", "viewer_response.js")
RULES = ClassificationRules.preset(
    "vite", "next", "cra", "angular", hashed=("bilder/über?/{a,b}**.png", "[x]/(y)+$^.js"), unhashed=("assets/logo-*",)
)


def classifier(rules: ClassificationRules) -> quickjs.Function:
    """The classification alone, as it stands in the deployed function."""
    source = (edge_handler_path() / "viewer_request.js").read_text()
    code = render_function(source, rules, "spa", "shop").replace("import", "//import")
    name = re.search(r"function (\w+)\(path\)\{if\(path\.length>", code)
    assert name
    return quickjs.Function("classify", f"{code}\nfunction classify(path) {{ return {name[1]}(path); }}")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_sources_have_one_place_for_the_configuration(name: str) -> None:
    assert (edge_handler_path() / name).read_text().count(PLACEHOLDER) == 1


@pytest.mark.parametrize("name", FUNCTIONS)
def test_imports_stay_on_lines_of_their_own(name: str) -> None:
    code = render_function((edge_handler_path() / name).read_text(), RULES, "spa", "shop")
    assert code.startswith("import cf from 'cloudfront';\nimport crypto from 'crypto';\n")
    assert "CONFIG" not in code
    assert "async function handler(event)" in code


def test_a_source_without_a_place_for_it_is_refused() -> None:
    for source in ("const CONFIG = {};", SOURCE * 2):
        with pytest.raises(InvalidRules, match=r"must hold .* once"):
            render_function(source, RULES, "spa", "shop")


def test_rules_too_large_for_cloudfront_are_refused() -> None:
    source = (edge_handler_path() / "viewer_request.js").read_text()
    many = tuple(f"some/folder-{number}/with-a-long-name/*.js" for number in range(80))
    with pytest.raises(InvalidRules, match=r"bytes long with these rules; it may have 10000"):
        render_function(source, ClassificationRules.preset("vite", entries=many), "spa", "shop")


FOLDERS = ["assets/", "_next/static/", "static/js/", "bilder/", "[x]/", "/", "über1"]
TOKENS = ["B3x9aZ0q", "0f2c9b1d", "20240115", "SemiBold", "hero2024", "1024x768", "chunk-", "logo-", "😀"]
PIECES = st.sampled_from([*FOLDERS, *TOKENS, "a", "b", "-", ".", "_", ".js", ".css", ".png", ".map", ".html"])
# Control characters are refused before any classification, at the edge and in a build.
OTHERS = st.text(alphabet=string.ascii_letters + string.digits + string.punctuation + " ", max_size=9)


@given(path=st.lists(st.one_of(PIECES, OTHERS), max_size=7).map("".join))
def test_python_and_javascript_classify_the_same(path: str, classify: quickjs.Function) -> None:
    found = classify(path) or "versioned"
    assert found == RULES.classify(path)


@pytest.fixture(scope="session")
def classify() -> quickjs.Function:
    return classifier(RULES)


def test_they_classify_random_hashes_the_same(classify: quickjs.Function) -> None:
    chance = random.Random(11)
    alphabet = string.ascii_letters + string.digits + "-_."
    for _ in range(3000):
        name = "".join(chance.choices(alphabet, k=chance.randint(6, 24)))
        path = chance.choice(["assets/", "assets/x-", "_next/static/", "static/js/main."]) + name + ".png"
        expected = RULES.classify(path)
        assert (classify(path) or CacheClass.VERSIONED) == expected, path


def test_the_client_scripts_are_small() -> None:
    sizes = {name: len(render_client((edge_handler_path() / name).read_text())) for name in ("client.js", "client.mjs")}
    assert max(sizes.values()) < 1536
