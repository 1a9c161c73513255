"""What all commands print in the same way."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click


def print_json(data: Mapping[str, Any]) -> None:
    """Print one JSON object for scripts."""
    click.echo(json.dumps(data, indent=2))


def print_json_pieces(data: Mapping[str, Any]) -> None:
    """Print one JSON object whose lists may be long; each of their items has a line and is made when it is printed."""
    lead = "{\n"
    for name, value in data.items():
        click.echo(f"{lead}  {json.dumps(name)}: ", nl=False)
        if isinstance(value, Iterator):
            _print_list(value)
        else:
            click.echo(json.dumps(value), nl=False)
        lead = ",\n"
    click.echo("\n}")


def _print_list(items: Iterator[Any]) -> None:
    lead = "["
    for item in items:
        click.echo(f"{lead}\n    {json.dumps(item)}", nl=False)
        lead = ","
    click.echo("[]" if lead == "[" else "\n  ]", nl=False)


def warn(message: str) -> None:
    """Say something on stderr that the reader should know and that stops nothing."""
    click.echo(f"bluegreen: {message}", err=True)
