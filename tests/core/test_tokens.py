"""Tokens: their form, and that a digest is what the database accepts."""

import hashlib
import re

from core import tokens


def test_a_token_has_a_start_to_find_it_by_and_256_random_bits() -> None:
    token, prefix, digest = tokens.generate()

    assert re.fullmatch(r"cd_[A-Za-z0-9_-]{43}", token)
    assert prefix == token[:11]
    assert digest == hashlib.sha256(token.encode()).hexdigest() == tokens.digest(token)


def test_no_two_are_alike() -> None:
    assert len({tokens.generate()[0] for _ in range(1000)}) == 1000


def test_whatever_a_client_sends_has_a_digest() -> None:
    for text in ("", "\0", "käse", "\ud800", "x" * 100_000):
        assert re.fullmatch(r"[0-9a-f]{64}", tokens.digest(text))
