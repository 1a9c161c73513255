"""Requests and responses as the simulator passes them from step to step."""

from __future__ import annotations

from dataclasses import dataclass, field

Headers = dict[str, list[str]]
"""Lower-case names; every value in the order it came."""


@dataclass(slots=True)
class Request:
    """A request on its way from the viewer to the origin.

    Attributes:
        method: Upper case.
        uri: The path as it was sent, percent-encoding kept, no query string.
        query: Name and value pairs, undecoded, in order.
        headers: Without `cookie`, which is in `cookies`.
        cookies: Name and value pairs, in order.
    """

    method: str
    uri: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: Headers = field(default_factory=dict)
    cookies: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    client_ip: str = "127.0.0.1"

    def header(self, name: str) -> str | None:
        """The values of a header joined as HTTP allows, or None."""
        values = self.headers.get(name)
        return ", ".join(values) if values else None

    def copy(self) -> Request:
        """A copy whose headers, query and cookies can be changed."""
        headers = {name: list(values) for name, values in self.headers.items()}
        return Request(self.method, self.uri, list(self.query), headers, list(self.cookies), self.body, self.client_ip)


@dataclass(slots=True)
class Response:
    """A response on its way to the viewer; `set-cookie` stays among the headers."""

    status: int
    headers: Headers = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The values of a header joined as HTTP allows, or None."""
        values = self.headers.get(name)
        return ", ".join(values) if values else None

    def copy(self) -> Response:
        """A copy whose headers can be changed; the body is shared."""
        return Response(self.status, {name: list(values) for name, values in self.headers.items()}, self.body)


def parse_query(text: str) -> list[tuple[str, str]]:
    """The pairs of a query string, undecoded: functions and cache keys see what the viewer sent."""
    if not text:
        return []
    pairs = (part.partition("=") for part in text.split("&") if part)
    return [(name, value) for name, _, value in pairs]


def format_query(pairs: list[tuple[str, str]]) -> str:
    """The query string of some pairs, without `?`."""
    return "&".join(f"{name}={value}" if value else name for name, value in pairs)


def parse_cookies(header_values: list[str]) -> list[tuple[str, str]]:
    """The pairs of all `Cookie` headers."""
    parts = (part.strip().partition("=") for value in header_values for part in value.split(";") if part.strip())
    return [(name, value) for name, _, value in parts]


def format_cookies(pairs: list[tuple[str, str]]) -> str:
    """One `Cookie` header."""
    return "; ".join(f"{name}={value}" for name, value in pairs)
