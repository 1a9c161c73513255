"""Builds to publish."""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Writer = Callable[[str, Mapping[str, str | bytes]], Path]

STOREFRONT = {
    "index.html": "<!doctype html><script type=module src=/assets/index-B3x9aZ0q.js></script>",
    "favicon.ico": b"\0\1",
    "locales/de.json": '{"cart": "Warenkorb"}',
    "assets/index-B3x9aZ0q.js": "import('./cart-Dk3fP0_x.js')",
    "assets/cart-Dk3fP0_x.js": "export default 1",
    "assets/logo.svg": "<svg/>",
}


@pytest.fixture
def folder(tmp_path: Path) -> Writer:
    """Writes a build folder."""

    def write(name: str, files: Mapping[str, str | bytes]) -> Path:
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        for path, content in files.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return root

    return write


@pytest.fixture
def archive(tmp_path: Path) -> Writer:
    """Writes a zip file, with whatever names it is given."""

    def write(name: str, files: Mapping[str, str | bytes]) -> Path:
        target = tmp_path / name
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
            for path, content in files.items():
                packed.writestr(path, content)
        return target

    return write


@pytest.fixture
def storefront(folder: Writer) -> Path:
    """A small build of a real shape."""
    return folder("dist", STOREFRONT)
