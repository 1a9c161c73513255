"""The smoke fetch: which requests show that a build can be had through the distribution, and what the answers must be.

Every file is asked for the way a page of its own build would ask, and in every encoding that the edge may answer with.
What is compared is what arrives: status, digest of the decoded bytes, and the headers that make caching and routing
right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from bluegreen_cdn.defaults import BUILD_METADATA, SMOKE_BODY_MAXIMUM_BYTES
from bluegreen_cdn.domain.classification import CacheClass, ClassificationRules
from bluegreen_cdn.domain.manifest import ManifestFile
from bluegreen_cdn.domain.requests import DocumentMode, Plan, plan_request

IDENTITY = "identity"
_DOCUMENTS = (".html", ".htm")
_AS_DOCUMENT = {"accept": "text/html,*/*;q=0.8", "sec-fetch-dest": "document"}
# Without a destination, a name without an extension would be taken for a route of the site.
_AS_FILE = {"accept": "*/*", "sec-fetch-dest": "script"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """A request of the smoke fetch.

    Attributes:
        file: What must come back.
        uri: The path, encoded.
        headers: What the request says, beside the preview's cookie.
        encoding: The one encoding that it accepts.
        with_body: Whether the bytes are fetched; of a very large file only the headers are.
        healed: The same file as it was put where later rules look for it: as good an answer. Default: it was not.
    """

    file: ManifestFile
    uri: str
    headers: Mapping[str, str]
    encoding: str
    with_body: bool
    healed: tuple[ManifestFile, ...] = ()

    @property
    def method(self) -> str:
        """GET, or HEAD where the bytes are not fetched."""
        return "GET" if self.with_body else "HEAD"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: The status.
        headers: The headers, names in lower case.
        sha256: Digest (hex) of the bytes as they came.
        decoded_sha256: The same of the bytes as a page sees them; None if their encoding cannot be undone here.
        said: The beginning of the body where the status is not 200. Default: nothing.
    """

    status: int
    headers: Mapping[str, str]
    sha256: str
    decoded_sha256: str | None
    said: str = ""


def probes(
    file: ManifestFile, rules: ClassificationRules, mode: DocumentMode, *, healed: Sequence[ManifestFile] = ()
) -> tuple[Probe, ...]:
    """The requests that show one file; none for a file that no request leads to, such as a second index of a folder.

    Args:
        file: The file.
        rules: The classification that its build was published with.
        mode: How its documents are found.
        healed: The same file as it was put where later rules look for it. Default: it was not.
    """
    address = _address(file, rules, mode)
    if address is None:
        return ()
    uri, headers = address
    with_body = file.size <= SMOKE_BODY_MAXIMUM_BYTES
    # Brotli only where we made it: nothing here undoes what CloudFront has compressed itself.
    made = list(dict.fromkeys(variant.encoding for one in (file, *healed) for variant in one.encodings))
    encodings = [IDENTITY, *made, *([] if "gzip" in made else ["gzip"])] if with_body else [IDENTITY]
    return tuple(
        Probe(file=file, uri=uri, headers=headers, encoding=encoding, with_body=with_body, healed=tuple(healed))
        for encoding in encodings
    )


def judge(probe: Probe, answer: Answer, build: str) -> str | None:
    """What is wrong with an answer, as `<what came> instead of <what was expected>`; None if nothing is.

    Args:
        probe: What was asked.
        answer: What came.
        build: The build that must have answered.
    """
    if answer.status != 200:
        said = f" ({answer.said})" if answer.said else ""
        return f"status {answer.status}{said} instead of 200"
    wrong = [_difference(probe, file, answer, build) for file in (probe.file, *probe.healed)]
    return None if None in wrong else wrong[0]


def _difference(probe: Probe, file: ManifestFile, answer: Answer, build: str) -> str | None:
    headers = answer.headers
    wanted = {"content-type": file.content_type, "cache-control": file.cache_control}
    if file.cache_class is not CacheClass.SHARED:
        # First, because the bytes of another build differ as well.
        wanted = {f"x-amz-meta-{BUILD_METADATA}": build, **wanted}
    for name, value in wanted.items():
        if headers.get(name) != value:
            return f"{name} {headers.get(name, '(none)')!r} instead of {value!r}"
    encoding = headers.get("content-encoding", IDENTITY)
    if encoding not in (IDENTITY, probe.encoding):
        return f"content-encoding {encoding!r} instead of {probe.encoding!r}"
    if not probe.with_body:
        length = headers.get("content-length")
        return None if length == str(file.size) else f"content-length {length or '(none)'} instead of {file.size}"
    variants = {variant.encoding: variant.sha256 for variant in file.encodings}
    if answer.decoded_sha256 == file.sha256 or (encoding in variants and answer.sha256 == variants[encoding]):
        return None
    came = f"sha256 {answer.decoded_sha256}" if answer.decoded_sha256 else f"{encoding} of sha256 {answer.sha256}"
    return f"{came} instead of {file.sha256}"


def select(files: Iterable[ManifestFile], *, entries: int, others: int, most: int) -> Iterator[ManifestFile]:
    """The files of a build that are asked for: all, or of a large build an even selection, documents first in number.

    Args:
        files: All files, in the manifest's order.
        entries: How many of them are entries.
        others: How many are not.
        most: How many to ask for.
    """
    of_entries = min(entries, max(most - others, (most + 1) // 2))
    of_others = min(others, most - of_entries)
    seen = {True: 0, False: 0}
    for file in files:
        is_entry = file.cache_class is CacheClass.ENTRY
        number, total, wanted = seen[is_entry], *((entries, of_entries) if is_entry else (others, of_others))
        seen[is_entry] += 1
        if number * wanted // total != (number + 1) * wanted // total or file.path == "index.html":
            yield file


def _address(
    file: ManifestFile, rules: ClassificationRules, mode: DocumentMode
) -> tuple[str, Mapping[str, str]] | None:
    """How visitors ask for a file: by the path that they see, else by its name."""
    is_document = file.path.endswith(_DOCUMENTS)
    headers = _AS_DOCUMENT if is_document else _AS_FILE
    for path in (*(_document_paths(file.path, mode) if is_document else ()), file.path):
        uri = quote(f"/{path}", safe="/!'()*~@")
        planned = plan_request(uri, rules, mode, accept=headers["accept"], fetch_destination=headers["sec-fetch-dest"])
        looked_for = unquote(planned.uri)[1:]
        if planned.plan is Plan.SHARED:
            looked_for = looked_for.removeprefix("shared/")
        if planned.plan in (Plan.ENTRY, Plan.FILE, Plan.SHARED) and looked_for == file.path:
            return uri, headers
    return None


def _document_paths(path: str, mode: DocumentMode) -> tuple[str, ...]:
    if path == "index.html":
        return ("",)
    if mode is DocumentMode.DIRECTORY and path.endswith("/index.html"):
        return (path.removesuffix("index.html"),)
    return (path.removesuffix(".html"),) if mode is DocumentMode.HTML else ()
