"""The smoke fetch: what a candidate's visitors will ask for, asked for at weight 0 through the distribution itself.

A preview's cookie opens the candidate to these requests alone. They run no scripts, so they count as no page loads.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from bluegreen_cdn import defaults
from bluegreen_cdn.domain.classification import CacheClass
from bluegreen_cdn.domain.manifest import ManifestFile, manifest_key
from bluegreen_cdn.domain.manifest_stream import ManifestStream
from bluegreen_cdn.domain.requests import DocumentMode
from bluegreen_cdn.domain.smoke import Probe, judge, probes, select
from bluegreen_cdn.domain.tokens import TokenPurpose, sign_token
from bluegreen_cdn.errors import CloudError, ReleaseError, VerificationFailed
from bluegreen_cdn.handlers.journal import log
from bluegreen_cdn.handlers.settings import Cloud
from bluegreen_cdn.publish.collect_keys import supplement_files
from bluegreen_cdn.publish.parallel import for_each

_NAMED_IN_MESSAGE = 3
_TOKEN_SECONDS = 3600


@dataclass
class _Pass:
    """One round of requests.

    Attributes:
        asked: How many were answered, rightly or not.
        wrong: What was wrong with which.
        left_out: Whether the time was over, or too much was wrong, before all had been asked.
    """

    asked: int = 0
    wrong: list[tuple[Probe, str]] = field(default_factory=list)
    left_out: bool = False


def smoke_fetch(here: Cloud, build: str, wait: Callable[[], bool], seconds_left: Callable[[], float]) -> None:
    """Fetch a build through the distribution, and again what came wrong, until it comes right or time is over.

    Args:
        here: The cloud.
        build: The candidate, which every replica has.
        wait: Pauses before another try; False when there is no time for one.
        seconds_left: How long the function may still run.

    Raises:
        VerificationFailed: Something does not come as it was published; the message names it.
        ReleaseError: The site has no secret to sign with.
        CloudError: The primary bucket or the KeyValueStore refused.
    """
    again: Sequence[Probe] | None = None
    while True:
        done = _ask(here, build, again, min(defaults.SMOKE_SECONDS, seconds_left() - defaults.SMOKE_TIMEOUT_SECONDS))
        if not done.asked:
            raise VerificationFailed(
                f"build {build} could not be fetched through the distribution: no time was left after the wait for its "
                f"replicas; deploy again"
            )
        if not done.wrong:
            log("smoke fetch went well", build=build, requests=done.asked, left_out=done.left_out)
            return
        if not wait():
            raise VerificationFailed(_message(here, build, done))
        log(
            "smoke fetch went wrong", build=build, requests=done.asked, wrong=len(done.wrong), why=_named(here, done)[0]
        )
        again = None if done.left_out else [probe for probe, _ in done.wrong]


def _ask(here: Cloud, build: str, again: Sequence[Probe] | None, seconds: float) -> _Pass:
    done, lock = _Pass(), threading.Lock()
    end = here.clock.now() + seconds
    cookie = f"{defaults.PREVIEW_COOKIE}={_token(here, build)}"

    def remaining() -> Iterator[Probe]:
        for probe in again if again is not None else _probes(here, build):
            if len(done.wrong) >= defaults.SMOKE_FAULTS or here.clock.now() > end:
                done.left_out = True
                return
            yield probe

    def ask(probe: Probe) -> None:
        headers = {**probe.headers, "accept-encoding": probe.encoding, "cookie": cookie, "user-agent": "bluegreen-cdn"}
        try:
            wrong = judge(probe, here.edge.fetch(probe.method, probe.uri, headers), build)
        except CloudError as error:
            wrong = str(error)
        with lock:
            done.asked += 1
            if wrong is not None:
                done.wrong.append((probe, wrong))

    for_each(ask, remaining(), workers=defaults.SMOKE_WORKERS)
    return done


def _token(here: Cloud, build: str) -> str:
    secret = here.store.read(defaults.SECRET_KEY).values[defaults.SECRET_KEY]
    if secret is None:
        raise ReleaseError(f"site {here.settings.site!r} has no secret to sign previews with; deploy its stack again")
    return sign_token(secret, build, purpose=TokenPurpose.PREVIEW, expires=int(here.clock.now()) + _TOKEN_SECONDS)


def _probes(here: Cloud, build: str) -> Iterator[Probe]:
    primary, key = next(iter(here.buckets.values())), manifest_key(build)
    entries = others = 0
    for file in ManifestStream.open(primary.lines(key), build).files:
        entries += file.cache_class is CacheClass.ENTRY
        others += file.cache_class is not CacheClass.ENTRY
    manifest = ManifestStream.open(primary.lines(key), build)
    healed: dict[str, list[ManifestFile]] = {}
    for file in supplement_files(primary, build):
        healed.setdefault(file.path, []).append(file)
    for file in select(manifest.files, entries=entries, others=others, most=defaults.SMOKE_FILES):
        yield from probes(file, manifest.rules, DocumentMode.parse(manifest.mode), healed=healed.get(file.path, ()))


def _message(here: Cloud, build: str, done: _Pass) -> str:
    named = _named(here, done)
    more = f" and {len(named) - _NAMED_IN_MESSAGE} more" if len(named) > _NAMED_IN_MESSAGE else ""
    return (
        f"build {build} does not come through the distribution as it was published; "
        f"{'; '.join(named[:_NAMED_IN_MESSAGE])}{more}; look with `bluegreen preview {build} --site "
        f"{here.settings.site}`, mend it, and deploy again"
    )


def _named(here: Cloud, done: _Pass) -> list[str]:
    """What is wrong, documents first: a page that cannot be opened is what a reader wants to know."""

    def place(one: tuple[Probe, str]) -> tuple[bool, str, str]:
        probe = one[0]
        return probe.file.cache_class is not CacheClass.ENTRY, probe.uri, probe.encoding

    wrong = sorted(done.wrong, key=place)
    return [f"https://{here.edge.domain}{probe.uri} ({probe.encoding}): {why}" for probe, why in wrong]
