"""Somebody who sends reports that no page has made: forged, malformed, outdated and replayed ones."""

import asyncio
import collections
import re
import time
from collections.abc import Mapping, Sequence

import aiohttp

from bluegreen_cdn.domain.tokens import TokenPurpose, sign_token
from bluegreen_cdn.local.rehearsal.browser_like import BUILD_METADATA_HEADER, VIEWER_ADDRESS_HEADER, Site

AT_A_TIME = 16
TRIES_FOR_A_TOKEN = 400
ERRORS = "&l=1&e=1&a=1&s=0"
_TOKEN = re.compile(r'bluegreen;desc="([^"]+)"')


class Forger:
    """Sends reports to a site's edge, from many addresses.

    Args:
        site: Where it is.
    """

    def __init__(self, site: Site) -> None:
        self._site = site

    async def token_of(self, build_id: str) -> str:
        """Visit the site until a page of a build comes, and take its token, as everybody can; empty if none came."""
        async with self._session() as session:
            for number in range(TRIES_FOR_A_TOKEN):
                headers = {
                    **self._headers(number),
                    "Accept": "text/html",
                    "Sec-Fetch-Dest": "document",
                    "User-Agent": f"somebody {number}",
                }
                async with session.get("/", headers=headers) as answer:
                    found = _TOKEN.search(answer.headers.get("Server-Timing", ""))
                    if found and answer.headers.get(BUILD_METADATA_HEADER) == build_id:
                        return found[1]
        return ""

    async def send(self, queries: Sequence[str]) -> Mapping[int, int]:
        """Send reports with these query strings, and count the answers by status."""
        waiting, statuses = collections.deque(enumerate(queries)), collections.Counter[int]()

        async def work(session: aiohttp.ClientSession) -> None:
            while waiting:
                number, query = waiting.popleft()
                url = f"/_bluegreen/beacon{'?' if query else ''}{query}"
                async with session.get(url, headers=self._headers(number)) as answer:
                    statuses[answer.status] += 1

        async with self._session() as session:
            await asyncio.gather(*(work(session) for _ in range(AT_A_TIME)))
        return statuses

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            f"http://127.0.0.1:{self._site.port}",
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=60),
        )

    def _headers(self, number: int) -> dict[str, str]:
        address = f"127.77.{number // 250 % 250}.{number % 250 + 1}"
        return {"Host": f"{self._site.host}:{self._site.port}", VIEWER_ADDRESS_HEADER: address}


def forgeries(real: str, secret: str, *, build: str, each: int) -> dict[str, list[str]]:
    """Make query strings that the edge has to drop, by kind; all of them claim errors.

    Args:
        real: A real token.
        secret: The site's, which no forger has: only so can tokens be made that only their date or build betrays.
        build: The build that the real token is for.
        each: How many of each kind.
    """
    claim, _, signature = real.rpartition("~")
    other = "A" if signature[0] != "A" else "B"
    past = int(time.time()) - 60
    expired = sign_token(secret, build, purpose=TokenPurpose.BEACON, expires=past)
    unknown = sign_token(secret, "never-published", purpose=TokenPurpose.BEACON, expires=past + 3600)
    preview = sign_token(secret, build, purpose=TokenPurpose.PREVIEW, expires=past + 3600)
    kinds = {
        "without a token": ERRORS[1:],
        "with a wrong signature": f"t={claim}~{other}{signature[1:]}{ERRORS}",
        "with another build under the signature": f"t=another{real[len(build) :]}{ERRORS}",
        "with an expired token": f"t={expired}{ERRORS}",
        "of a build that was never published": f"t={unknown}{ERRORS}",
        "with a token for something else": f"t={preview}{ERRORS}",
        "with a count that is none": f"t={real}&l=1&e=99999999&a=-1&s=x",
        "with a count twice": f"t={real}{ERRORS}&e=1",
        "with more errors than a page can have": f"t={real}&l=1&e=250&a=1&s=0",
    }
    return {kind: [query] * each for kind, query in kinds.items()}
