"""A distribution in memory, which answers as the edge functions would, or as a test tells it to."""

import gzip
import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import unquote

from bluegreen_cdn import defaults
from bluegreen_cdn.aws.fakes import FakeClock, FakeKeyValueStore
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.requests import DocumentMode, Plan, plan_request
from bluegreen_cdn.domain.routing import RoutingState
from bluegreen_cdn.domain.smoke import Answer
from bluegreen_cdn.domain.tokens import TokenPurpose, verify_token
from bluegreen_cdn.errors import CloudError
from bluegreen_cdn.publish.memory_store import MemoryStore

Fault = Callable[[Answer], Answer]


class FakeEdge:
    """A distribution in front of a bucket in memory, whose routing is the KeyValueStore's.

    Args:
        bucket: Where the files are.
        store: Routing state and secret.
        clock: Expires previews.
        rules: Its classification. Default: the default rules.
        mode: How it finds documents. Default: `spa`.
        precompress: Whether it asks for precompressed variants. Default: yes.

    Attributes:
        asked: The paths that were asked for, with the encoding.
        faults: Changes the answers to a path.
        down: Whether nobody answers.
    """

    domain = "d111111abcdef8.cloudfront.net"

    def __init__(
        self,
        bucket: MemoryStore,
        store: FakeKeyValueStore,
        clock: FakeClock,
        *,
        rules: ClassificationRules | None = None,
        mode: DocumentMode = DocumentMode.SPA,
        precompress: bool = True,
    ) -> None:
        self._bucket, self._store, self._clock = bucket, store, clock
        self._rules, self._mode, self._precompress = rules or ClassificationRules.default(), mode, precompress
        self._lock = threading.Lock()
        self.asked: list[tuple[str, str]] = []
        self.faults: dict[str, Fault] = {}
        self.down = False

    def fetch(self, method: str, uri: str, headers: Mapping[str, str]) -> Answer:
        """Answer one request."""
        encoding = headers.get("accept-encoding", "identity")
        with self._lock:
            self.asked.append((uri, encoding))
        if self.down:
            raise CloudError(f"https://{self.domain}{uri} does not answer", service="memory", operation=method)
        answer, _ = self.respond(method, uri, headers)
        fault = self.faults.get(uri)
        return fault(answer) if fault else answer

    def respond(self, method: str, uri: str, headers: Mapping[str, str]) -> tuple[Answer, bytes]:
        """The answer with its body, as it goes over the wire."""
        planned = plan_request(
            uri,
            self._rules,
            self._mode,
            accept=headers.get("accept"),
            fetch_destination=headers.get("sec-fetch-dest"),
            precompress=self._precompress,
            accept_encoding=headers.get("accept-encoding"),
        )
        key = unquote(planned.uri)[1:]
        if planned.plan in (Plan.ENTRY, Plan.FILE):
            key = f"builds/{self._build(headers.get('cookie', ''))}/{key}"
        found = self._bucket.objects.get(key)
        if found is None or planned.plan is Plan.MISSING:
            return _answer(403, {}, b"<h1>Access Denied</h1>")
        stored, data = found
        answered = {
            "content-type": stored.headers.content_type,
            "cache-control": stored.headers.cache_control,
            "content-length": str(len(data)),
            **({"content-encoding": stored.headers.content_encoding} if stored.headers.content_encoding else {}),
            **{f"x-amz-meta-{name}": value for name, value in stored.metadata.items()},
        }
        answer, body = _answer(200, answered, data)
        return (answer, b"") if method == "HEAD" else (answer, body)

    def _build(self, cookie: str) -> str:
        values = self._store.values
        token = cookie.partition(f"{defaults.PREVIEW_COOKIE}=")[2]
        secret = values.get(defaults.SECRET_KEY)
        shown = secret and verify_token(secret, token, purpose=TokenPurpose.PREVIEW, now=int(self._clock.now()))
        return shown or RoutingState.from_json(values[defaults.ROUTING_KEY]).stable


def _answer(status: int, headers: Mapping[str, str], body: bytes) -> tuple[Answer, bytes]:
    encoding = headers.get("content-encoding")
    decoded = gzip.decompress(body) if encoding == "gzip" else body
    answer = Answer(
        status=status,
        headers=headers,
        sha256=hashlib.sha256(body).hexdigest(),
        decoded_sha256=None if encoding == "br" else hashlib.sha256(decoded).hexdigest(),
    )
    return (replace(answer, said="Access Denied") if status != 200 else answer), body
