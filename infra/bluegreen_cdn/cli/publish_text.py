"""What `bluegreen publish` says before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from bluegreen_cdn.cli.console import print_json, print_json_pieces
from bluegreen_cdn.cli.publish_progress import size_text
from bluegreen_cdn.cli.status_text import duration_text
from bluegreen_cdn.cli.targets import print_sent, print_target_plans
from bluegreen_cdn.defaults import COMPRESS_NOTICE_SECONDS
from bluegreen_cdn.publish.compress import Compression, processors
from bluegreen_cdn.publish.execute import PublishResult
from bluegreen_cdn.publish.fan_out_plan import TargetPlan
from bluegreen_cdn.publish.heal import HealedBuild
from bluegreen_cdn.publish.plan import PublishPlan


def announce_compression(plan: PublishPlan, effort: Compression) -> None:
    """Say beforehand how long compression will take, if it is worth saying."""
    seconds = _compression_seconds(plan, effort)
    if not plan.compressions or seconds < COMPRESS_NOTICE_SECONDS:
        return
    cores = processors()
    offer = ""
    if effort is Compression.BEST:
        fast = _compression_seconds(plan, Compression.FAST)
        offer = f"; --compression fast takes about {duration_text(fast)}, for some 10 % more bytes"
    click.echo(
        f"compressing {len(plan.compressions)} files ({size_text(plan.compress_bytes)}) will take about "
        f"{duration_text(seconds)} on {cores} core{'s' if cores > 1 else ''}{offer}; what is compressed now is never "
        f"compressed again",
        err=True,
    )


def _compression_seconds(plan: PublishPlan, effort: Compression) -> float:
    return effort.seconds((one.size for one in plan.compressions), processors())


def print_plan(
    plan: PublishPlan, where: str, effort: Compression, as_json: bool, targets: Sequence[TargetPlan]
) -> None:
    """Print what a publish would do."""
    if as_json:
        print_json_pieces(
            {
                **plan.summary(),
                "compress_seconds": round(_compression_seconds(plan, effort), 1),
                "uploads": (upload.to_json() for upload in plan.uploads),
                "copies": (copy.to_json() for copy in plan.copies),
                "reuses": (reuse.to_json() for reuse in plan.reuses),
                "warnings": list(plan.warnings),
                **({"targets": [target.to_json() for target in targets]} if targets else {}),
            }
        )
        return
    for upload in sorted(plan.uploads, key=lambda upload: upload.file.path):
        again = upload.key in plan.condemned
        click.echo(
            f"{'again' if again else 'upload':<7} {size_text(upload.size):>9}  {upload.file.path} -> {upload.key}"
            f"{' (retention has condemned it)' if again else ''}"
        )
    for copy in plan.copies:
        click.echo(
            f"copy    {size_text(copy.upload.size):>9}  {copy.upload.file.path} -> {copy.upload.key} "
            f"(from {copy.source_key})"
        )
    for reuse in plan.reuses:
        click.echo(f"reuse   {size_text(reuse.size):>9}  {reuse.path} -> {reuse.key} (of build {reuse.build_id})")
    for one in sorted(plan.variants, key=lambda one: one.file.path):
        how = " (taken from an earlier build)" if one.is_known else ""
        click.echo(f"compress{size_text(one.size):>10}  {one.file.path} -> {one.file.key}.br, .gz{how}")
    reused = sum(reuse.size for reuse in plan.reuses)
    print_target_plans(targets)
    state = "is published already: nothing to do" if plan.published else "would be published"
    if plan.revives:
        state = "is published already and would be put again, because retention has condemned it,"
    click.echo(
        f"build {plan.manifest.build_id} {state} in {where}: {len(plan.uploads)} files to upload "
        f"({size_text(plan.upload_bytes)}), {len(plan.copies)} to copy on the server ({size_text(plan.copy_bytes)}), "
        f"{len(plan.reuses)} to reuse ({size_text(reused)}){_to_compress(plan, effort)}"
    )


def print_healing(builds: Sequence[HealedBuild], as_json: bool, *, dry_run: bool = False) -> None:
    """Say what becomes of a build that exists by other rules; not in JSON, which is one object."""
    for build in [] if as_json else builds:
        examples = ", ".join(build.examples)
        click.echo(
            f"build {build.build_id} exists by other rules, or without variants; {'to be ' if dry_run else ''}put "
            f"where the edge looks: {build.files} files, compressed: {build.compressed} (such as {examples})"
        )


def _to_compress(plan: PublishPlan, effort: Compression) -> str:
    if not plan.compressions:
        return ""
    seconds = duration_text(_compression_seconds(plan, effort))
    return f", {len(plan.compressions)} to compress ({size_text(plan.compress_bytes)}, about {seconds})"


def print_warnings(plan: PublishPlan) -> None:
    """Print what the publisher should know."""
    for warning in plan.warnings:
        click.echo(f"warning: {warning}", err=True)


def print_result(result: PublishResult, where: str, as_json: bool, sent: Sequence[dict[str, Any]]) -> None:
    """Print what a publish did."""
    if as_json:
        print_json({**result.to_json(), **({"targets": sent} if sent else {})})
        return
    if result.revived:
        click.echo(
            f"build {result.build_id} was published in {where} already, and retention had condemned it: its manifest "
            f"and {result.uploaded_files} files ({size_text(result.uploaded_bytes)}) are put again and stay"
        )
    elif result.already_published:
        filled = any(one["files"] for one in sent)
        todo = "and was brought to those that lacked it:" if filled else "already: nothing to do"
        click.echo(f"build {result.build_id} was published in {where} {todo}")
        sent = sent if filled else []
    else:
        copied = f", {result.copied_files} copied ({size_text(result.copied_bytes)})" if result.copied_files else ""
        click.echo(
            f"build {result.build_id} is published in {where}: {result.uploaded_files} files uploaded "
            f"({size_text(result.uploaded_bytes)}){copied}, {result.found_files} found in place, "
            f"{result.reused_files} reused"
        )
        if result.text_bytes:
            click.echo(
                f"its text has {size_text(result.text_bytes)}, {_share(result.br_bytes, result.text_bytes)} in brotli, "
                f"{_share(result.gzip_bytes, result.text_bytes)} in gzip; compressed just now: "
                f"{result.compressed_files} files ({size_text(result.compressed_bytes)})"
            )
    print_sent(sent)


def _share(size: int, whole: int) -> str:
    return f"{size_text(size)} ({size / whole - 1:+.0%})"
