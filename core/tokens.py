"""Tokens of the API: made here, shown once, kept as a digest."""

import hashlib
import secrets
from typing import Final

START: Final = "cd_"
# The start and 8 more characters: enough to tell one's tokens apart.
_PREFIX_LENGTH: Final = 11


def generate() -> tuple[str, str, str]:
    """A new token, the prefix to recognise it by, and its digest."""
    token = START + secrets.token_urlsafe(32)
    return token, token[:_PREFIX_LENGTH], digest(token)


def digest(token: str) -> str:
    """SHA-256, in hexadecimal. 256 random bits need no slower hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
