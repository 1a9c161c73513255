"""What `rollback`, `withdraw` and `unpin` have in common: show the plan, ask, carry it out, say what became of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from bluegreen_cdn.cli.console import print_json
from bluegreen_cdn.cli.verify_progress import VerifyProgress
from bluegreen_cdn.errors import InvalidInput

if TYPE_CHECKING:
    from bluegreen_cdn.aws.operator import OperatedSite
    from bluegreen_cdn.domain.operations import Plan, Scene

site_option = click.option("--site", required=True, help="The site's name.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
quick_option = click.option(
    "--quick", is_flag=True, help="Look at the build's documents alone, and not at every file in every region."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object; needs --yes.")


def operate(site: str, decide: Callable[[Scene], Plan], *, yes: bool, as_json: bool, quick: bool) -> None:
    """Carry out what an operator asks for.

    Args:
        site: The site's name.
        decide: Makes the plan.
        yes: Whether the operator has agreed already.
        as_json: Print JSON only.
        quick: Look at the documents alone of a build that visitors are to get.
    """
    from bluegreen_cdn.aws.operator_site import open_site

    if as_json and not yes:
        raise click.UsageError("--json needs --yes, because nobody can be asked")
    deployed = replace(open_site(site), quick=quick, watcher=VerifyProgress())
    look = deployed.look()
    plan = decide(deployed.scene(look))
    if not as_json:
        _print_plan(plan, site)
    if not plan.changes_nothing:
        if not yes:
            _ask()
        plan = deployed.carry_out(plan, look, lambda seen: decide(deployed.scene(seen)))
    _print_result(plan, deployed, as_json)


def _print_plan(plan: Plan, site: str) -> None:
    if plan.changes_nothing:
        click.echo(f"site {site}: {plan.steps[0]}")
        return
    click.echo(f"site {site}:")
    for number, step in enumerate(plan.steps, 1):
        click.echo(f"  {number}. {step}")
    for note in plan.notes:
        click.echo(f"  note: {note}")


def _ask() -> None:
    if not sys.stdin.isatty():
        raise InvalidInput("nobody can be asked, because the input is no terminal; pass --yes to agree to the plan")
    click.confirm("Do this?", abort=True)


def _print_result(plan: Plan, deployed: OperatedSite, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "done": plan.kind.value,
                "build": plan.build,
                "stable": plan.routing.stable,
                "epoch": plan.routing.epoch,
                "stopped": plan.stop,
                "steps": list(plan.steps),
                "notes": list(plan.notes),
            }
        )
    elif not plan.changes_nothing:
        click.echo(
            f"done: build {plan.routing.stable} is stable (epoch {plan.routing.epoch}); every edge follows in seconds "
            f"(bluegreen status --site {deployed.name} --watch)"
        )
