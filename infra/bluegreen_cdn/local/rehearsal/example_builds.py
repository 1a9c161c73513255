"""Builds of the example apps, made when first asked for and kept until their sources change."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bluegreen_cdn.defaults import EXAMPLE_BUILD_TIMEOUT_SECONDS, NODE_VERSIONS
from bluegreen_cdn.errors import InvalidInput, RehearsalError

APPS = {"storefront": ("first", "second", "bad"), "widget": ("first", "second")}
"""The example apps and the flavours each can be built in."""

_CHECKOUT = Path(__file__).resolve().parents[4]
_NOT_SOURCES = {"node_modules", "dist"}


def example_build(app: str, flavour: str, *, checkout: Path = _CHECKOUT) -> Path:
    """The folder with one flavour of an example app, built first when its sources have changed.

    Safe to call from several processes at once: one builds, the others wait. The folder never changes afterwards.

    Args:
        app: The name of the app, a key of `APPS`.
        flavour: One of the app's flavours.
        checkout: Where the repository is. Default: the one this module stands in.

    Raises:
        InvalidInput: There is no such app or flavour.
        RehearsalError: The examples are not here, Node is missing or too old, or the build failed.
    """
    if app not in APPS:
        raise InvalidInput(f"example {app!r} does not exist; choose one of {', '.join(APPS)}")
    if flavour not in APPS[app]:
        raise InvalidInput(f"flavour {flavour!r} of example {app} does not exist; choose one of {', '.join(APPS[app])}")
    sources = example_sources(app, checkout=checkout)
    if not (sources / "package.json").is_file():
        raise RehearsalError(
            f"the example app {app} is not in {sources}: an installed package has no examples; "
            "pass builds of your own with --stable DIR and --candidate DIR, or work in a clone of the repository"
        )
    builds = checkout / "build" / "examples" / app
    wanted = builds / sources_digest(sources) / flavour
    if wanted.is_dir():
        return wanted
    check_node()
    builds.mkdir(parents=True, exist_ok=True)
    with _locked(builds / ".lock"):
        if not wanted.is_dir():
            _install(sources)
            _build(sources, flavour, wanted)
            _remove_outdated(builds, wanted.parent)
    return wanted


def example_sources(app: str, *, checkout: Path = _CHECKOUT) -> Path:
    """The folder with the sources of an example app.

    Args:
        app: The name of the app, a key of `APPS`.
        checkout: Where the repository is. Default: the one this module stands in.
    """
    return checkout / "examples" / app


def check_node() -> str:
    """The version of Node on this machine.

    Raises:
        RehearsalError: Node or npm is missing, or Node is too old.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        name = "node" if node is None else "npm"
        raise RehearsalError(f"{name} was not found on the PATH; install Node.js {_wanted_versions()}")
    try:
        found = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30).stdout.strip()  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        raise RehearsalError(f"node at {node} does not run ({error}); install Node.js {_wanted_versions()}") from error
    if not _is_supported(found):
        raise RehearsalError(f"node {found or 'of unknown version'} at {node} is too old; need {_wanted_versions()}")
    return found.removeprefix("v")


def sources_digest(sources: Path) -> str:
    """A digest of everything in an example's folder that a build of it reads: paths and contents."""
    digest = hashlib.sha256()
    for path in sorted(_source_files(sources)):
        name = path.relative_to(sources).as_posix()
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def _source_files(sources: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(sources):
        # Not even looked into: another process may be installing packages there.
        folders[:] = [name for name in folders if name not in _NOT_SOURCES]
        yield from (path for name in files if (path := Path(folder, name)).is_file())


def _is_supported(version: str) -> bool:
    match = re.fullmatch(r"v?(\d+)\.(\d+)\..*", version)
    if match is None:
        return False
    major, minor = int(match[1]), int(match[2])
    if major in NODE_VERSIONS:
        return minor >= NODE_VERSIONS[major]
    return major > max(NODE_VERSIONS)


def _wanted_versions() -> str:
    lines = [f"{major}.{minor}" for major, minor in sorted(NODE_VERSIONS.items())]
    return f"{lines[-1]} or newer, or a later release of one of {', '.join(lines[:-1])}"


def _install(sources: Path) -> None:
    """`npm ci`, unless the installed packages are those of the lock file."""
    stamp = sources / "node_modules" / ".installed-for"
    lock_digest = hashlib.sha256((sources / "package-lock.json").read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == lock_digest:
        return
    _npm(sources, "ci", "--no-audit", "--no-fund", "--prefer-offline")
    stamp.write_text(lock_digest)


def _build(sources: Path, flavour: str, wanted: Path) -> None:
    """Builds beside the place it shall have and moves it there, so that a half-made build is never found."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=wanted.parent, prefix=f".{flavour}-") as making:
        output = Path(making) / "build"
        _npm(sources, "run", "--silent", f"build:{flavour}", "--", "--outDir", str(output))
        if not any(output.rglob("*.html")):
            raise RehearsalError(f"npm run build:{flavour} in {sources} made no document in {output}")
        output.rename(wanted)


def _npm(sources: Path, *arguments: str) -> None:
    npm = shutil.which("npm") or "npm"
    command = f"npm {' '.join(arguments)}"
    try:
        done = subprocess.run(  # noqa: S603
            [npm, *arguments],
            cwd=sources,
            # Labels in the environment would win over the flavour's own, and NODE_ENV changes what is built.
            env={key: value for key, value in os.environ.items() if not key.startswith("VITE_") and key != "NODE_ENV"},
            capture_output=True,
            text=True,
            timeout=EXAMPLE_BUILD_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise RehearsalError(f"{command} in {sources} took longer than {EXAMPLE_BUILD_TIMEOUT_SECONDS} s") from error
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise RehearsalError(f"{command} in {sources} failed with exit code {done.returncode}:\n{said}")


def _remove_outdated(builds: Path, current: Path) -> None:
    for folder in builds.iterdir():
        if folder.is_dir() and folder != current:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
