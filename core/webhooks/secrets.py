"""Signing secrets as Standard Webhooks has them, and how they are kept.

A secret is 32 random bytes, shown once as `whsec_` and their base64. In the database it is
encrypted with AES-256-GCM under a key of the settings; the customer's id is authenticated with it,
so that a ciphertext moved to another customer's row is refused.
"""

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class SecretUnreadable(Exception):
    """A secret can't be decrypted with the keys of this process."""


@dataclass(frozen=True)
class NewSecret:
    """A secret as its owner is shown it, and as it is kept."""

    text: str
    ciphertext: bytes
    key_id: str


def create(*, customer_id: int) -> NewSecret:
    """Make a secret for an endpoint of a customer, encrypted under the first key."""
    secret = secrets.token_bytes(_SECRET_BYTES)
    key_id, key = next(iter(_keys().items()))
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, secret, _bound_to(customer_id))
    text = PREFIX + base64.b64encode(secret).decode()
    return NewSecret(text=text, ciphertext=nonce + sealed, key_id=key_id)


def decrypt(*, customer_id: int, ciphertext: bytes, key_id: str) -> bytes:
    """The secret's 32 bytes. Raises SecretUnreadable, saying what to do."""
    key = _keys().get(key_id)
    if key is None:
        raise SecretUnreadable(
            f"The secret is encrypted under the key {key_id}, which CLAIMDRIFT_WEBHOOK_KEYS of"
            " the worker doesn't have."
        )
    nonce, sealed = ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:]
    try:
        return AESGCM(key).decrypt(nonce, sealed, _bound_to(customer_id))
    # ValueError: too short to be one.
    except (InvalidTag, ValueError):
        raise SecretUnreadable("The secret was changed in the database: rotate it.") from None


def sign(*, secret_keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """The webhook-signature header: one `v1,` HMAC-SHA256 for each key, in their order."""
    content = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()
        for key in secret_keys
    )


def _bound_to(customer_id: int) -> bytes:
    return f"claimdrift webhook secret of customer {customer_id}".encode()


@cache
def _keys() -> dict[str, bytes]:
    """The keys by id, the one for new secrets first."""
    texts: Sequence[str] = settings.WEBHOOK_KEYS or [_local_key(settings.WEBHOOK_KEY_FILE)]
    keys = [base64.b64decode(text) for text in texts]
    return {hashlib.sha256(key).hexdigest()[:8]: key for key in keys}


def _local_key(file: Path) -> str:
    """The key of a developer's machine, made when it is first needed."""
    try:
        if not file.exists():
            # Complete before it has its name: another process or thread may be looking.
            with NamedTemporaryFile(dir=file.parent, prefix=f"{file.name}.") as draft:
                draft.write(base64.b64encode(secrets.token_bytes(32)))
                draft.flush()
                os.fsync(draft.fileno())
                with suppress(FileExistsError):
                    os.link(draft.name, file)
        text = file.read_text("ascii", "replace").strip()
    except OSError as error:
        raise ImproperlyConfigured(
            "CLAIMDRIFT_WEBHOOK_KEYS isn't set, and a key of its own can't be kept in"
            f" {file.name} ({error.strerror}). Set it: openssl rand -base64 32"
        ) from None
    try:
        is_key = len(base64.b64decode(text, validate=True)) == 32
    except ValueError:
        is_key = False
    if not is_key:
        raise ImproperlyConfigured(
            f"{file.name} holds no key of 32 bytes in base64. Restore it, or delete it: a new one"
            " is made then, and secrets kept under the former one have to be rotated."
        )
    return text
