"""`bluegreen publish`: make a build exist, without letting anybody into it."""

from __future__ import annotations

import gc
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bluegreen_cdn.cli.targets import TARGET_HELP, named_targets, publish_targets
from bluegreen_cdn.defaults import BULK_UPLOAD_WORKERS, COLLECT_AFTER_OBJECTS, DEFAULT_DOCUMENT_MODE, DOCUMENT_MODES
from bluegreen_cdn.errors import InvalidInput, InvalidRules

if TYPE_CHECKING:
    from bluegreen_cdn.aws.site import DeployedSite
    from bluegreen_cdn.domain.classification import ClassificationRules
    from bluegreen_cdn.domain.header_rules import HeaderRules
    from bluegreen_cdn.publish.ports import BuildRegistry

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command()
@click.argument("build", type=click.Path(path_type=Path), metavar="DIR|ZIP|TAR")
@click.option("--site", help="Publish to this site; its bucket and KeyValueStore are looked up in us-east-1.")
@click.option(
    "--bucket",
    "buckets",
    multiple=True,
    metavar="[REGION=]NAME",
    help="Publish to this bucket instead; no KeyValueStore is told. May be repeated with --fan-out.",
)
@click.option("--region", help="The bucket's region, with one --bucket.  [default: the environment's]")
@click.option("--target", "targets", multiple=True, metavar="[NAME=]s3://BUCKET[?…]", help=TARGET_HELP)
@click.option("--fan-out", is_flag=True, help="Publish to every bucket, rather than leave it to S3's replication.")
@click.option("--build-id", help="The build's name, such as the commit.  [default: a digest of its content]")
@click.option("--rules", "rules_file", type=_FILE, help="Classification rules (JSON), the same as the site's.")
@click.option("--hashed", multiple=True, metavar="GLOB", help="Files that are hashed though the rules say no.")
@click.option("--unhashed", multiple=True, metavar="GLOB", help="Files that are not hashed though the rules say yes.")
@click.option("--entry", multiple=True, metavar="GLOB", help="Files beside *.html that follow the rollout.")
@click.option(
    "--mode",
    type=click.Choice(DOCUMENT_MODES),
    help=f"How documents are found.  [default: the site's, or {DEFAULT_DOCUMENT_MODE}]",
)
@click.option("--headers", "headers_file", type=_FILE, help="Header rules (JSON): caching, content types, more.")
@click.option("--source-maps", is_flag=True, help="Publish source maps too; everybody can read them.")
@click.option("--allow-missing", multiple=True, metavar="GLOB", help="Paths that documents lead to and others serve.")
@click.option(
    "--precompress/--no-precompress",
    default=None,
    help="Put brotli and gzip variants beside text files.  [default: as the site says; with --bucket, yes]",
)
@click.option(
    "--compression",
    type=click.Choice(["best", "fast"]),
    default="best",
    help="How hard to compress: fast takes a twentieth of the time for some 10 % more bytes.  [default: best]",
)
@click.option("--workers", type=click.IntRange(1, 256), default=BULK_UPLOAD_WORKERS, help="Threads that upload.")
@click.option("--dry-run", is_flag=True, help="Print the plan and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def publish(
    build: Path,
    site: str | None,
    buckets: tuple[str, ...],
    region: str | None,
    targets: tuple[str, ...],
    fan_out: bool,
    build_id: str | None,
    rules_file: Path | None,
    hashed: tuple[str, ...],
    unhashed: tuple[str, ...],
    entry: tuple[str, ...],
    mode: str | None,
    headers_file: Path | None,
    source_maps: bool,
    allow_missing: tuple[str, ...],
    precompress: bool | None,
    compression: str,
    workers: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Publish a build: the folder that your bundler wrote, or a zip or tar(.gz) of it.

    Nothing is overwritten and nothing is deleted; a publish that was interrupted is completed by repeating it.
    Visitors see nothing of it until the build is released.
    """
    from bluegreen_cdn.aws.targets import open_targets
    from bluegreen_cdn.cli.publish_progress import show_progress
    from bluegreen_cdn.cli.publish_text import (
        announce_compression,
        print_healing,
        print_plan,
        print_result,
        print_warnings,
    )
    from bluegreen_cdn.domain.healing import EdgeRules
    from bluegreen_cdn.publish.compress import Compression
    from bluegreen_cdn.publish.execute import execute
    from bluegreen_cdn.publish.fan_out_plan import open_everywhere, plan_targets
    from bluegreen_cdn.publish.heal import Healer
    from bluegreen_cdn.publish.publisher import plan_for
    from bluegreen_cdn.publish.source import open_source

    # A build is very many small objects without cycles: to look for some among them so often takes a tenth of the time.
    gc.set_threshold(COLLECT_AFTER_OBJECTS)
    if (site is None) == (not buckets) and (site or not targets):
        raise click.UsageError("pass either --site NAME or --bucket NAME (or --target, also beside --site)")
    named = named_targets(buckets, region, targets)
    if site is None:
        publish_targets(None, named, fan_out)
    with open_source(build) as source:
        rules = _rules(rules_file, hashed, unhashed, entry)
        headers = _headers(headers_file, source_maps)
        deployed = _deployed(site)
        rules, mode = _agreed(deployed, rules, mode)
        opened = open_targets(publish_targets(deployed, named, fan_out), connections=workers)
        store, several = opened[0].store, len(opened) > 1 or opened[0].probed
        where = ", ".join(target.place for target in opened)
        variants = _precompress(deployed, precompress)
        plan = plan_for(
            source,
            store,
            build_id=build_id,
            rules=rules,
            mode=mode,
            headers=headers,
            allow_missing=allow_missing,
            precompress=variants,
        )
        effort = Compression(compression)
        # One that exists by other rules, or without variants, is put where the edge looks.
        exists = [plan.manifest.build_id] if plan.published else []
        edge = EdgeRules(rules=plan.manifest.rules, precompress=variants)
        healers = [Healer(target.store, edge, workers=workers) for target in opened]
        print_warnings(plan)
        if dry_run:
            print_plan(plan, where, effort, as_json, plan_targets(plan, opened, workers=workers) if several else [])
            print_healing(healers[0].outlook(exists), as_json, dry_run=True)
            return
        announce_compression(plan, effort)
        everywhere = open_everywhere(plan, opened, workers=workers) if several else None
        with show_progress(plan, quiet=as_json, targets=len(opened)) as progress:
            result = execute(
                plan,
                source,
                everywhere or store,
                registry=_registry(deployed),
                progress=progress,
                workers=workers,
                compression=effort,
            )
        healed = [healer.heal(exists) for healer in healers]
    print_result(result, where, as_json, everywhere.to_json() if everywhere else [])
    print_healing(healed[0], as_json)


def _rules(
    file: Path | None, hashed: tuple[str, ...], unhashed: tuple[str, ...], entries: tuple[str, ...]
) -> ClassificationRules | None:
    """The rules that the options ask for; None if none do."""
    from bluegreen_cdn.domain.classification import ClassificationRules

    if not (file or hashed or unhashed or entries):
        return None
    rules = ClassificationRules.default()
    if file:
        try:
            rules = ClassificationRules.from_json(json.loads(file.read_text()))
        except (OSError, ValueError) as error:
            raise InvalidRules(f"rules file '{file}' cannot be read as JSON ({error})") from error
    return replace(
        rules,
        hashed=(*rules.hashed, *hashed),
        unhashed=(*rules.unhashed, *unhashed),
        entries=(*rules.entries, *entries),
    )


def _headers(file: Path | None, source_maps: bool) -> HeaderRules:
    from bluegreen_cdn.domain.header_rules import HeaderRules

    headers = HeaderRules()
    if file:
        try:
            headers = HeaderRules.from_json(json.loads(file.read_text()))
        except (OSError, ValueError) as error:
            raise InvalidRules(f"headers file '{file}' cannot be read as JSON ({error})") from error
    return replace(headers, source_maps=headers.source_maps or source_maps)


def _deployed(site: str | None) -> DeployedSite | None:
    from bluegreen_cdn.aws.site import find_site

    return find_site(site) if site else None


def _agreed(
    deployed: DeployedSite | None, rules: ClassificationRules | None, mode: str | None
) -> tuple[ClassificationRules | None, str]:
    """Rules and mode, which must be the edge's: it looks for files where its own rules say."""
    if deployed and deployed.rules and rules and rules != deployed.rules:
        raise InvalidInput(
            f"the rules asked for are not those of site {deployed.name!r}, whose edge would look for files elsewhere: "
            f"leave --rules, --hashed, --unhashed and --entry out, or deploy the site with these rules first"
        )
    if deployed and deployed.mode and mode and mode != deployed.mode:
        raise InvalidInput(f"mode {mode!r} is not that of site {deployed.name!r}, {deployed.mode!r}: leave --mode out")
    return rules or (deployed.rules if deployed else None), (
        mode or (deployed.mode if deployed else None) or DEFAULT_DOCUMENT_MODE
    )


def _precompress(deployed: DeployedSite | None, asked: bool | None) -> bool:
    """Whether to make variants, which must be as the edge has it: it asks for them, or never does."""
    if deployed is None:
        return asked is not False
    if asked is not None and asked != deployed.precompress:
        raise InvalidInput(
            f"--{'' if asked else 'no-'}precompress is not what the edge of site {deployed.name!r} does: leave it out, "
            f"or deploy the site with precompress={asked} first"
        )
    return deployed.precompress


def _registry(deployed: DeployedSite | None) -> BuildRegistry | None:
    from bluegreen_cdn.aws.key_value_store import CloudFrontKeyValueStore, KeyValueBuildRegistry

    return KeyValueBuildRegistry(CloudFrontKeyValueStore(deployed.key_value_store_arn)) if deployed else None
