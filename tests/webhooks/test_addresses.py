"""Where webhooks may go: nothing but a public address is ever dialled.

The socket layer is the tests': each connection is noted and refused there. So what is noted is all
that would have been dialled, whichever way a URL was to be understood.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

import pytest
from aiohttp.resolver import AsyncResolver
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from core.webhooks import addresses
from core.webhooks.addresses import AddressRefused, may_dial, problem_of, vet
from core.webhooks.sender import Answer, Sender
from tests.webhooks.hostile import HOSTILE_HOSTS, HOSTILE_URLS
from tests.webhooks.names import NameServer
from tests.webhooks.sending import CUSTOMER_ID, attempt, key, own_keys, send, with_sender

PUBLIC: Final = "93.184.216.34"
PUBLIC_6: Final = "2606:2800:220:1:248:1893:25c8:1946"
CERTIFICATES: Final = ssl.create_default_context()
RESOLVER: Final = addresses.Resolver
Zone = dict[str, list[list[str]]]
NOT_PUBLIC: Final = "An address of its host isn't public."


class Dialled(list[tuple[str, int]]):
    """The addresses that would have been connected to."""


@pytest.fixture(autouse=True)
def _keys(settings: Settings) -> Iterator[None]:
    with own_keys(settings, key(1)):
        yield


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> Dialled:
    """Nothing in this process connects to anything: it is noted, and refused."""
    found = Dialled()

    def connect(_: socket.socket, address: Any) -> None:
        found.append(address[:2])
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket.socket, "connect_ex", connect)
    return found


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Zone]:
    """What the only name server knows; see NameServer."""
    with NameServer({}) as names:
        resolver = partial(addresses.Resolver, nameservers=["127.0.0.1"], udp_port=names.port)
        monkeypatch.setattr(addresses, "Resolver", resolver)
        yield names.zone


@pytest.fixture(autouse=True)
def _certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would be read for each sender, which takes longer than all the rest."""
    monkeypatch.setattr("ssl.create_default_context", lambda: CERTIFICATES)


# URLs


@pytest.mark.parametrize("url", [*(f"https://{host}/" for host in HOSTILE_HOSTS), *HOSTILE_URLS])
def test_a_hostile_url_is_refused_and_not_dialled(url: str, dialled: Dialled) -> None:
    assert problem_of(url)
    answer = send(url)

    assert dialled == []
    assert answer.error.startswith("The URL is refused. ")
    assert answer.status_code is None


@pytest.mark.parametrize("host", HOSTILE_HOSTS)
def test_no_host_is_dialled_that_the_urls_check_let_through(
    host: str, dialled: Dialled, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "problem_of", lambda url: None)
    zone |= {name: [["127.0.0.1", "::1"]] for name in ("localhost", "metadata", "intranet")}
    answer = send(f"http://{host}/")

    assert dialled == []
    assert answer.error
    assert answer.status_code is None


@pytest.mark.parametrize("url", [f"https://{host}/" for host in HOSTILE_HOSTS])
def test_what_is_allowed_for_development_is_loopback_alone(
    url: str, dialled: Dialled, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WEBHOOK_ALLOW_LOOPBACK = True
    monkeypatch.setattr(addresses, "problem_of", lambda url: None)
    send(url)

    assert all(_plain(ip_address(host)).is_loopback for host, _ in dialled)


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The address without a disguise that is looked through."""
    if isinstance(address, IPv6Address):
        if address in ip_network("64:ff9b::/96"):
            return IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address
    return address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (f"https://{PUBLIC}/", (PUBLIC, 443)),
        (f"https://{PUBLIC}:8443/x?y=z", (PUBLIC, 8443)),
        (f"https://[{PUBLIC_6}]/", (PUBLIC_6, 443)),
        ("https://1.1.1.1", ("1.1.1.1", 443)),
        ("https://[2606:4700:4700:0000::1111]:99/", ("2606:4700:4700::1111", 99)),
        ("https://[64:ff9b::5db8:d822]/", ("64:ff9b::5db8:d822", 443)),
    ],
)
def test_a_public_address_is_dialled_as_it_is(
    url: str, address: tuple[str, int], dialled: Dialled
) -> None:
    assert problem_of(url) is None
    answer = send(url)

    assert dialled == [address]
    assert answer.error == "It can't be connected to (Connection refused)."


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/webhooks",
        "https://example.com",
        "https://example.com:8443/a/b?c=d&e=%20",
        "https://hooks.example.co.uk/T/B/x",
        "https://EXAMPLE.com/",
        "https://example.com./",
        "https://xn--mnchen-3ya.example/",
        "https://a-b.example.com/~x/@y/;z/'",
        "https://123.example.com/",
        "https://1.2.3.4.example.com/",
        "https://0x7f.example.com/",
        "https://localhost.example.com/",
        "https://internal.example.com/",
        "https://example.com/" + "x" * 1900,
        "https://example.com/?url=http://127.0.0.1/",
        "https://example.com/http://user:password@127.0.0.1/",
    ],
)
def test_an_ordinary_url_is_accepted(url: str) -> None:
    assert problem_of(url) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.9.10", "localhost."])
def test_loopback_and_http_are_for_development(host: str, settings: Settings) -> None:
    urls = [f"http://{host}:8000/x", f"https://{host}/"]
    assert all(problem_of(url) for url in urls)

    settings.WEBHOOK_ALLOW_LOOPBACK = True
    assert [problem_of(url) for url in urls] == [None, None]
    assert problem_of("http://example.com/") == "It must start with https://"
    assert problem_of(f"http://{PUBLIC}/") == "It must start with https://"
    assert problem_of("https://10.0.0.1/") == "Its host isn't public."


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_ports_of_loopback_can_be_allowed_alone(host: str, settings: Settings) -> None:
    settings.WEBHOOK_ALLOW_LOOPBACK = frozenset({9001, 9002})

    assert problem_of(f"http://{host}:9001/x") is None
    assert problem_of(f"https://{host}:9002/x") is None
    assert problem_of(f"http://{host}:9003/x")
    assert problem_of(f"http://{host}/")
    assert problem_of("http://example.com:9001/") == "It must start with https://"
    assert problem_of("https://10.0.0.1:9001/") == "Its host isn't public."


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_a_socket_is_made_to_allowed_ports_of_loopback_alone(host: str, settings: Settings) -> None:
    settings.WEBHOOK_ALLOW_LOOPBACK = frozenset({9001})
    family = socket.AF_INET6 if ":" in host else socket.AF_INET

    def opened(port: int) -> socket.socket:
        return addresses.open_socket((family, socket.SOCK_STREAM, 0, "", (host, port)))

    opened(9001).close()
    with pytest.raises(AddressRefused):
        opened(9003)
    with pytest.raises(AddressRefused):
        vet(host)


@given(st.text(max_size=40))
def test_whatever_is_typed_gets_an_answer(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{text}/", f"https://example.com{text}"):
        problem = problem_of(url)
        assert problem is None or problem.endswith((".", "https://"))


# Names


@pytest.mark.parametrize(
    "records",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["0.0.0.0"],  # noqa: S104
        ["192.0.0.192"],
        ["100.64.0.1"],
        ["::1"],
        ["::"],
        ["fe80::1"],
        ["fd00:ec2::254"],
        ["::ffff:127.0.0.1"],
        ["::ffff:10.0.0.1"],
        ["64:ff9b::10.0.0.1"],
        ["2002:a00:1::1"],
        # One public address doesn't make up for another that isn't.
        [PUBLIC, "10.0.0.1"],
        ["10.0.0.1", PUBLIC],
        [PUBLIC, PUBLIC_6, "::1"],
        [PUBLIC_6, "127.0.0.1"],
        ["inner.example.com"],
        ["outer.example.com"],
    ],
)
def test_a_name_with_an_address_that_is_not_public_is_not_dialled(
    records: list[str], dialled: Dialled, zone: Zone
) -> None:
    zone["hooks.example.com"] = [records]
    zone["inner.example.com"] = [["192.168.1.1"]]
    zone["outer.example.com"] = [["inner.example.com"]]
    answer = send("https://hooks.example.com/")

    assert dialled == []
    assert answer.error == NOT_PUBLIC


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([PUBLIC], {PUBLIC}),
        ([PUBLIC_6], {PUBLIC_6}),
        ([PUBLIC, "1.1.1.1"], {PUBLIC, "1.1.1.1"}),
        ([PUBLIC, PUBLIC_6], {PUBLIC, PUBLIC_6}),
        (["outer.example.com"], {PUBLIC}),
    ],
)
def test_a_names_public_addresses_are_dialled_exactly(
    records: list[str], expected: set[str], dialled: Dialled, zone: Zone
) -> None:
    zone["hooks.example.com"] = [records]
    zone["outer.example.com"] = [[PUBLIC]]
    answer = send("https://hooks.example.com:8443/")

    assert set(dialled) == {(host, 8443) for host in expected}
    assert answer.error.startswith("It can't be connected to (")


def test_a_name_that_leads_elsewhere_the_second_time_leads_nowhere(
    dialled: Dialled, zone: Zone
) -> None:
    async def thrice(sender: Sender) -> list[Answer]:
        answers = []
        for _ in range(3):
            answers.append(
                await sender.send(attempt("https://hooks.example.com/"), customer_id=CUSTOMER_ID)
            )
            connector = sender._session.connector
            assert connector is not None
            # The time passes for which an answer is kept.
            connector.clear_dns_cache()  # type: ignore[attr-defined]
        return answers

    zone["hooks.example.com"] = [[PUBLIC], ["127.0.0.1"], ["169.254.169.254"]]
    answers = with_sender(thrice)

    assert dialled == [(PUBLIC, 443)]
    assert [answer.error for answer in answers[1:]] == [NOT_PUBLIC, NOT_PUBLIC]


def test_an_address_is_vetted_once_more_when_it_is_dialled(
    dialled: Dialled, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the resolver says: its own vetting left out."""
    monkeypatch.setattr(RESOLVER, "resolve", AsyncResolver.resolve)
    zone["hooks.example.com"] = [["10.0.0.1", "127.0.0.1", "::1"]]
    answer = send("https://hooks.example.com/")

    assert dialled == []
    assert answer.error == NOT_PUBLIC


@pytest.mark.parametrize("name", ["none.example.com", "empty.example.com"])
def test_a_name_without_an_address_is_reported_as_such(
    name: str, dialled: Dialled, zone: Zone
) -> None:
    zone["empty.example.com"] = [[]]
    answer = send(f"https://{name}/")

    assert dialled == []
    assert answer.error == "The name of its host can't be resolved."


def test_a_name_server_that_does_not_answer_is_waited_for_within_the_deadline(
    dialled: Dialled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.webhooks.sender.DEADLINE_SECONDS", 0.3)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        resolver = partial(RESOLVER, nameservers=["127.0.0.1"], udp_port=port, timeout=0.6, tries=1)
        monkeypatch.setattr(addresses, "Resolver", resolver)

        async def wait(sender: Sender) -> Answer:
            found = await sender.send(
                attempt("https://hooks.example.com/"), customer_id=CUSTOMER_ID
            )
            # Until nothing is asked any more: the event loop ends with this.
            await asyncio.sleep(1)
            return found

        answer = with_sender(wait)

    assert dialled == []
    assert answer.error.startswith("There was no complete answer within")


# Addresses

# IANA's registries of special-purpose addresses, less what they call globally reachable, and what
# else isn't unicast on the public internet.
SPECIAL_4: Final = [
    ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/29", "192.0.0.8/32", "192.0.0.170/31", "192.0.0.192/32",
        "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
    )
]  # fmt: skip
SPECIAL_6: Final = [
    ip_network(text)
    for text in (
        "::/96", "::ffff:0:0:0/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/32",
        "2001:2::/48", "2001:10::/28", "2001:db8::/32", "2002::/16", "3fff::/20", "4000::/2",
        "5f00::/16", "8000::/1", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
]  # fmt: skip


def within(networks: list[IPv4Network | IPv6Network]) -> st.SearchStrategy[Any]:
    return st.sampled_from(networks).flatmap(lambda network: st.ip_addresses(network=str(network)))


@given(within(SPECIAL_4))
@hypothesis_settings(max_examples=500)
def test_no_special_ipv4_address_may_be_dialled_in_any_disguise(address: IPv4Address) -> None:
    number = int(address)
    disguises: list[IPv4Address | IPv6Address] = [
        address,
        IPv6Address((0xFFFF << 32) | number),  # mapped
        IPv6Address(number),  # compatible
        IPv6Address((0xFFFF << 48) | number),  # translated
        IPv6Address((0x64FF9B << 96) | number),  # NAT64
        IPv6Address((0x2002 << 112) | (number << 80) | 1),  # 6to4
        IPv6Address((0x20010000 << 96) | (number << 64) | 1),  # Teredo's server
        IPv6Address((0x20010000 << 96) | (number ^ 0xFFFFFFFF)),  # Teredo's client
    ]
    for disguise in disguises:
        assert not may_dial(disguise), disguise
        with pytest.raises(AddressRefused):
            vet(str(disguise))
        host = f"[{disguise}]" if disguise.version == 6 else str(disguise)
        assert problem_of(f"https://{host}/"), disguise


@given(within(SPECIAL_6))
@hypothesis_settings(max_examples=500)
def test_no_special_ipv6_address_may_be_dialled(address: IPv6Address) -> None:
    assert not may_dial(address)
    assert not may_dial(IPv6Address(f"{address}%lo"))
    assert problem_of(f"https://[{address}]/")
    with pytest.raises(AddressRefused):
        vet(str(address))


@given(st.ip_addresses())
@hypothesis_settings(max_examples=1000, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_allowed_for_development_adds_loopback_and_nothing_else(
    settings: Settings, address: IPv4Address | IPv6Address
) -> None:
    settings.WEBHOOK_ALLOW_LOOPBACK = False
    before = may_dial(address)
    settings.WEBHOOK_ALLOW_LOOPBACK = True

    assert may_dial(address) == (before or _plain(address).is_loopback)


@pytest.mark.parametrize("host", ["", "example.com", "1", "127.1", "::1%", "x" * 1000, "1.2.3.4 "])
def test_what_is_no_address_is_not_dialled(host: str) -> None:
    with pytest.raises(AddressRefused):
        vet(host)
