"""Asking the distribution itself, as a visitor does."""

from __future__ import annotations

import hashlib
import http.client
import os
import threading
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from bluegreen_cdn.defaults import DOWNLOAD_PIECE_BYTES, SMOKE_TIMEOUT_SECONDS
from bluegreen_cdn.domain.smoke import IDENTITY, Answer
from bluegreen_cdn.errors import CloudError, InvalidInput

ENDPOINT_VARIABLE = "BLUEGREEN_EDGE_ENDPOINT"
"""As `AWS_ENDPOINT_URL` for the AWS APIs: where distributions are reached instead of at their own names. Only the local
cloud sets it; the name asked for stays in the `host` header."""
_SAID_CHARACTERS = 120
_ATTEMPTS = 2
_BROKEN = (http.client.HTTPException, OSError)


class HttpEdge:
    """A distribution over HTTPS; the real `bluegreen_cdn.aws.ports.Edge`. Each thread keeps a connection.

    Args:
        domain: The distribution's own domain name.
        endpoint: Where to connect to instead, such as `http://127.0.0.1:4566`. Default: there.
    """

    def __init__(self, domain: str, *, endpoint: str | None = None) -> None:
        scheme, host, *_ = urlsplit(endpoint or f"https://{domain}")
        if scheme not in ("http", "https") or not host:
            raise InvalidInput(f"{ENDPOINT_VARIABLE} is {endpoint!r}; it must be a URL such as http://127.0.0.1:4566")
        self.domain = domain
        self._make = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
        self._host = host
        self._local = threading.local()

    @classmethod
    def from_environment(cls, domain: str, environment: Mapping[str, str] = os.environ) -> HttpEdge:
        """The distribution, at the endpoint that the environment names if it names one."""
        return cls(domain, endpoint=environment.get(ENDPOINT_VARIABLE) or None)

    def fetch(self, method: str, uri: str, headers: Mapping[str, str]) -> Answer:
        """Ask for one path; redirects are answers like any other.

        Raises:
            CloudError: Nobody answers, or not to the end.
        """
        error: Exception | None = None
        for _ in range(_ATTEMPTS):  # a connection that was kept may have been closed at the other end since
            try:
                return self._fetch(method, uri, headers)
            except _BROKEN as broken:
                error = broken
                self._connection().close()
        raise CloudError(
            f"https://{self.domain}{uri} does not answer: {type(error).__name__}: {error}",
            service="cloudfront",
            operation=method,
            code=type(error).__name__,
        ) from error

    def _fetch(self, method: str, uri: str, headers: Mapping[str, str]) -> Answer:
        connection = self._connection()
        connection.putrequest(method, uri, skip_host=True, skip_accept_encoding=True)
        for name, value in {"host": self.domain, **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        came = {name.lower(): value for name, value in response.getheaders()}
        body = _Body(came.get("content-encoding", IDENTITY), keep=response.status != 200)
        while piece := response.read(DOWNLOAD_PIECE_BYTES):
            body.add(piece)
        return Answer(
            status=response.status,
            headers=came,
            sha256=body.sha256,
            decoded_sha256=body.decoded_sha256(),
            said=body.said,
        )

    def _connection(self) -> http.client.HTTPConnection:
        if not hasattr(self._local, "connection"):
            self._local.connection = self._make(self._host, timeout=SMOKE_TIMEOUT_SECONDS)
        connection: http.client.HTTPConnection = self._local.connection
        return connection


class _Body:
    """The digests of a body that comes in pieces, as it came and decoded."""

    def __init__(self, encoding: str, *, keep: bool) -> None:
        self._raw, self._decoded = hashlib.sha256(), hashlib.sha256()
        self._undo: Any = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16) if encoding == "gzip" else None
        self._known = encoding in (IDENTITY, "gzip")
        self._kept, self._keep = b"", keep

    def add(self, piece: bytes) -> None:
        self._raw.update(piece)
        if self._keep:
            self._kept = (self._kept + piece)[: _SAID_CHARACTERS * 8]
        if self._undo is None:
            self._decoded.update(piece)
            return
        try:
            while piece and self._known:
                self._decoded.update(self._undo.decompress(piece, DOWNLOAD_PIECE_BYTES))
                piece = self._undo.unconsumed_tail
        except zlib.error:
            self._known = False

    @property
    def sha256(self) -> str:
        return self._raw.hexdigest()

    def decoded_sha256(self) -> str | None:
        if self._undo is not None and not self._undo.eof:
            return None
        return self._decoded.hexdigest() if self._known else None

    @property
    def said(self) -> str:
        """The text of an error page, without its tags."""
        text, inside = "", False
        for character in self._kept.decode(errors="replace"):
            inside = character == "<" or (inside and character != ">")
            text += " " if inside or character == ">" else character
        return " ".join(text.split())[:_SAID_CHARACTERS]
