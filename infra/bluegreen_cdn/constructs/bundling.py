"""The archives that Lambda runs, made here and the same on every machine.

One deterministic zip per purpose, kept in the user's cache folder under the hash of what is in it. The asset hash is
that of the sources and of the versions of the libraries, never of a platform's own bytes: a release from a laptop and
one from CI update no function for nothing.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bluegreen_cdn.edge_code import edge_handler_path, render_client
from bluegreen_cdn.errors import BlueGreenError

_PACKAGE = Path(__file__).resolve().parents[1]
_HANDLER_PARTS = ("__init__.py", "errors.py", "defaults.py", "domain", "publish", "aws", "handlers")
_LIBRARIES = {
    "awscrt": ("awscrt", "_awscrt.abi3.so"),
    "brotli": ("brotli.py", "_brotli.cpython-313-x86_64-linux-gnu.so"),
}
"""What Lambda lacks, and the parts of each: `awscrt` signs calls to the KeyValueStore, `brotli` compresses builds."""
_FORMAT = "2"
"""Raise it when the layout of the archives changes, so that no cached one is taken for a new one."""
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_LAMBDA_PLATFORM = "manylinux2014_x86_64"
_LAMBDA_PYTHON = "3.13"


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A zip for Lambda.

    Attributes:
        path: Where it is.
        digest: Names its content; the asset hash.
    """

    path: Path
    digest: str


def handlers_archive(*, with_libraries: bool = True) -> Archive:
    """The handlers of the regional functions with the parts of the package that they need.

    Args:
        with_libraries: Whether to put `awscrt` and `brotli` in `_vendor/`: without, no call to the KeyValueStore's data
            plane, and no build with precompressed variants.
    """
    files = dict(_handler_sources())
    libraries = tuple(_LIBRARIES) if with_libraries else ()
    for name in ("client.js", "client.mjs"):
        source = (edge_handler_path() / name).read_text()
        files[f"bluegreen_cdn/_edge_handler/{name}"] = render_client(source).encode()
    return _archive("handlers", files, {name: importlib.metadata.version(name) for name in libraries})


def edge_archive() -> Archive:
    """The Lambda@Edge handler, alone: every import costs a visitor time."""
    return _archive("edge", {"origin_request.py": (edge_handler_path() / "origin_request.py").read_bytes()}, {})


def _handler_sources() -> Iterator[tuple[str, bytes]]:
    for part in _HANDLER_PARTS:
        path = _PACKAGE / part
        for source in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            yield f"bluegreen_cdn/{source.relative_to(_PACKAGE).as_posix()}", source.read_bytes()


def _archive(name: str, files: Mapping[str, bytes], libraries: Mapping[str, str]) -> Archive:
    digest = hashlib.sha256(f"{_FORMAT} {sorted(libraries.items())}\n".encode())
    for member, data in sorted(files.items()):
        digest.update(f"{hashlib.sha256(data).hexdigest()}  {member}\n".encode())
    archive = Archive(path=_cache_folder() / f"{name}-{digest.hexdigest()}.zip", digest=digest.hexdigest())
    if not archive.path.exists():
        vendored: dict[str, bytes] = {}
        for library, version in libraries.items():
            vendored |= _library_files(library, version)
        _write_zip(archive.path, {**files, **{f"_vendor/{member}": data for member, data in vendored.items()}})
    return archive


def _write_zip(path: Path, content: Mapping[str, bytes]) -> None:
    """Write it beside its place and move it there: another synth may be looking."""
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
        try:
            with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
                for member, data in sorted(content.items()):
                    entry = zipfile.ZipInfo(member, _EARLIEST)
                    entry.compress_type = zipfile.ZIP_DEFLATED
                    entry.create_system = 3  # Unix on every machine: Lambda obeys the permissions that follow
                    entry.external_attr = 0o100755 << 16 if member.endswith(".so") else 0o100644 << 16
                    archive.writestr(entry, data)
            part.close()
            os.chmod(part.name, 0o644)
            os.replace(part.name, path)
        except BaseException:
            part.close()
            Path(part.name).unlink(missing_ok=True)
            raise


def _library_files(library: str, version: str) -> dict[str, bytes]:
    """Every file of a library that Lambda can load: the installed one if it is that, else the one from PyPI."""
    distribution = importlib.metadata.distribution(library)
    if _runs_on_lambda(distribution):
        return {
            file.as_posix(): Path(str(distribution.locate_file(file))).read_bytes()
            for file in distribution.files or ()
            if _is_wanted(library, file.as_posix())
        }
    with zipfile.ZipFile(_download(library, version)) as wheel:
        return {member: wheel.read(member) for member in wheel.namelist() if _is_wanted(library, member)}


def _is_wanted(library: str, member: str) -> bool:
    return member.split("/")[0] in _LIBRARIES[library] and "__pycache__" not in member


def _runs_on_lambda(distribution: importlib.metadata.Distribution) -> bool:
    tags = [line for line in (distribution.read_text("WHEEL") or "").splitlines() if line.startswith("Tag:")]
    python = f"cp{_LAMBDA_PYTHON.replace('.', '')}"
    return platform.system() == "Linux" and any(
        ("abi3" in tag or python in tag) and "manylinux" in tag and tag.endswith("x86_64") for tag in tags
    )


def _download(library: str, version: str) -> Path:
    """Fetch the wheel for Lambda's platform once; later synths find it in the cache folder."""
    folder = _cache_folder() / f"{library}-{version}-{_LAMBDA_PLATFORM}"
    if not any(folder.glob("*.whl")):
        options = ["--platform", _LAMBDA_PLATFORM, "--python-version", _LAMBDA_PYTHON, "--only-binary=:all:"]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *options]
        done = subprocess.run(  # noqa: S603  our own interpreter, our own arguments
            [*command, "--dest", str(folder), f"{library}=={version}"], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            raise BlueGreenError(
                f"{library} {version} for {_LAMBDA_PLATFORM} could not be fetched ({last}); the handlers are bundled "
                "with it: check the connection to PyPI, or synthesise once where it is reachable"
            )
    return next(folder.glob("*.whl"))


def _cache_folder() -> Path:
    """Where archives are kept; a temporary folder where the user has no home to write to."""
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "bluegreen-cdn"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(folder)
    except OSError:
        folder = Path(tempfile.gettempdir()) / f"bluegreen-cdn-{os.getuid() if hasattr(os, 'getuid') else 'cache'}"
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder
