"""The command `bluegreen`: one group whose subcommands are imported only when they run.

`bluegreen --help` takes a few hundredths of a second because of that: neither the AWS SDK nor rich nor aws_cdk is
loaded for it.
"""

import importlib
import os
import sys
from collections.abc import Sequence

import click

from bluegreen_cdn.errors import BlueGreenError

INTERRUPTED_EXIT_CODE = 130

# name: (module, attribute, one line of help). The help stands here so that listing the commands imports none of them.
_COMMANDS = {
    "gc": ("bluegreen_cdn.cli.gc", "gc", "Remove builds that nobody can ask for any more."),
    "history": ("bluegreen_cdn.cli.history", "history", "Every release, how it went and why."),
    "local": ("bluegreen_cdn.cli.local", "local", "Run the local cloud and the edge simulator on this machine."),
    "preview": ("bluegreen_cdn.cli.preview", "preview", "Make a link that shows one build to its holder, for a while."),
    "publish": ("bluegreen_cdn.cli.publish", "publish", "Publish a build folder, without releasing it."),
    "rehearse": (
        "bluegreen_cdn.cli.rehearse",
        "rehearse",
        "Carry out whole releases on this machine and report on them.",
    ),
    "rollback": ("bluegreen_cdn.cli.rollback", "rollback", "Stop the release in progress, or pin an earlier build."),
    "status": ("bluegreen_cdn.cli.status", "status", "What a site serves to whom, and how that goes."),
    "unpin": ("bluegreen_cdn.cli.unpin", "unpin", "Let the edge follow the alias again after a rollback."),
    "verify": ("bluegreen_cdn.cli.verify", "verify", "Verify a build in every region, and mend it."),
    "withdraw": ("bluegreen_cdn.cli.withdraw", "withdraw", "Stop serving a build's documents."),
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and imports them on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*_COMMANDS, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, attribute, _ = _COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}.{attribute} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][2]) for name in self.list_commands(ctx)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bluegreen-cdn", prog_name="bluegreen")
def bluegreen() -> None:
    """Release web front ends blue-green through CloudFront, and rehearse it on your own machine."""


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code; what we can explain becomes one line on stderr."""
    try:
        result = bluegreen.main(list(arguments), prog_name="bluegreen", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as mistake:
        mistake.show()
        return mistake.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("bluegreen: interrupted", err=True)
        return INTERRUPTED_EXIT_CODE
    except BlueGreenError as error:
        click.echo(f"bluegreen: {' '.join(str(error).split())}", err=True)
        return error.exit_code
    except BrokenPipeError:
        # The reader (`head`, `less`) has left: say nothing, and keep Python from saying it when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return result if isinstance(result, int) else 0


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
