"""placeholder until merge"""

import hashlib
import secrets


def generate() -> tuple[str, str, str]:
    token = "cd_" + secrets.token_urlsafe(32)
    return token, token[:11], digest(token)


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
