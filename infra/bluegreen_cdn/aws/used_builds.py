"""Which builds a site uses: what the routing state, the alias, the pin and the function's versions say."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bluegreen_cdn import defaults
from bluegreen_cdn.aws.key_value_store import KeyValueBuildRegistry, build_key
from bluegreen_cdn.aws.ports import KeyValueStore
from bluegreen_cdn.aws.session import client, translate_errors
from bluegreen_cdn.domain.control import ControlState
from bluegreen_cdn.domain.retention import InUse
from bluegreen_cdn.domain.routing import RoutingState, is_build_id
from bluegreen_cdn.errors import PreconditionFailed, ReleaseError


class FunctionVersions:
    """The release function's versions and its alias, as builds.

    Args:
        function: Name of the release function.
        alias: Name of its alias.
        region: Where they are. Default: what the environment says.
        aws_lambda: A client to use instead of a new one. Default: a new one.
    """

    def __init__(self, function: str, alias: str, region: str | None = None, *, aws_lambda: Any | None = None) -> None:
        self._function, self._alias = function, alias
        self._lambda = aws_lambda or client("lambda", region)

    def builds(self) -> tuple[frozenset[str], frozenset[str]]:
        """The builds on the alias, and those of all versions.

        Raises:
            NotFound: There is no alias.
            ReleaseError: The alias has a version that names no build.
        """
        by_version = dict(self._versions())
        with translate_errors("lambda", "GetAlias", f"{self._function}:{self._alias}"):
            answer = self._lambda.get_alias(FunctionName=self._function, Name=self._alias)
        weights = (answer.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        live = set()
        for version in (answer["FunctionVersion"], *weights):
            build = by_version.get(version)
            if build is None:
                raise ReleaseError(
                    f"version {version} of {self._function} is on alias {self._alias} and names no build, so nobody "
                    f"can say what is live: deploy the site's stack again"
                )
            live.add(build)
        return frozenset(live), frozenset(by_version.values())

    def _versions(self) -> Iterator[tuple[str, str]]:
        with translate_errors("lambda", "ListVersionsByFunction", self._function):
            pages = self._lambda.get_paginator("list_versions_by_function").paginate(FunctionName=self._function)
            for page in pages:
                for version in page["Versions"]:
                    build = version.get("Environment", {}).get("Variables", {}).get("BUILD_ID", "")
                    if version["Version"] != "$LATEST" and is_build_id(build):
                        yield version["Version"], build


def served_builds(store: KeyValueStore) -> tuple[str, ...]:
    """The builds that the edge may serve, sorted: those of the routing state and the pin, and every retained one.

    Raises:
        UnsupportedFormat: A newer version of this package wrote the state.
        ForeignState: It is not ours.
    """
    seen = store.read(defaults.ROUTING_KEY, defaults.CONTROL_KEY).values
    builds = {key.removeprefix(defaults.BUILD_KEY_PREFIX) for key in store.keys(defaults.BUILD_KEY_PREFIX)}
    return tuple(sorted({build for build in builds if is_build_id(build)} | _in_state(seen)))


def _in_state(seen: Mapping[str, str | None]) -> set[str]:
    """Stable, candidate and channels of the routing state, and the pin."""
    routing, control = seen[defaults.ROUTING_KEY], seen[defaults.CONTROL_KEY]
    live: set[str] = set()
    if routing is not None:
        state = RoutingState.from_json(routing)
        live = {state.stable, *state.channels.values()}
        if state.candidate is not None:
            live.add(state.candidate)
    pin = ControlState.from_json(control).pin if control is not None else None
    if pin is not None:
        live.add(pin.build)
    return live


class SiteBuilds:
    """The real `bluegreen_cdn.publish.collect_ports.UsedBuilds`.

    Args:
        store: The site's KeyValueStore.
        versions: The release function's versions.
    """

    def __init__(self, store: KeyValueStore, versions: FunctionVersions) -> None:
        self._store, self._versions = store, versions
        self._registry = KeyValueBuildRegistry(store)

    def in_use(self) -> InUse:
        """Both sides of the alias, stable, candidate and channels of the routing state, the pin; rollback targets."""
        seen = self._store.read(defaults.ROUTING_KEY, defaults.CONTROL_KEY).values
        if seen[defaults.ROUTING_KEY] is None:
            raise ReleaseError(
                "the routing state has not been seeded, so nobody can say what is live; deploy the site's stack again"
            )
        live = _in_state(seen)
        on_alias, versions = self._versions.builds()
        return InUse(live=frozenset(live | on_alias), rollback_targets=versions)

    def retain(self, build_id: str) -> None:
        """Make a build one that the edge may serve."""
        self._registry.retain(build_id)

    def forget(self, build_ids: Sequence[str]) -> None:
        """Take the keys of builds out of the store, some at a time."""
        for start in range(0, len(build_ids), defaults.KVS_BATCH_KEYS):
            keys = [build_key(build) for build in build_ids[start : start + defaults.KVS_BATCH_KEYS]]
            self._forget(keys)

    def _forget(self, keys: Sequence[str]) -> None:
        for attempt in range(1, defaults.CONFLICT_ATTEMPTS + 1):
            seen = self._store.read(*keys)
            there = [key for key in keys if seen.values[key] is not None]
            if not there:
                return
            try:
                self._store.update({}, etag=seen.etag, deletes=there)
            except PreconditionFailed:
                if attempt == defaults.CONFLICT_ATTEMPTS:
                    raise
            else:
                return
