"""What the visitors saw, judged against the files of the builds: pure bookkeeping, no I/O.

The promise under test: a page gets the bytes of its own build, whatever the rollout does meanwhile. So every page
remembers the build whose document it is, and every file it asks for must have exactly the digest that this build's
manifest gives it.
"""

from collections.abc import Iterable

from bluegreen_cdn.local.rehearsal.observations import BuildFiles, Incident, LazySeen, Page, Verdict

PLATFORM_PREFIX = "_bluegreen/"


class Ledger:
    """Collects what visitors saw.

    Args:
        builds: Every build that can be served during the rehearsal.

    Attributes:
        may_turn_away: Set while an edge location cannot know which build to serve. Visitors who have none yet may then
            get 503; that is counted apart. Whoever has one must go on getting pages.
        turned_away: How many got it.
    """

    def __init__(self, builds: Iterable[BuildFiles]) -> None:
        self.builds = {build.build_id: build for build in builds}
        self.pages: list[Page] = []
        self.asset_requests = 0
        self.asset_failures = 0
        self.shared_cookie_mixes = 0
        self.not_in_build = 0
        self.may_turn_away = False
        self.turned_away = 0
        self.lazy_requests: list[LazySeen] = []
        self.script_errors: list[tuple[float, str | None]] = []
        self.incidents: list[Incident] = []
        self._last_build: dict[str, str] = {}

    # -- what visitors report ---------------------------------------------------------------------------------------

    def document(
        self,
        *,
        visitor: str,
        at: float,
        url: str,
        status: int,
        digest: str | None,
        claimed_build: str | None = None,
        tab: int = 0,
        first_visit: bool = False,
        via: str = "http",
        error: str = "",
    ) -> Page:
        """Record one document request and return its page.

        Args:
            visitor: Who asked.
            at: Seconds since the rehearsal began, when the answer was complete.
            url: The path asked for.
            status: HTTP status, 0 when there was no answer.
            digest: SHA-256 of the body; None when only the header is known.
            claimed_build: What the response's metadata header says.
            tab: Which of the visitor's tabs.
            first_visit: The visitor came without cookies, so the weight alone decided.
            via: `http`, `page runner` or `browser`.
            error: What went wrong when there was no answer.
        """
        page = Page(
            number=len(self.pages),
            visitor=visitor,
            tab=tab,
            at=at,
            url=url,
            build_id=None,
            first_visit=first_visit,
            via=via,
        )
        self.pages.append(page)
        if status == 503 and first_visit and self.may_turn_away:
            self.turned_away += 1
            return page
        if status != 200:
            self._broken(page, at, f"{url}: {error or f'status {status}'}")
            return page
        page.build_id = self._build_of_document(digest, claimed_build)
        if page.build_id is None:
            claim = f", although the answer names {claimed_build}" if claimed_build else ""
            self._broken(page, at, f"{url}: these bytes are no document of any build{claim}")
        elif claimed_build is not None and claimed_build != page.build_id:
            page.mixed = True
            self._broken(
                page, at, f"{url}: the answer names build {claimed_build} and holds the document of {page.build_id}"
            )
        if page.build_id is not None:
            self._last_build[visitor] = page.build_id
        return page

    def asset(
        self,
        page: Page,
        *,
        at: float,
        path: str,
        status: int,
        digest: str | None,
        cookie_build: str | None = None,
        lazy: bool = False,
        error: str = "",
    ) -> Verdict:
        """Record the answer to a page's request for a file, and judge it.

        Args:
            page: The page that asked.
            at: Seconds since the rehearsal began.
            path: Path of the file without leading slash.
            status: HTTP status, 0 when there was no answer.
            digest: SHA-256 of the body after decoding; None when only the status is known.
            cookie_build: The build cookie sent with the request; default: the build of the visitor's last document.
            lazy: It was asked for some time after the page was loaded.
            error: What went wrong when there was no answer.
        """
        verdict, detail = self._judge(page, path, status, digest, cookie_build or self._last_build.get(page.visitor))
        if verdict is Verdict.NOT_IN_BUILD:
            self.not_in_build += 1
            return verdict
        self.asset_requests += 1
        if lazy:
            self.lazy_requests.append(LazySeen(build_id=page.build_id, opened=page.at, at=at, verdict=verdict))
        if verdict is Verdict.SHARED_COOKIE:
            self.shared_cookie_mixes += 1
        elif verdict is not Verdict.GOOD:
            self.asset_failures += 1
            page.mixed = page.mixed or verdict is Verdict.MIXED
            self._broken(page, at, f"{path}: {error or detail}")
        return verdict

    def script_error(self, page: Page, at: float) -> None:
        """Record that a page's own script threw."""
        self.script_errors.append((at, page.build_id))

    # -- what the report asks ---------------------------------------------------------------------------------------

    @property
    def page_loads(self) -> int:
        """Documents that visitors asked for."""
        return len(self.pages)

    @property
    def broken_pages(self) -> list[Page]:
        """Pages that did not get everything they asked for."""
        return [page for page in self.pages if page.problems]

    @property
    def mixed_pages(self) -> list[Page]:
        """Pages that got bytes of a build that is not theirs."""
        return [page for page in self.pages if page.mixed]

    def share(self, build_id: str, start: float, end: float) -> tuple[int, int]:
        """Count visitors' first documents in `[start, end)`: those of `build_id`, and all."""
        first = [page for page in self.pages if page.first_visit and page.build_id and start <= page.at < end]
        return sum(page.build_id == build_id for page in first), len(first)

    def lazy_across(self, moment: float) -> tuple[int, int]:
        """Count the lazy requests of pages opened before `moment` and asked after it: those answered well, and all."""
        across = [seen for seen in self.lazy_requests if seen.opened < moment <= seen.at]
        good = sum(seen.verdict in (Verdict.GOOD, Verdict.SHARED_COOKIE) for seen in across)
        return good, len(across)

    def moved_back(self, build_id: str, start: float, end: float) -> list[str]:
        """Name the visitors who got another build's document after one of `build_id`, in `[start, end)`."""
        inside: set[str] = set()
        back: dict[str, None] = {}
        for page in self.pages:
            if start <= page.at < end and page.build_id is not None:
                if page.build_id == build_id:
                    inside.add(page.visitor)
                elif page.visitor in inside:
                    back[page.visitor] = None
        return list(back)

    def last_document(self, build_id: str) -> float | None:
        """Return when a document of this build was last served."""
        return max((page.at for page in self.pages if page.build_id == build_id), default=None)

    # -- judgement ----------------------------------------------------------------------------------------------------

    def _build_of_document(self, digest: str | None, claimed: str | None) -> str | None:
        """Bytes decide; the claim only where two builds have the same document, or the bytes are not known."""
        if digest is None:
            return claimed if claimed in self.builds else None
        owners = [build.build_id for build in self.builds.values() if digest in build.documents()]
        return claimed if claimed in owners else (owners[0] if owners else None)

    def _judge(
        self, page: Page, path: str, status: int, digest: str | None, cookie_build: str | None
    ) -> tuple[Verdict, str]:
        if path.startswith(PLATFORM_PREFIX):
            return (Verdict.GOOD, "") if status in (200, 204) else (Verdict.FAILED, f"status {status}")
        own = self.builds.get(page.build_id or "")
        if own is None:
            return Verdict.NOT_IN_BUILD, ""
        in_own_folder = path.startswith(f"builds/{own.build_id}/")
        name = path.removeprefix(f"builds/{own.build_id}/")
        expected = own.digests.get(name)
        if expected is None:
            return Verdict.NOT_IN_BUILD, ""
        if status == 200 and digest in (expected, None):
            return Verdict.GOOD, ""
        follows_cookie = name not in own.hashed and not in_own_folder
        other = self.builds.get(cookie_build or "")
        if follows_cookie and other is not None and other is not own:
            elsewhere = other.digests.get(name)
            if (status == 200 and digest == elsewhere) or (status == 404 and elsewhere is None):
                return Verdict.SHARED_COOKIE, f"the visitor's last document is of {other.build_id}"
        if status != 200:
            return Verdict.FAILED, f"status {status}, for a page of {own.build_id}"
        owners = [build.build_id for build in self.builds.values() if digest == build.digests.get(name)]
        if owners:
            return Verdict.MIXED, f"a page of {own.build_id} got the bytes of {', '.join(owners)}"
        return Verdict.FAILED, "these bytes belong to no build"

    def _broken(self, page: Page, at: float, text: str) -> None:
        page.problems.append(text)
        self.incidents.append(Incident(at=at, kind="mixed" if page.mixed else "broken", text=text))
