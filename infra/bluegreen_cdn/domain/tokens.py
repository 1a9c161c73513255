"""Signed, expiring tokens: one lets a page report metrics for its build, one opens a build for preview.

A token is `<build>~<expiry>~<signature>`: expiry in epoch seconds, base 36; the signature is the first 22 characters
(132 bits) of base64url HMAC-SHA256 over `<purpose>:<build>~<expiry>`, with the KeyValueStore's `secret` (64 hex
characters, as text) as key. The purpose keeps a beacon token, which every page shows, from opening previews.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from enum import StrEnum

from bluegreen_cdn.defaults import BUILD_ID_PATTERN

SIGNATURE_CHARACTERS = 22
_TOKEN = re.compile(rf"({BUILD_ID_PATTERN})~([0-9a-z]{{1,8}})~([A-Za-z0-9_-]{{{SIGNATURE_CHARACTERS}}})")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class TokenPurpose(StrEnum):
    """What a token may be used for."""

    BEACON = "beacon"
    PREVIEW = "preview"


def sign_token(secret: str, build: str, *, purpose: TokenPurpose, expires: int) -> str:
    """Makes a token.

    Args:
        secret: The KeyValueStore's `secret`.
        build: The build it speaks for.
        purpose: What it may be used for.
        expires: Last second of its life, epoch seconds.
    """
    claim = f"{build}~{_base36(expires)}"
    return f"{claim}~{_signature(secret, purpose, claim)}"


def verify_token(secret: str, token: str, *, purpose: TokenPurpose, now: int) -> str | None:
    """The build of a valid token; None when it is malformed, unsigned, for another purpose, or expired.

    Args:
        secret: The KeyValueStore's `secret`.
        token: What the viewer sent.
        purpose: What the token is to be used for.
        now: Epoch seconds.
    """
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    build, expires, signature = match.groups()
    if not hmac.compare_digest(_signature(secret, purpose, f"{build}~{expires}"), signature):
        return None
    return build if now <= int(expires, 36) else None


def _signature(secret: str, purpose: TokenPurpose, claim: str) -> str:
    digest = hmac.new(secret.encode(), f"{purpose}:{claim}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode()[:SIGNATURE_CHARACTERS]


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
