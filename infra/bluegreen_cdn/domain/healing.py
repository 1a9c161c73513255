"""Where an edge with other rules looks for the files of builds that are already published: pure.

An edge asks for `shared/<path>` or for a build's own `builds/<id>/<path>` by its rules, and for variants if the site is
precompressed. When either changes, the files of builds that visitors may still have open are first put where it will
look; where they are, they stay. What was put is written down in a *supplement* of the build's manifest, so that it is
verified and removed with the build.

A file that no longer counts as hashed is asked for as one of the build of the visitor's last document, which may be
another than that of the page. So every build gets those that it has not, as the page found them until now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from bluegreen_cdn.defaults import IMMUTABLE_CACHE_CONTROL, REVALIDATE_CACHE_CONTROL
from bluegreen_cdn.domain.classification import CacheClass, ClassificationRules
from bluegreen_cdn.domain.encodings import ENCODINGS, is_compressible, variant_key
from bluegreen_cdn.domain.manifest import ManifestFile, object_key
from bluegreen_cdn.errors import SharedFileConflict


@dataclass(frozen=True, kw_only=True)
class EdgeRules:
    """What decides where an edge looks for a file.

    Attributes:
        rules: The classification.
        precompress: Whether it asks for precompressed variants.
    """

    rules: ClassificationRules
    precompress: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Healing:
    """A file that has to be put elsewhere, too, or that needs variants.

    Attributes:
        source: The file as a manifest has it: where the bytes are.
        wanted: The file as the edge will look for it, with those of its variants that can be copied.
        compress: The encodings that nobody has made yet.
    """

    source: ManifestFile
    wanted: ManifestFile
    compress: tuple[str, ...]

    @property
    def moves(self) -> bool:
        """Whether the file itself is wanted at another key."""
        return self.wanted.key != self.source.key

    def keys(self) -> Iterator[str]:
        """The keys that are wanted and that the manifest does not name."""
        if self.moves:
            yield self.wanted.key
            yield from self.wanted.variant_keys()
        for encoding in self.compress:
            yield variant_key(self.wanted.key, encoding)


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What the builds that are looked after have to do with each other.

    Attributes:
        unshared: The files that no longer count as hashed, by path.
    """

    unshared: dict[str, ManifestFile] = field(default_factory=dict)


def survey(builds: Iterable[tuple[str, Iterable[ManifestFile]]], edge: EdgeRules) -> Survey:
    """Look at all builds that are to be healed.

    Args:
        builds: Each with its files.
        edge: What will be in force.

    Raises:
        SharedFileConflict: Two builds have other bytes under a name that will count as hashed.
    """
    unshared: dict[str, ManifestFile] = {}
    newly_shared: dict[str, tuple[str, str]] = {}
    for build_id, files in builds:
        for file in files:
            will_be = edge.rules.classify(file.path)
            if (file.cache_class is CacheClass.SHARED) == (will_be is CacheClass.SHARED):
                continue
            if will_be is not CacheClass.SHARED:
                unshared.setdefault(file.path, file)
                continue
            digest, owner = newly_shared.setdefault(file.path, (file.sha256, build_id))
            if digest != file.sha256:
                raise healing_conflict(
                    file, build_id, edge.rules, there=digest, where=f"build {owner!r}", remedy="the older build"
                )
    return Survey(unshared=unshared)


def healings(
    build_id: str, files: Iterable[ManifestFile], edge: EdgeRules, surveyed: Survey | None = None
) -> Iterator[Healing]:
    """What has to be done for one build.

    Args:
        build_id: The build.
        files: Those of its manifest.
        edge: What will be in force.
        surveyed: What the other builds have that this one may be asked for. Default: nothing.
    """
    others = dict(surveyed.unshared) if surveyed is not None else {}
    for file in files:
        others.pop(file.path, None)
        healing = heal_file(file, build_id, edge)
        if healing is not None:
            yield healing
    for path in sorted(others):
        # One of the other builds', so its key is never the one that it has.
        healing = heal_file(others[path], build_id, edge)
        if healing is not None:
            yield healing


def heal_file(file: ManifestFile, build_id: str, edge: EdgeRules) -> Healing | None:
    """What has to be done so that the edge finds a file; None if nothing has to be."""
    will_be = edge.rules.classify(file.path)
    key = object_key(build_id, file.path, will_be)
    wanted = ENCODINGS if edge.precompress and is_compressible(file.path) else ()
    there = {variant.encoding: variant for variant in file.encodings}
    compress = tuple(encoding for encoding in wanted if encoding not in there)
    if key == file.key and not compress:
        return None
    return Healing(
        source=file,
        wanted=replace(
            file,
            key=key,
            cache_class=will_be,
            cache_control=_cache_control(file, will_be),
            encodings=tuple(there[encoding] for encoding in wanted if encoding in there),
        ),
        compress=compress,
    )


def unhealed(
    build_id: str, files: Iterable[ManifestFile], supplement: Iterable[ManifestFile], edge: EdgeRules
) -> Iterator[str]:
    """The paths of a build that an edge would look for in vain: whoever serves the build must refuse if there is one.

    Args:
        build_id: The build.
        files: Those of its manifest.
        supplement: Those of its supplements.
        edge: What is in force.
    """
    put = {key for file in supplement for key in (file.key, *file.variant_keys())}
    for healing in healings(build_id, files, edge):
        if not put.issuperset(healing.keys()):
            yield healing.source.path


def healing_conflict(
    file: ManifestFile, build_id: str, rules: ClassificationRules, *, there: str, where: str, remedy: str
) -> SharedFileConflict:
    """The error for a file that new rules take for hashed, while its name exists with other bytes."""
    reason = _reason(file.path, rules)
    return SharedFileConflict(
        f"file {file.path!r} of build {build_id!r} would count as hashed by the new rules ({reason}), and {where} "
        f"has it with other bytes (sha256 {there} instead of {file.sha256}): its name does not follow its "
        f"content; keep it out of them with unhashed=[{file.path!r}] (--unhashed {file.path!r}), or let retention "
        f"remove {remedy} first (bluegreen gc)"
    )


def _cache_control(file: ManifestFile, will_be: CacheClass) -> str:
    """What a rule of the user's own said stays, unless it lets browsers keep what must be asked for again."""
    if will_be is CacheClass.SHARED:
        return IMMUTABLE_CACHE_CONTROL if file.cache_control == REVALIDATE_CACHE_CONTROL else file.cache_control
    was_shared = file.cache_class is CacheClass.SHARED
    return REVALIDATE_CACHE_CONTROL if was_shared or will_be is CacheClass.ENTRY else file.cache_control


def _reason(path: str, rules: ClassificationRules) -> str:
    for glob in rules.hashed:
        only = ClassificationRules(hashed_folders=(), hashed=(glob,))
        if only.classify(path) is CacheClass.SHARED:
            return f"hashed {glob!r}"
    folder = next((folder for folder in rules.hashed_folders if path.startswith(folder)), "")
    return f"a name with a hash in the hashed folder {folder!r}"
