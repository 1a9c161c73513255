"""Check that a build has everything its documents lead to, before anything of it is published."""

from collections.abc import Callable, Iterable, Sequence

from bluegreen_cdn.defaults import MISSING_TARGETS_LISTED, SCAN_MAXIMUM_BYTES
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.closure import Closure, Dangling, Settled, find_closure
from bluegreen_cdn.domain.references import text_of
from bluegreen_cdn.domain.requests import DocumentMode
from bluegreen_cdn.errors import IncompleteBuild
from bluegreen_cdn.publish.source import Source, SourceFile


def check_closure(
    source: Source,
    listing: Sequence[SourceFile],
    *,
    rules: ClassificationRules,
    mode: str,
    build_id: str | None = None,
    allow_missing: Iterable[str] = (),
    known: Callable[[SourceFile], Settled | None] | None = None,
) -> Closure:
    """Follow every reference of a build's documents.

    Args:
        source: The build.
        listing: Its files, as far as they are published.
        rules: Classification rules, the same as the edge's.
        mode: How documents are found: `spa`, `directory` or `html`.
        build_id: The build's name, under which it may refer to itself as `/builds/<id>/…`. Default: it has none.
        allow_missing: Globs of paths that may be missing. Default: none.
        known: What a file refers to, if that is known; see `find_closure`. Default: of none it is known.

    Raises:
        IncompleteBuild: Something is missing; the message has every referrer and target, up to a limit.
        FileChanged: A file of the build was written to meanwhile.
    """
    files = {file.path: file for file in listing}
    closure = find_closure(
        files.keys(),
        lambda path: _text(source, files[path]),
        rules=rules,
        mode=DocumentMode.parse(mode),
        build_id=build_id,
        allow_missing=allow_missing,
        known=None if known is None else lambda path: known(files[path]),
    )
    if closure.missing:
        raise IncompleteBuild(_incomplete(source.name, closure.missing))
    return closure


def closure_warnings(closure: Closure) -> tuple[str, ...]:
    """A line for each target that the edge looks for elsewhere than in the build, and for each file not read."""
    elsewhere = (
        f"{_referred(target, referrers)}: the edge does not look for '/{path}' in this build, visitors will not find it"
        for path, target, referrers in _by_path(closure.elsewhere)
    )
    unread = (
        f"{path!r} is longer than {SCAN_MAXIMUM_BYTES} bytes: what it refers to was not looked for"
        for path in closure.unread
    )
    return (*elsewhere, *unread)


def _text(source: Source, file: SourceFile) -> str | None:
    if file.size > SCAN_MAXIMUM_BYTES:
        return None
    with source.open(file) as stream:
        # One request of the system where asking for all would take four.
        data = stream.read(file.size + 1)
        if len(data) < file.size:
            data += stream.read()
    return text_of(data)


def _incomplete(source: str, missing: Sequence[Dangling]) -> str:
    targets = _by_path(missing)
    lines = [f"  {path!r}: {_referred(target, referrers)}" for path, target, referrers in targets]
    if len(lines) > MISSING_TARGETS_LISTED:
        left_out = len(lines) - MISSING_TARGETS_LISTED
        lines = [*lines[:MISSING_TARGETS_LISTED], f"  and {left_out} more"]
    noun = "file is" if len(targets) == 1 else "files are"
    return (
        f"{source} leads visitors to what it does not have, {len(targets)} {noun} missing:\n"
        + ";\n".join(lines)  # CloudFormation makes one line of it
        + ";\nbuild again so that they are in it, mend the references, or name what something else serves with "
        "--allow-missing GLOB"
    )


def _by_path(dangling: Iterable[Dangling]) -> list[tuple[str, str, list[str]]]:
    """Path, the target of the first reference to it, and all files that refer to it; sorted by path."""
    found: dict[str, tuple[str, dict[str, None]]] = {}
    for one in dangling:
        found.setdefault(one.path, (one.target, {}))[1][one.referrer] = None
    return sorted((path, target, list(referrers)) for path, (target, referrers) in found.items())


def _referred(target: str, referrers: Sequence[str]) -> str:
    others = f" and {len(referrers) - 1} more" if len(referrers) > 1 else ""
    return f"{target[:200]!r} in {referrers[0]!r}{others}"
