"""Where a build is published to, as the command line says it: `NAME=s3://BUCKET?region=…&endpoint=…&profile=…`."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from bluegreen_cdn.errors import InvalidInput

SYNTAX = "[NAME=]s3://BUCKET[?region=REGION&endpoint=URL&profile=PROFILE]"
_PARTS = ("region", "endpoint", "profile")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True, kw_only=True)
class TargetSpec:
    """A bucket that a build is published to.

    Attributes:
        name: What messages, and retention's notes, call it.
        bucket: The bucket.
        region: Its region. Default: what the environment and the profile say.
        endpoint: The store's address, for one that is not AWS's. Default: AWS, or what the environment says.
        profile: The AWS profile that has its credentials. Default: the environment's.
    """

    name: str
    bucket: str
    region: str | None = None
    endpoint: str | None = None
    profile: str | None = None

    @property
    def place(self) -> str:
        """The bucket and whose it is, for messages and to tell targets apart."""
        return f"s3://{self.bucket}" + (f" at {self.endpoint}" if self.endpoint else "")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a target. No message repeats a value: one may be a secret that does not belong here.

        Raises:
            InvalidInput: It is not one.
        """
        before, _, after = text.partition("s3://")
        if not after or (before and not before.endswith("=")):
            raise InvalidInput(f"a target has no s3://BUCKET: write it as {SYNTAX}")
        bucket, _, query = after.partition("?")
        name = before[:-1] or bucket.replace(".", "-")
        if _BUCKET.fullmatch(bucket) is None:
            raise InvalidInput(f"target {name!r} has bucket {bucket!r}, which no bucket is called: write {SYNTAX}")
        if _NAME.fullmatch(name) is None:
            raise InvalidInput(
                f"a target is called {name!r}: use lower-case letters, digits and hyphens, as in {SYNTAX}"
            )
        return cls(name=name, bucket=bucket, **_parts(name, query))

    @classmethod
    def of_bucket(cls, text: str, region: str | None = None) -> Self:
        """Read `[REGION=]BUCKET`.

        Raises:
            InvalidInput: It is not one.
        """
        said, _, bucket = text.rpartition("=")
        if not bucket or "/" in bucket:
            raise InvalidInput(f"bucket {text!r} is none: write [REGION=]NAME, or --target {SYNTAX}")
        return cls(name=said or bucket, bucket=bucket, region=said or region)


def check_targets(targets: Iterable[TargetSpec]) -> Sequence[TargetSpec]:
    """Return targets unchanged if they can be told apart.

    Raises:
        InvalidInput: Two have the same name, or are the same bucket.
    """
    names: set[str] = set()
    places: dict[str, str] = {}
    checked = list(targets)
    for target in checked:
        if target.name in names:
            raise InvalidInput(f"two targets are called {target.name!r}: give one another name, as in {SYNTAX}")
        if target.place in places:
            both = f"{places[target.place]!r} and {target.name!r}"
            raise InvalidInput(f"targets {both} are the same bucket, {target.place}: leave one out")
        names.add(target.name)
        places[target.place] = target.name
    return checked


def _parts(name: str, query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError as error:
        raise InvalidInput(f"target {name!r} has parts after the ? that are not KEY=VALUE: write {SYNTAX}") from error
    parts: dict[str, str] = {}
    for key, value in pairs:
        if key not in _PARTS:
            raise InvalidInput(
                f"target {name!r} has a part {key!r}; there are {', '.join(_PARTS)} (credentials come from an AWS "
                f"profile: profile=NAME)"
            )
        if key in parts or not value:
            raise InvalidInput(f"target {name!r} has part {key!r} {'twice' if key in parts else 'without a value'}")
        parts[key] = _endpoint(name, value) if key == "endpoint" else value
    return parts


def _endpoint(name: str, value: str) -> str:
    try:
        split = urlsplit(value)
        usable = split.scheme in ("http", "https") and bool(split.hostname) and (split.port is None or split.port > 0)
    except ValueError:
        usable = False
    if not usable or split.username or split.password or split.path not in ("", "/") or split.query or split.fragment:
        raise InvalidInput(
            f"target {name!r} has an endpoint that is not https://HOST or http://HOST, with a port at most: the bucket "
            f"stands before the ?, and credentials come from an AWS profile"
        )
    return f"{split.scheme}://{split.netloc}"
