"""What a process of its own finds in files is what is found without it, and nothing depends on it."""

import io
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import pytest

from bluegreen_cdn.defaults import SCAN_MAXIMUM_BYTES
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.closure import Settled, settle
from bluegreen_cdn.domain.references import Scan, text_of
from bluegreen_cdn.errors import IncompleteBuild
from bluegreen_cdn.publish import scan_ahead
from bluegreen_cdn.publish.closure import check_closure
from bluegreen_cdn.publish.folder_source import FolderSource
from bluegreen_cdn.publish.memory_source import MemorySource
from bluegreen_cdn.publish.memory_store import MemoryStore
from bluegreen_cdn.publish.publisher import publish
from bluegreen_cdn.publish.scan_ahead import ScansAhead, scan_folder
from bluegreen_cdn.publish.source import SourceFile, open_source

Writer = Callable[[str, Mapping[str, str | bytes]], Path]
SCRIPTS: dict[str, str | bytes] = {
    "app.js": 'import"./deep/er/chunk.mjs";import("./lazy.js")',
    "deep/er/chunk.mjs": 'export*from"../../näme.js";__vite__mapDeps=(i,m=__vite__mapDeps,d=(m.f=["assets/a.css"]))=>1',
    "lazy.js": "const text = \"import('./not-there.js')\"",
    "näme.js": "import('./é.js')".encode("utf-16"),
    "latin.js": "import('./caf\xe9.js')".encode("latin-1"),
    "UPPER.JS": "import './lazy.js'",
    "empty.js": "",
}
TEXTS: dict[str, str | bytes] = SCRIPTS | {
    "index.html": "<base href=/deep/><script src=/app.js></script><a href=/about/>.</a><link rel=manifest href=x.json>",
    "app.css": "a{background:url(./logo.png)}",
    "manifest.json": '{"app.js": {"file": "app.js"}}',
}
OTHERS: dict[str, str | bytes] = {"logo.png": b"\x89PNG", "x.json": "{}"}


@pytest.fixture(autouse=True)
def every_folder_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_ahead, "SCAN_AHEAD_MINIMUM_FILES", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 2)


def known(ahead: ScansAhead, file: SourceFile) -> Settled:
    """What the process has found in a file, once it has."""
    deadline = time.monotonic() + 60
    while (settled := ahead.settled(file)) is None:
        assert time.monotonic() < deadline, f"nothing is known of {file.path}"
        time.sleep(0.02)
    return settled


def test_it_finds_what_is_found_without_it(folder: Writer) -> None:
    source = FolderSource(folder("dist", TEXTS | OTHERS))
    files = {file.path: file for file in source.listing()}
    with ScansAhead(source.folder) as ahead:
        for path, content in TEXTS.items():
            data = content.encode() if isinstance(content, str) else content
            assert known(ahead, files[path]) == settle(path, text_of(data)), path
        assert known(ahead, files["index.html"]).left.base == "/deep/"
        assert all(ahead.settled(files[path]) is None for path in OTHERS)


def test_a_file_that_has_changed_since_is_not_known(folder: Writer) -> None:
    source = FolderSource(folder("dist", SCRIPTS))
    files = {file.path: file for file in source.listing()}
    with ScansAhead(source.folder) as ahead:
        known(ahead, files["app.js"])
        assert ahead.settled(SourceFile(path="app.js", size=files["app.js"].size + 1, sha256="0" * 64)) is None


def test_links_and_what_is_too_large_are_left_to_others(folder: Writer, tmp_path: Path) -> None:
    root = folder("dist", {"a.js": "import './b.js'", "sub/b.js": ""})
    (tmp_path / "elsewhere.js").write_text("import './secret.js'")
    (root / "link.js").symlink_to(tmp_path / "elsewhere.js")
    (root / "linked").symlink_to(root / "sub")
    with open(root / "large.js", "wb") as large:
        large.truncate(SCAN_MAXIMUM_BYTES + 1)
    assert sorted(path for found in scan_folder(str(root)) for path in found) == ["a.js", "sub/b.js"]


def test_the_process_ends_with_whoever_asked(folder: Writer) -> None:
    with ScansAhead(folder("dist", SCRIPTS)) as ahead:
        process = ahead._process
        assert process is not None
    assert process.poll() is not None


@pytest.mark.parametrize("why", ["small", "packed", "one core", "no interpreter"])
def test_none_is_started(why: str, folder: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder("dist", TEXTS | OTHERS)
    if why == "small":
        monkeypatch.setattr(scan_ahead, "SCAN_AHEAD_MINIMUM_FILES", len(TEXTS | OTHERS) + 1)
    if why == "one core":
        monkeypatch.setattr("os.cpu_count", lambda: 1)
    if why == "no interpreter":
        monkeypatch.setattr(sys, "executable", str(root / "missing"))
    with ScansAhead(None if why == "packed" else root) as ahead:
        assert ahead._process is None
        assert all(ahead.settled(file) is None for file in FolderSource(root).listing())


def test_what_is_said_no_further_is_left_out() -> None:
    ahead = ScansAhead(None)
    ahead._take(io.BytesIO(b'{"a.js": [3, ["b.js"], [], ""]}\n{"b.js": [4, [], [["./c.js", "lazy", fal'))
    assert ahead.settled(SourceFile(path="a.js", size=3, sha256="")) == Settled(("b.js",), Scan(()))
    assert ahead.settled(SourceFile(path="b.js", size=4, sha256="")) is None


def test_only_so_much_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_ahead, "SCAN_AHEAD_MAXIMUM_BYTES", 300)
    ahead = ScansAhead(None)
    ahead._take(io.BytesIO(b'{"a.js": [4, [], [], ""]}\n{"b.js": [4, [], [], ""]}\n'))
    assert ahead.settled(SourceFile(path="a.js", size=4, sha256="")) is not None
    assert ahead.settled(SourceFile(path="b.js", size=4, sha256="")) is None


class Reads(FolderSource):
    """Notes which files are read for what they refer to."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.read: list[str] = []

    def open(self, file: SourceFile) -> io.BytesIO:
        self.read.append(file.path)
        return cast("io.BytesIO", super().open(file))


def test_what_is_known_is_not_read_again_unless_something_is_missing(folder: Writer) -> None:
    whole = {"index.html": "<script src=/app.js></script>", "app.js": "import './b.js'", "b.js": "1"}
    for files, read in (
        (whole, []),
        # What only looks like an import is told from one by reading it.
        (whole | {"b.js": "'import(\"./c.js\")'"}, ["b.js", "index.html", "app.js", "b.js"]),
    ):
        source = Reads(folder(f"dist-{len(read)}", files))
        listing = source.listing()
        with ScansAhead(source.folder) as ahead:
            for file in listing:
                known(ahead, file)
            rules = ClassificationRules.default()
            found = check_closure(source, listing, rules=rules, mode="spa", known=ahead.settled)
        assert source.read == read
        assert (found.missing, found.scanned) == ((), 3)


def test_a_publish_is_the_same_with_it(folder: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    real = scan_ahead._start
    monkeypatch.setattr(scan_ahead, "_start", lambda root: started.append(root) or real(root))
    chunks = {f"assets/chunk-{number:08}.js": f"import './chunk-{max(0, number - 1):08}.js'" for number in range(300)}
    files = {"index.html": "<script type=module src=/assets/chunk-00000299.js></script>", **chunks}
    root = folder("dist", files)
    stores = MemoryStore(), MemoryStore()
    with open_source(root) as source:
        publish(source, stores[0], build_id="one")
    publish(MemorySource(files), stores[1], build_id="one")
    assert started == [root]
    assert stores[0].get("manifests/one.json") == stores[1].get("manifests/one.json")
    (root / "assets/chunk-00000007.js").unlink()
    with open_source(root) as source, pytest.raises(IncompleteBuild, match=r"'assets/chunk-00000007\.js'"):
        publish(source, stores[0], build_id="two")
