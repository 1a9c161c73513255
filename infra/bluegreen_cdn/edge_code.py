"""The code that runs inside CloudFront and in browsers: where its sources lie, and how they become what is deployed."""

from __future__ import annotations

import re
from pathlib import Path

from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.edge_config import function_config
from bluegreen_cdn.domain.requests import DocumentMode
from bluegreen_cdn.errors import BlueGreenError, InvalidRules

FUNCTION_MAXIMUM_BYTES = 10_000
"""CloudFront takes 10 KB. Ours stay under 9 with the default rules; the rest is for a site's own globs."""
PLACEHOLDER = "{/*BLUEGREEN_CONFIG*/}"


def edge_handler_path() -> Path:
    """The folder with the edge code: inside the installed package, else in the checkout.

    Raises:
        BlueGreenError: Neither exists.
    """
    here = Path(__file__).resolve()
    # Editable installs have no files from elsewhere in the package, so the checkout is looked at second.
    candidates = (here.parent / "_edge_handler", here.parents[2] / "edge_handler")
    for candidate in candidates:
        if (candidate / "viewer_request.js").is_file():
            return candidate
    raise BlueGreenError(
        f"the edge code is missing: neither {candidates[0]} nor {candidates[1]} has viewer_request.js; "
        f"install bluegreen-cdn again"
    )


def render_function(
    source: str,
    rules: ClassificationRules,
    mode: DocumentMode | str,
    site: str,
    *,
    precompress: bool = True,
    direct: bool = False,
) -> str:
    """Makes the code of a CloudFront Function: configuration put in, white space out, function names shortened.

    Args:
        source: A source file with one `const CONFIG = {/*BLUEGREEN_CONFIG*/};`.
        rules: The site's classification.
        mode: The site's document mode: `spa`, `directory` or `html`.
        site: The site's name.
        precompress: The site's builds have precompressed variants. Default: they have.
        direct: It is for the behaviours in which no origin request follows. Default: it is not.

    Raises:
        InvalidRules: The source has no place for the configuration, or the rules make it too large for CloudFront.
    """
    if source.count(PLACEHOLDER) != 1:
        raise InvalidRules(
            f"the function's source must hold {PLACEHOLDER} once; it holds it {source.count(PLACEHOLDER)} times"
        )
    # Only what the function uses: viewer response has no business with folders.
    members = function_config(rules, mode, site, precompress=precompress, direct=direct).items()
    used = ",".join(f"{name}:{literal}" for name, literal in members if f"CONFIG.{name}" in source)
    # After minifying, for the minifier need not understand our regular expressions.
    code = _minified(_with_short_names(source)).replace("={}", "={" + used + "}", 1)
    if len(code.encode()) > FUNCTION_MAXIMUM_BYTES:
        raise InvalidRules(
            f"the edge function is {len(code.encode())} bytes long with these rules; it may have "
            f"{FUNCTION_MAXIMUM_BYTES}: name the site's own preset instead of all, or join globs with `*`"
        )
    return code


def render_client(source: str) -> str:
    """Makes the client metrics script that browsers get from `client.js` or `client.mjs`."""
    return _minified(source)


def _with_short_names(source: str) -> str:
    """Renames what stands at the top level, but for the handler: CloudFront counts every byte."""
    functions = re.findall(r"^(?:async )?function (\w+)\(", source, re.MULTILINE)
    for number, name in enumerate(name for name in functions if name != "handler"):
        source = re.sub(rf"(?<![\w.'-]){name}(?=[(),])", f"f{number}", source)
    for number, name in enumerate(re.findall(r"^const ([A-Z_]+) =", source, re.MULTILINE)):
        source = re.sub(rf"(?<![\w.']){name}\b", f"c{number}", source)
    return source


def _minified(source: str) -> str:
    # Imported here: only synthesis needs it, while handlers and the command line import this module's neighbours.
    import rjsmin

    # Imports stay on lines of their own, as AWS writes them: its reader of them is not known to be a full parser.
    imports = "".join(f"{line}\n" for line in source.splitlines() if line.startswith("import "))
    return imports + str(rjsmin.jsmin(re.sub(r"^import .*\n", "", source, flags=re.MULTILINE)))
