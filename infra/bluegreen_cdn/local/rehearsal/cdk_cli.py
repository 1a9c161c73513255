"""The real CDK command line, as a release uses it: synthesise, bootstrap, deploy."""

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bluegreen_cdn.errors import RehearsalError

SYNTH_TIMEOUT_SECONDS = 120.0
DEPLOY_TIMEOUT_SECONDS = 600.0
_QUIET = ("--no-notices", "--no-version-reporting", "--no-color", "--ci")


@dataclass(frozen=True, kw_only=True)
class CdkResult:
    """How a call of the CLI ended."""

    code: int
    output: str

    def last_error(self) -> str:
        """Return the line that says most about a failure: the app's own words, then the CLI's verdict on a stack."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        for telling in ("error: ", "❌", "failed: ", "Error: "):
            found = [line for line in lines if telling in line]
            if found:
                return found[-1].removeprefix("error: ")[:500]
        return lines[-1][:500] if lines else "it said nothing"


class CdkCli:
    """Calls `cdk` with one environment.

    Args:
        executable: The CLI.
        app: The command that synthesises the app.
        folder: Where the app runs.
        environment: What child processes get; from the local cloud.
        logs: Folder for the output of every call.
    """

    def __init__(self, *, executable: Path, app: str, folder: Path, environment: Mapping[str, str], logs: Path) -> None:
        self._executable, self._app, self._folder, self._logs = executable, app, folder, logs
        self.environment = dict(environment)

    async def synth(self, output: Path, context: Mapping[str, str]) -> Path:
        """Synthesise the app into a folder of its own.

        Raises:
            RehearsalError: The app does not synthesise.
        """
        arguments = [f"--context={name}={value}" for name, value in context.items()]
        result = await self._call(
            f"synth-{output.name}",
            ["synth", "--quiet", "--app", self._app, "--output", str(output), *arguments],
            SYNTH_TIMEOUT_SECONDS,
        )
        if result.code:
            raise RehearsalError(f"the CDK app did not synthesise: {result.last_error()}")
        return output

    async def bootstrap(self, account: str, regions: tuple[str, ...]) -> None:
        """Prepare the account's regions, as a user does once.

        Raises:
            RehearsalError: It failed.
        """
        places = [f"aws://{account}/{region}" for region in regions]
        # Elsewhere, because next to a `cdk.json` the CLI would run the app first.
        result = await self._call("bootstrap", ["bootstrap", *places], DEPLOY_TIMEOUT_SECONDS, folder=self._logs)
        if result.code:
            raise RehearsalError(f"cdk bootstrap failed: {result.last_error()}")

    async def deploy(self, assembly: Path) -> CdkResult:
        """Deploy every stack of a synthesised app; a rollback is an answer, not an exception."""
        return await self._call(
            f"deploy-{assembly.name}",
            [
                "deploy",
                "--all",
                "--app",
                str(assembly),
                "--require-approval",
                "never",
                "--concurrency",
                "4",
                "--progress",
                "events",
                "--method",
                "direct",
            ],
            DEPLOY_TIMEOUT_SECONDS,
        )

    async def _call(self, name: str, arguments: list[str], timeout: float, *, folder: Path | None = None) -> CdkResult:
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"{name}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                str(self._executable),
                *arguments,
                *_QUIET,
                cwd=folder or self._folder,
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                await asyncio.wait_for(process.wait(), timeout)
            except TimeoutError as error:
                raise RehearsalError(f"cdk {arguments[0]} did not end within {timeout:g} s (log: {log})") from error
            finally:
                if process.returncode is None:
                    _end_group(process.pid)
                    await process.wait()
        return CdkResult(code=process.returncode or 0, output=log.read_text(encoding="utf-8", errors="replace"))


def find_cdk(checkout: Path | None) -> Path:
    """Find the CDK CLI: the checkout's own first, then the one on the PATH.

    Raises:
        RehearsalError: There is none.
    """
    places = [base / "node_modules" / ".bin" / "cdk" for base in (checkout, Path.cwd()) if base is not None]
    for place in places:
        if place.is_file():
            return place
    found = shutil.which("cdk")
    if found is None:
        raise RehearsalError(
            f"the CDK CLI was not found (looked for {places[0]} and for cdk on the PATH): "
            "run `npm install` in the checkout, or `npm install --global aws-cdk@2.1148.1`"
        )
    return Path(found)


def find_app(checkout: Path | None) -> tuple[str, Path]:
    """Find the CDK app: the checkout's `app.py`, or the one in the package; return its command and its folder."""
    if checkout is not None and (checkout / "app.py").is_file():
        return f"{_quoted(sys.executable)} app.py", checkout
    return f"{_quoted(sys.executable)} -m bluegreen_cdn.constructs.app", Path.cwd()


def checkout_folder() -> Path | None:
    """Return the repository that this module stands in, or None in an installed package."""
    root = Path(__file__).resolve().parents[4]
    return root if (root / "pyproject.toml").is_file() and (root / "infra").is_dir() else None


def _quoted(path: str) -> str:
    return f'"{path}"' if " " in path else path


def _end_group(pid: int) -> None:
    import contextlib
    import signal

    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
