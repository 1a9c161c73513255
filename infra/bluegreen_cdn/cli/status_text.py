"""A site's status in words: pairs of label and text, the same for a table and for plain lines."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bluegreen_cdn.domain.status import BuildStatus, SiteStatus
    from bluegreen_cdn.domain.status_rates import ErrorRate


def status_lines(status: SiteStatus) -> list[tuple[str, str]]:
    """Everything there is to say, in the order in which an operator asks."""
    seen, routing, control = status.seen, status.seen.routing, status.seen.control
    lines = [("stable", routing.stable), ("candidate", _candidate(status)), ("alias", _alias(status))]
    if control.pin is not None:
        lines.append(("pin", f"{control.pin.build}, until a later release succeeds or `bluegreen unpin`"))
    lines += [("latch", f"{latch.build} taken out in deployment {latch.deployment}") for latch in control.latches]
    running = seen.running
    if running is None:
        lines.append(("deployment", "none in progress"))
    else:
        what = "rollback" if running.is_rollback else "release"
        lines.append(("deployment", f"{running.id}: {what} of {running.target}, from {running.previous}"))
        lines.append(("next", status.next or ""))
    lines.append(("alarms", ", ".join(alarm.name for alarm in seen.alarms) or "quiet"))
    lines += [("alarm missing", f"{name}: deploy the site's stack again") for name in status.missing_alarms]
    lines += [("control plane", f"{name} is on") for name in status.own_alarms]
    for role, rate in sorted(status.rates.items()):
        lines.append((f"{role} errors", rate_text(rate, status.window_seconds)))
    if status.outcome is not None:
        outcome = status.outcome
        lines.append(("last release", f"{time_text(outcome.at)} {outcome.kind.value}: {outcome.reason}"))
    lines += [("drift", text) for text in status.drift]
    if routing.regions_out:
        lines.append(("regions out", ", ".join(routing.regions_out)))
    lines += [(f"build {build.build}", build_text(build)) for build in status.builds]
    return lines


def rate_text(rate: ErrorRate, window_seconds: int) -> str:
    """An error rate with its interval."""
    window = f"last {window_seconds // 60} min"
    if rate.rate is None:
        return f"no page loads in the {window}"
    low, high = rate.interval
    return (
        f"{100 * rate.rate:.1f} % ({100 * low:.1f} to {100 * high:.1f}), {rate.bad} of {rate.page_loads} page loads "
        f"in the {window}"
    )


def build_text(build: BuildStatus) -> str:
    """What a build is."""
    words = [build.role if build.role != "other" else "not let in"]
    words += ["pinned"] * build.pinned + ["taken out"] * build.latched
    if not build.retained:
        words.append("not kept at the edge")
    if build.missing_regions:
        words.append(f"not in {', '.join(build.missing_regions)}")
    return ", ".join(words)


def time_text(epoch: float) -> str:
    """A moment, in UTC, to the second."""
    return datetime.datetime.fromtimestamp(int(epoch), datetime.UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def duration_text(seconds: float) -> str:
    """A duration, as short as it can be said."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _candidate(status: SiteStatus) -> str:
    routing = status.seen.routing
    if routing.candidate is None:
        return "none"
    ceiling = 10_000 - routing.holdout
    held = f" (less {routing.holdout / 100:g} % held out)" if routing.weight > ceiling else ""
    return f"{routing.candidate} at {routing.weight / 100:g} %{held}"


def _alias(status: SiteStatus) -> str:
    alias = status.seen.alias
    if alias.additional is None:
        return alias.primary
    return f"{alias.primary}, {alias.additional} at {alias.additional_weight / 100:g} %"
