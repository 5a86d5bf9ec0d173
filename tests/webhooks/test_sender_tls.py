"""The sender over TLS: certificates are checked, and nothing is sent to who has none."""

import datetime
import ssl
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import trustme
from pytest_django import Settings

from core.webhooks import addresses
from core.webhooks.sender import Answer
from tests.webhooks.receiver import Receiver
from tests.webhooks.sending import key, own_keys, send

Trust = Callable[[trustme.CA], None]


@pytest.fixture(autouse=True)
def _settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.WEBHOOK_ALLOW_LOOPBACK = True
    # The resolver that senders share stays open for each event loop, and here are many.
    monkeypatch.setattr(addresses, "Resolver", partial(addresses.Resolver, tries=2))
    with own_keys(settings, key(1)):
        yield


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trust(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Trust:
    """Have senders trust an authority, as an operator does."""

    def trust(authority: trustme.CA) -> None:
        file = tmp_path / "authority.pem"
        authority.cert_pem.write_to_path(file)
        monkeypatch.setenv("SSL_CERT_FILE", str(file))

    return trust


def context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(made)
    return made


def answer_of(tls: ssl.SSLContext, *, host: str = "") -> tuple[Answer, int]:
    """What came of it, and how many requests arrived."""
    with Receiver(tls=tls, host=host) as receiver:
        return send(receiver.url), len(receiver.requests)


@pytest.mark.parametrize(("name", "host"), [("127.0.0.1", "127.0.0.1"), ("localhost", "localhost")])
def test_a_good_certificate_is_accepted(
    authority: trustme.CA, trust: Trust, name: str, host: str
) -> None:
    trust(authority)
    found, arrived = answer_of(context(authority.issue_cert(name)), host=host)

    assert (found.status_code, found.error, arrived) == (200, "", 1)


def test_a_certificate_of_an_unknown_authority_is_refused(authority: trustme.CA) -> None:
    found, arrived = answer_of(context(authority.issue_cert("127.0.0.1")))

    assert arrived == 0
    assert found.status_code is None
    assert found.error.startswith("Its TLS certificate isn't valid: ")


def test_a_certificate_signed_by_itself_is_refused(authority: trustme.CA, tmp_path: Path) -> None:
    # An authority's own certificate is one.
    (tmp_path / "key").write_bytes(authority.private_key_pem.bytes())
    (tmp_path / "cert").write_bytes(authority.cert_pem.bytes())
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    found, arrived = answer_of(tls)

    assert arrived == 0
    assert found.error == "Its TLS certificate isn't valid: self-signed certificate."


def test_an_expired_certificate_is_refused(authority: trustme.CA, trust: Trust) -> None:
    trust(authority)
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    found, arrived = answer_of(context(authority.issue_cert("127.0.0.1", not_after=past)))

    assert arrived == 0
    assert found.error == "Its TLS certificate isn't valid: certificate has expired."


@pytest.mark.parametrize(
    ("name", "host"),
    [("example.com", "127.0.0.1"), ("example.com", "localhost"), ("127.0.0.1", "localhost")],
)
def test_a_certificate_of_another_host_is_refused(
    authority: trustme.CA, trust: Trust, name: str, host: str
) -> None:
    trust(authority)
    found, arrived = answer_of(context(authority.issue_cert(name)), host=host)

    assert arrived == 0
    assert found.error.startswith("Its TLS certificate isn't valid: ")
    assert "mismatch" in found.error


def test_an_old_version_of_tls_is_refused(authority: trustme.CA, trust: Trust) -> None:
    trust(authority)
    tls = context(authority.issue_cert("127.0.0.1"))
    tls.set_ciphers("ALL:@SECLEVEL=0")
    tls.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        tls.maximum_version = ssl.TLSVersion.TLSv1_1
    found, arrived = answer_of(tls)

    assert arrived == 0
    assert found.error
    assert found.status_code is None


def test_http_where_tls_is_expected_is_a_failure() -> None:
    # What a web server says to a greeting that it doesn't understand.
    with Receiver(greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n") as receiver:
        found = send(receiver.url.replace("http:", "https:"))

    assert receiver.requests == []
    assert found.error == "A TLS connection can't be made."


def test_tls_where_http_is_expected_is_a_failure(authority: trustme.CA) -> None:
    with Receiver(tls=context(authority.issue_cert("127.0.0.1"))) as receiver:
        found = send(receiver.url.replace("https:", "http:"))

    assert receiver.requests == []
    assert found.error
    assert found.status_code is None
