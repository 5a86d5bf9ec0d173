"""Where webhooks may be sent: to public addresses, over https.

A URL is checked when it is entered, and again when it is dialled: names are resolved then, every
address that one has is vetted, and a vetted address is what the socket connects to. So a name that
leads elsewhere a moment later leads nowhere.
"""

import re
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from aiohttp.abc import ResolveResult
from aiohttp.resolver import AsyncResolver
from django.conf import settings
from yarl import URL

MAX_LENGTH: Final = 2000
# Each part a decimal, octal or hexadecimal number: what C libraries take for an IPv4 address.
_NUMERIC: Final = re.compile(r"(0x[0-9a-f]*|\d+)(\.(0x[0-9a-f]*|\d+))*\.?", re.IGNORECASE)
_LOCAL_NAMES: Final = re.compile(
    r"(^|\.)(localhost|localdomain|local|internal|intranet|lan|home|corp|home\.arpa)\.?$",
    re.IGNORECASE,
)
_NAME: Final = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", re.IGNORECASE)
# IPv6 that carries an IPv4 address which is where a packet ends up.
_NAT64: Final = IPv6Network("64:ff9b::/96")
# Nobody has a reason to receive there: relays and translators of a network's own, and what older
# releases of Python take for global.
_REFUSED: Final = (
    IPv4Network("192.0.0.0/24"),  # protocols' own; 192.0.0.192 has metadata at Oracle
    IPv4Network("192.88.99.0/24"),  # relays of 6to4
    IPv4Network("168.63.129.16/32"),  # the host of a virtual machine at Azure
    IPv6Network("3fff::/20"),  # documentation
    IPv6Network("2002::/16"),  # 6to4
    IPv6Network("2001::/32"),  # Teredo
    IPv6Network("64:ff9b:1::/48"),  # local NAT64
    IPv6Network("::/96"),  # IPv4-compatible
    IPv6Network("::ffff:0:0:0/96"),  # IPv4-translated
    IPv6Network("fec0::/10"),  # site-local
    IPv6Network("5f00::/16"),  # segment routing
)


class AddressRefused(OSError):
    """The host has an address that isn't public."""


def may_dial(address: IPv4Address | IPv6Address, port: int | None = None) -> bool:
    """Whether an address is public, or one of this machine's own where the settings allow those."""
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        if address.ipv4_mapped is not None:
            return may_dial(address.ipv4_mapped, port)
        if address in _NAT64:
            return may_dial(IPv4Address(int(address) & 0xFFFFFFFF), port)
    if address.is_loopback:
        return _may_dial_loopback(port)
    if any(address in network for network in _REFUSED):
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )


def _may_dial_loopback(port: int | None) -> bool:
    allowed: bool | frozenset[int] = settings.WEBHOOK_ALLOW_LOOPBACK
    return allowed if isinstance(allowed, bool) else port in allowed


def problem_of(url: str) -> str | None:
    """What is wrong with an endpoint's URL, in a sentence; None where nothing is."""
    if len(url) > MAX_LENGTH:
        return f"It has more than {MAX_LENGTH} characters."
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "It holds a space or another character that a URL can't: encode it."
    try:
        parts = URL(url)
        host = parts.raw_host
        port = parts.port
    except (ValueError, IndexError):
        return "It isn't a URL, such as https://example.com/webhooks."
    if parts.scheme not in {"http", "https"} or not host or not port:
        return "It isn't a URL, such as https://example.com/webhooks."
    if not re.match(r"https?://[^/?#]", url) or ("[" in url.split("/")[2]) != (":" in host):
        return "It isn't a URL, such as https://example.com/webhooks."
    if parts.user is not None or parts.password is not None or "@" in re.split("[/?#]", url)[2]:
        return "It holds a user or password: they would be sent to whoever answers there."
    if parts.fragment or "#" in url:
        return "It has a fragment (#...), which is never sent."
    return _problem_of_host(host, port, scheme=parts.scheme)


def _problem_of_host(host: str, port: int, *, scheme: str) -> str | None:
    try:
        address: IPv4Address | IPv6Address | None = ip_address(host)
    except ValueError:
        address = None
    if address is not None:
        is_local = address.is_loopback
        allowed = may_dial(address, port)
    elif _NUMERIC.fullmatch(host):
        return "Its host is a number: write the address or a name."
    elif not _NAME.fullmatch(host):
        return "Its host isn't a name or an address."
    else:
        is_local = host.rstrip(".").lower() == "localhost"
        allowed = (
            _may_dial_loopback(port)
            if is_local
            else "." in host.rstrip(".") and not _LOCAL_NAMES.search(host)
        )
    if not allowed:
        return "Its host isn't public."
    if scheme != "https" and not is_local:
        return "It must start with https://"
    return None


class Resolver(AsyncResolver):
    """Resolves names by DNS, without threads that a slow name server could use up, and vets them.

    A name with one address that may not be dialled is refused as a whole.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        results = await super().resolve(host, port, family)
        for result in results:
            vet(result["host"], port)
        return results


def vet(host: str, port: int | None = None) -> None:
    """Raise AddressRefused unless this address, in text, may be dialled."""
    try:
        allowed = may_dial(ip_address(host), port)
    except ValueError:
        allowed = False
    if not allowed:
        raise AddressRefused("The address isn't public.")


def open_socket(info: tuple[Any, ...]) -> socket.socket:
    """The socket for a connection that is about to be made: the last to ask, and always asked.

    `info` is an entry of getaddrinfo. Raises AddressRefused.
    """
    family, kind, protocol, _, address = info
    vet(str(address[0]), int(address[1]))
    return socket.socket(family=family, type=kind, proto=protocol)
