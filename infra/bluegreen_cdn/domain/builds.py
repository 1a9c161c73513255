"""Build ids: what a build may be called, and the name that its content gives it."""

import hashlib
import re
from collections.abc import Iterable

from bluegreen_cdn.defaults import BUILD_ID_PATTERN, CONTENT_BUILD_ID_CHARACTERS
from bluegreen_cdn.errors import InvalidBuildId

_BUILD_ID = re.compile(BUILD_ID_PATTERN)

RESERVED_BUILD_ID = "shared"
"""What `x-build-id` says of a file that is the same for all builds."""


def check_build_id(value: str) -> str:
    """Return the build id unchanged if it is one.

    Args:
        value: What the caller calls the build.

    Raises:
        InvalidBuildId: It could not be a key, a cookie value and a path segment alike.
    """
    if _BUILD_ID.fullmatch(value) is None:
        raise InvalidBuildId(
            f"build id {value[:80]!r} is not acceptable: it must be 1 to 64 characters, each a letter (a-z, A-Z), "
            f"a digit, '.', '_' or '-', and begin with a letter or a digit; pass another one, "
            "or none to name the build by its content"
        )
    if value == RESERVED_BUILD_ID:
        raise InvalidBuildId(
            f"build id {value!r} is taken: the edge names what belongs to no build so; pass another one"
        )
    return value


def content_digest(files: Iterable[tuple[str, str]]) -> str:
    """The SHA-256 (hex) of a build's content: of its sorted `sha256  path` lines.

    Args:
        files: Pairs of path and SHA-256 (hex), in any order.
    """
    digest = hashlib.sha256()
    for line in sorted(f"{sha256}  {path}\n" for path, sha256 in files):
        digest.update(line.encode())
    return digest.hexdigest()


def content_build_id(files: Iterable[tuple[str, str]]) -> str:
    """The build id that a build's content gives it: the same files, the same id, on every machine.

    Args:
        files: Pairs of path and SHA-256 (hex), in any order.
    """
    return content_digest(files)[:CONTENT_BUILD_ID_CHARACTERS]
