"""Signing secrets: their form, how they are kept, and signatures that others accept."""

import base64
import json
import multiprocessing
import os
import re
import stat
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import standardwebhooks
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from core.environment import Environment
from core.webhooks import secrets
from tests.webhooks.sending import key, own_keys


@pytest.fixture(autouse=True)
def _keys(settings: Settings) -> Iterator[None]:
    with own_keys(settings, key(1)):
        yield


def use(settings: Settings, *keys: str) -> None:
    """Go on as another process, with these keys."""
    settings.WEBHOOK_KEYS = list(keys)
    secrets._keys.cache_clear()


def secret_of(secret: secrets.NewSecret) -> bytes:
    return base64.b64decode(secret.text.removeprefix("whsec_"), validate=True)


def decrypt(secret: secrets.NewSecret, *, customer_id: int = 7) -> bytes:
    return secrets.decrypt(
        customer_id=customer_id, ciphertext=secret.ciphertext, key_id=secret.key_id
    )


# Secrets


def test_a_secret_is_32_random_bytes_in_the_form_of_standard_webhooks() -> None:
    made = [secrets.create(customer_id=7) for _ in range(100)]

    assert all(re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret.text) for secret in made)
    assert len({secret.text for secret in made}) == 100
    assert {len(secret_of(secret)) for secret in made} == {32}


def test_what_is_kept_gives_the_secret_back_and_does_not_show_it() -> None:
    made = [secrets.create(customer_id=7) for _ in range(20)]

    for secret in made:
        assert decrypt(secret) == secret_of(secret)
        assert secret_of(secret) not in secret.ciphertext
    # No nonce is used twice.
    assert len({secret.ciphertext[:12] for secret in made}) == 20


def test_a_secret_moved_to_another_customer_is_refused() -> None:
    secret = secrets.create(customer_id=7)

    with pytest.raises(secrets.SecretUnreadable, match="rotate it"):
        decrypt(secret, customer_id=8)


def test_a_secret_changed_at_any_byte_is_refused() -> None:
    secret = secrets.create(customer_id=7)

    for place in range(len(secret.ciphertext)):
        changed = bytearray(secret.ciphertext)
        changed[place] ^= 1
        with pytest.raises(secrets.SecretUnreadable, match="changed in the database: rotate it"):
            secrets.decrypt(customer_id=7, ciphertext=bytes(changed), key_id=secret.key_id)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 11, 12, 13, 27, 28, 59])
def test_a_secret_cut_short_is_refused(length: int) -> None:
    secret = secrets.create(customer_id=7)

    with pytest.raises(secrets.SecretUnreadable, match="rotate it"):
        secrets.decrypt(customer_id=7, ciphertext=secret.ciphertext[:length], key_id=secret.key_id)


# Keys


def test_the_first_key_encrypts_and_all_decrypt(settings: Settings) -> None:
    old = secrets.create(customer_id=7)
    use(settings, key(2), key(1))
    new = secrets.create(customer_id=7)

    assert new.key_id != old.key_id
    assert (decrypt(old), decrypt(new)) == (secret_of(old), secret_of(new))
    use(settings, key(2))
    assert decrypt(new) == secret_of(new)


def test_a_secret_under_a_key_that_is_gone_is_refused_by_the_keys_name(
    settings: Settings,
) -> None:
    secret = secrets.create(customer_id=7)
    use(settings, key(2))

    with pytest.raises(secrets.SecretUnreadable) as caught:
        decrypt(secret)
    assert secret.key_id in str(caught.value)
    assert "CLAIMDRIFT_WEBHOOK_KEYS" in str(caught.value)
    assert key(1) not in str(caught.value)


def test_a_keys_name_fits_its_column_and_does_not_tell_the_key() -> None:
    secret = secrets.create(customer_id=7)

    assert re.fullmatch("[0-9a-f]{8}", secret.key_id)
    assert secret.key_id not in base64.b64decode(key(1)).hex()


def test_settings_take_keys_as_openssl_prints_them() -> None:
    env = Environment({"CLAIMDRIFT_K": f" {key(1)}\n{key(255)}\n"})

    assert env.keys("K", length=32) == [key(1), key(255)]
    assert Environment({}).keys("K", length=32) == []


@pytest.mark.parametrize(
    "value",
    [
        "x",
        "secret",
        key(1)[:-1],
        base64.b64encode(bytes(31)).decode(),
        base64.b64encode(bytes(33)).decode(),
        f"{key(1)},{key(2)}",
        f"{key(1)} {key(2)[:-2]}",
        bytes(32).hex(),
        base64.urlsafe_b64encode(b"\xff" * 32).decode(),
        "ключ",
        key(1).replace("A", "\u0410"),
    ],
)
def test_settings_refuse_what_is_no_key_and_do_not_show_it(value: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        Environment({"CLAIMDRIFT_WEBHOOK_KEYS": value}).keys("WEBHOOK_KEYS", length=32)
    assert str(caught.value).startswith("CLAIMDRIFT_WEBHOOK_KEYS must hold keys of 32 bytes")
    assert "openssl rand -base64 32" in str(caught.value)
    assert value not in str(caught.value).split()


# The key of a developer's machine


def _encrypt(file: Path, moment: float, results: "multiprocessing.Queue[tuple[int, str]]") -> None:
    from django.conf import settings

    settings.WEBHOOK_KEYS = []
    settings.WEBHOOK_KEY_FILE = file
    secrets._keys.cache_clear()
    time.sleep(max(moment - time.time(), 0))
    results.put((os.getpid(), secrets.create(customer_id=7).key_id))


def test_eight_processes_at_once_make_one_key(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    for number in range(5):
        file = tmp_path / f"key-{number}"
        results: multiprocessing.Queue[tuple[int, str]] = context.Queue()
        moment = time.time() + 0.2
        processes = [
            context.Process(target=_encrypt, args=(file, moment, results)) for _ in range(8)
        ]
        for process in processes:
            process.start()
        found = [results.get(timeout=30) for _ in processes]
        for process in processes:
            process.join()
        assert len(dict(found)) == 8
        assert len(set(dict(found).values())) == 1
        assert [path.name for path in tmp_path.iterdir() if "." in path.name] == []


def test_the_threads_of_a_process_make_one_key(tmp_path: Path, settings: Settings) -> None:
    for number in range(20):
        settings.WEBHOOK_KEY_FILE = tmp_path / f"key-{number}"
        use(settings)
        barrier = threading.Barrier(8)
        found: list[str | Exception] = []

        def create(
            barrier: threading.Barrier = barrier, found: list[str | Exception] = found
        ) -> None:
            barrier.wait()
            try:
                found.append(secrets.create(customer_id=7).key_id)
            except Exception as error:
                found.append(error)

        threads = [threading.Thread(target=create) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(found)) == 1, found
        assert not isinstance(found[0], Exception), found


def test_the_key_is_for_its_owner_alone_and_kept(tmp_path: Path, settings: Settings) -> None:
    file = settings.WEBHOOK_KEY_FILE = tmp_path / ".webhook-key"
    use(settings)
    secret = secrets.create(customer_id=7)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(base64.b64decode(file.read_text(), validate=True)) == 32
    use(settings)
    assert decrypt(secret) == secret_of(secret)
    assert list(tmp_path.iterdir()) == [file]


def test_a_key_of_the_settings_makes_no_file(tmp_path: Path, settings: Settings) -> None:
    settings.WEBHOOK_KEY_FILE = tmp_path / ".webhook-key"
    secrets.create(customer_id=7)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["file/within", "missing", "/proc"])
def test_a_key_that_cannot_be_kept_is_refused_with_what_to_do(
    tmp_path: Path, settings: Settings, folder: str
) -> None:
    (tmp_path / "file").touch()
    settings.WEBHOOK_KEY_FILE = tmp_path / folder / ".webhook-key"
    use(settings)

    with pytest.raises(ImproperlyConfigured, match="CLAIMDRIFT_WEBHOOK_KEYS") as caught:
        secrets.create(customer_id=7)
    assert "openssl rand -base64 32" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("content", ["", "x", "AAAA\n", key(1) + key(2), "\udcff"])
def test_a_key_file_that_holds_no_key_is_refused_with_what_to_do(
    tmp_path: Path, settings: Settings, content: str
) -> None:
    file = settings.WEBHOOK_KEY_FILE = tmp_path / ".webhook-key"
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    use(settings)

    with pytest.raises(ImproperlyConfigured, match="webhook-key"):
        secrets.create(customer_id=7)


# Signatures


def headers_of(body: bytes, *keys: bytes, message_id: str = "msg_1") -> dict[str, str]:
    timestamp = int(time.time())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": secrets.sign(
            secret_keys=keys, message_id=message_id, timestamp=timestamp, body=body
        ),
    }


@given(st.dictionaries(st.text(), st.text() | st.integers()), st.binary(min_size=1, max_size=64))
def test_others_accept_our_signatures(content: dict[str, str | int], secret: bytes) -> None:
    body = json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")
    try:
        body.decode()
    except UnicodeDecodeError:
        body = json.dumps(content).encode()

    assert standardwebhooks.Webhook(secret).verify(body, headers_of(body, secret)) == content


def test_both_secrets_sign_and_nobody_elses() -> None:
    body = b'{"a": 1}'
    former, latter, other = (secrets.create(customer_id=7) for _ in range(3))
    headers = headers_of(body, secret_of(latter), secret_of(former))

    for secret in (former, latter):
        assert standardwebhooks.Webhook(secret.text).verify(body, headers) == {"a": 1}
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(other.text).verify(body, headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(former.text).verify(b'{"a": 2}', headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(former.text).verify(body, headers | {"webhook-id": "msg_2"})


def test_a_signature_is_the_one_that_the_standard_has_as_its_example() -> None:
    # From the specification of Standard Webhooks, made with the reference implementation.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105
    at = datetime(2021, 2, 25, 15, 2, 10, tzinfo=UTC)
    body = '{"test": 2432232314}'
    message_id = "msg_p5jXN8AQM9LWM0D4loKWxJek"
    timestamp = 1614265330

    signed = secrets.sign(
        secret_keys=[base64.b64decode(secret.removeprefix("whsec_"))],
        message_id=message_id,
        timestamp=timestamp,
        body=body.encode(),
    )

    assert at.timestamp() == timestamp
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signed == standardwebhooks.Webhook(secret).sign(message_id, at, body)
