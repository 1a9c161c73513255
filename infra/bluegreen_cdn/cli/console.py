"""What all commands print in the same way."""

import json
from collections.abc import Mapping
from typing import Any

import click


def print_json(data: Mapping[str, Any]) -> None:
    """Print one JSON object for scripts."""
    click.echo(json.dumps(data, indent=2))


def warn(message: str) -> None:
    """Say something on stderr that the reader should know and that stops nothing."""
    click.echo(f"bluegreen: {message}", err=True)
