"""Whether a build that exists is the one about to be published; read file by file."""

from bluegreen_cdn.domain.manifest import Manifest, ReadableManifest
from bluegreen_cdn.errors import BuildConflict

_OTHER_RULES = "was published with other classification rules"


def check_same_build(existing: ReadableManifest, new: Manifest, *, any_rules: bool = False) -> bool:
    """Check that a build that exists is the one about to be published.

    Headers may differ: they are those of the version that published it, and stay.

    Args:
        existing: The build that exists.
        new: The one about to be published.
        any_rules: Whether it may have been published by other classification rules, for whoever heals it. Default: no.

    Returns:
        Whether it was.

    Raises:
        BuildConflict: It is another one.
    """
    difference = _difference(existing, new)
    other_rules = difference == _OTHER_RULES
    if difference and not (any_rules and other_rules):
        raise BuildConflict(
            f"build {new.build_id!r} exists, and {difference}; a build never changes once it is published: publish "
            f"this one under another build id"
        )
    return other_rules


def _difference(existing: ReadableManifest, new: Manifest) -> str | None:
    after = {file.path: file for file in new.files}
    removed, changed, other_keys = _Paths(), _Paths(), False
    for file in existing.files:
        counterpart = after.pop(file.path, None)
        if counterpart is None:
            removed.add(file.path)
        elif file.sha256 != counterpart.sha256:
            changed.add(file.path)
        else:
            other_keys = other_keys or file.key != counterpart.key
    if after or removed.count or changed.count:
        example = changed.first or min(after, default="") or removed.first
        return f"{changed.count} files differ, {len(after)} are new, {removed.count} are missing (such as {example!r})"
    if existing.mode != new.mode:
        return f"was published with mode {existing.mode!r}, not {new.mode!r}"
    if existing.rules != new.rules or other_keys:
        return _OTHER_RULES
    return None


class _Paths:
    """How many paths there were, and the first of them."""

    def __init__(self) -> None:
        self.count, self.first = 0, ""

    def add(self, path: str) -> None:
        self.first = self.first or path
        self.count += 1
