"""A site as context values say it: what `app.py` reads from `cdk.json` and `cdk -c`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bluegreen_cdn import defaults
from bluegreen_cdn.constructs.beacon_firewall import BeaconRateLimit
from bluegreen_cdn.constructs.build import Build
from bluegreen_cdn.constructs.names import check_site_name
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.header_rules import HeaderRules
from bluegreen_cdn.domain.no_traffic import NoTraffic
from bluegreen_cdn.domain.regions import EDGE_REGION, check_regions
from bluegreen_cdn.domain.rollout import Rollout
from bluegreen_cdn.domain.verdict import Verdict
from bluegreen_cdn.errors import InvalidInput

LookUp = Callable[[str], Any]
"""The value of a context key, or None."""


@dataclass(frozen=True, kw_only=True)
class SiteContext:
    """Everything that context says of a site, checked.

    Attributes:
        name: The site's name (`site`).
        regions: us-east-1, then the replicas (`regions`; a list, or text with commas).
        build: What to release (`build`, a folder, and `build_id`; the id alone is a build that exists already). What
            its files are served with (`headers`, an object such as `{"presets": ["fonts"]}`), and which paths it may
            lead to without having them (`allow_missing`).
        rollout: How it is let in (`rollout`, such as `canary:10%:5m:bake=5m:holdout=5%`), and what becomes of it when
            too few have seen it (`on_no_traffic`: `promote`, `abort`, or `abort@100`).
        rules: The files' classification (`presets`, `hashed_folders`, `hashed`, `unhashed`, `entries`).
        mode: How a path becomes a document (`mode`).
        verdict: When a candidate is worse (`verdict_period_seconds`, `minimum_page_loads`,
            `minimum_stable_page_loads`, `z_threshold`; `slowdown`, `slowdown_ratio`, `slowdown_z_threshold`).
        smoke_fetch: Whether a candidate is fetched through the distribution first (`smoke_fetch`).
        dashboard: Whether there is one (`dashboard`).
        beacon_rate_limit: How many reports one address may send in five minutes (`beacon_rate_limit`); None for any.
        precompress: Whether text files get brotli and gzip variants, which the edge asks for (`precompress`).
        domain_names: The site's own (`domain_names`).
        certificate_arn: For them (`certificate_arn`).
    """

    name: str
    regions: tuple[str, ...]
    build: Build
    rollout: Rollout
    rules: ClassificationRules
    mode: str
    verdict: Verdict
    smoke_fetch: bool
    dashboard: bool
    beacon_rate_limit: BeaconRateLimit | None
    precompress: bool
    domain_names: tuple[str, ...]
    certificate_arn: str | None

    @classmethod
    def read(cls, look_up: LookUp) -> SiteContext:
        """Read and check the context.

        Args:
            look_up: Such as `app.node.try_get_context`.

        Raises:
            InvalidInput: A value is missing or not acceptable; the message names it and the mend.
        """
        return cls(
            name=check_site_name(_text(look_up, "site", "site")),
            regions=check_regions(_list(look_up, "regions") or (EDGE_REGION,)),
            rollout=_rollout(look_up),
            rules=_rules(look_up),
            mode=_text(look_up, "mode", defaults.DEFAULT_DOCUMENT_MODE),
            verdict=_verdict(look_up),
            smoke_fetch=_switch(look_up, "smoke_fetch", True),
            dashboard=_switch(look_up, "dashboard", True),
            beacon_rate_limit=_beacon_rate_limit(look_up),
            precompress=_switch(look_up, "precompress", True),
            domain_names=_list(look_up, "domain_names"),
            certificate_arn=_optional_text(look_up, "certificate_arn"),
            build=_build(look_up),
        )


def _build(look_up: LookUp) -> Build:
    folder, build_id = _optional_text(look_up, "build"), _optional_text(look_up, "build_id")
    if folder is not None:
        return Build.folder(
            folder, build_id=build_id, headers=_headers(look_up), allow_missing=_list(look_up, "allow_missing")
        )
    if build_id is None:
        raise InvalidInput(
            "there is no build to release; pass -c build=<folder that your bundler wrote>, "
            "or -c build_id=<id> of a build that has been published"
        )
    return Build.published(build_id)


def _rollout(look_up: LookUp) -> Rollout:
    text, no_traffic = _optional_text(look_up, "rollout"), _optional_text(look_up, "on_no_traffic")
    rollout = Rollout.canary() if text is None else Rollout.parse(text)
    return rollout if no_traffic is None else replace(rollout, on_no_traffic=NoTraffic.parse(no_traffic))


def _rules(look_up: LookUp) -> ClassificationRules:
    presets = _list(look_up, "presets")
    rules = ClassificationRules.preset(*presets) if presets else ClassificationRules.default()
    return ClassificationRules(
        hashed_folders=rules.hashed_folders + _list(look_up, "hashed_folders"),
        hashed=rules.hashed + _list(look_up, "hashed"),
        unhashed=rules.unhashed + _list(look_up, "unhashed"),
        entries=rules.entries + _list(look_up, "entries"),
    )


def _headers(look_up: LookUp) -> HeaderRules:
    """An object from `cdk.json`, or its JSON from the command line."""
    value = look_up("headers")
    if isinstance(value, str) and value:
        try:
            value = json.loads(value)
        except ValueError as error:
            raise InvalidInput(f"context 'headers' is {value!r}, which is not JSON ({error})") from error
    return HeaderRules.from_json(value) if value else HeaderRules()


def _verdict(look_up: LookUp) -> Verdict:
    return Verdict(
        period_seconds=_whole(look_up, "verdict_period_seconds", defaults.VERDICT_PERIOD_SECONDS),
        minimum_page_loads=_whole(look_up, "minimum_page_loads", defaults.VERDICT_MINIMUM_PAGE_LOADS),
        minimum_stable_page_loads=_whole(
            look_up, "minimum_stable_page_loads", defaults.VERDICT_MINIMUM_STABLE_PAGE_LOADS
        ),
        z_threshold=_number(look_up, "z_threshold", defaults.VERDICT_Z_THRESHOLD),
        slowdown=_switch(look_up, "slowdown", True),
        slowdown_ratio=_number(look_up, "slowdown_ratio", defaults.SLOWDOWN_RATIO),
        slowdown_z_threshold=_number(look_up, "slowdown_z_threshold", defaults.SLOWDOWN_Z_THRESHOLD),
    )


def _optional_text(look_up: LookUp, key: str) -> str | None:
    value = look_up(key)
    if value is not None and not isinstance(value, str):
        raise InvalidInput(f"context {key!r} is {value!r}; it must be text")
    return value or None


def _text(look_up: LookUp, key: str, default: str) -> str:
    value = _optional_text(look_up, key)
    return default if value is None else value


def _beacon_rate_limit(look_up: LookUp) -> BeaconRateLimit | None:
    if look_up("beacon_rate_limit") is None:
        return None
    return BeaconRateLimit(requests=_whole(look_up, "beacon_rate_limit", defaults.BEACON_LIMIT_REQUESTS))


def _list(look_up: LookUp, key: str) -> tuple[str, ...]:
    """A list from `cdk.json`; text from the command line, as JSON or with commas."""
    value = look_up(key)
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.lstrip().startswith("[") else value.split(",")
        except ValueError as error:
            raise InvalidInput(f"context {key!r} is {value!r}, which is not JSON ({error})") from error
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidInput(f"context {key!r} is {value!r}; it must be a list of texts, or text with commas")
    return tuple(item.strip() for item in value if item.strip())


def _switch(look_up: LookUp, key: str, default: bool) -> bool:
    """A boolean from `cdk.json`; `true` or `false` from the command line."""
    value = look_up(key)
    if value is None:
        return default
    known = {True: True, False: False, "true": True, "false": False}
    if not isinstance(value, bool | str) or value not in known:
        raise InvalidInput(f"context {key!r} is {value!r}; it must be true or false")
    return known[value]


def _number(look_up: LookUp, key: str, default: float) -> float:
    value = look_up(key)
    if value is None:
        return default
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number < float("inf"):
        raise InvalidInput(f"context {key!r} is {value!r}; it must be a number, not negative")
    return number


def _whole(look_up: LookUp, key: str, default: int) -> int:
    number = _number(look_up, key, default)
    if number < 1 or number % 1:
        raise InvalidInput(f"context {key!r} is {look_up(key)!r}; it must be a whole number from 1")
    return int(number)
