"""A name server on loopback that gives the answers it is told to."""

import socket
import struct
import threading
from ipaddress import IPv4Address, ip_address
from types import TracebackType
from typing import Final

_TYPES: Final = {1: 4, 28: 6}  # A and AAAA
_CNAME: Final = 5


class NameServer:
    """Answers over UDP, from the moment it is entered. A context manager.

    `zone` has, for each name, the addresses of its first answer, its second... and from then on
    the last. An address may also be another name, to which it is an alias. Other names don't exist.
    """

    def __init__(self, zone: dict[str, list[list[str]]]) -> None:
        self.zone = zone
        # Both families are asked for at once, and get the same answer.
        self._turns: dict[tuple[str, int], int] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name="names")

    def __enter__(self) -> "NameServer":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stopping:
            stopping.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            question, sender = self._socket.recvfrom(4096)
            if not question:
                return
            self._socket.sendto(self._answer(question), sender)

    def _answer(self, question: bytes) -> bytes:
        labels = []
        place = 12
        while length := question[place]:
            labels.append(question[place + 1 : place + 1 + length].decode().lower())
            place += 1 + length
        name = ".".join(labels)
        kind = struct.unpack("!H", question[place + 1 : place + 3])[0]
        records = self._records(name, kind)
        head = question[:2] + struct.pack(
            "!HHHHH", 0x8180 if name in self.zone else 0x8183, 1, len(records), 0, 0
        )
        return head + question[12 : place + 5] + b"".join(records)

    def _records(self, name: str, kind: int) -> list[bytes]:
        turns = self.zone.get(name, [[]])
        turn = self._turns.get((name, kind), 0)
        self._turns[name, kind] = turn + 1
        records = []
        for value in turns[min(turn, len(turns) - 1)]:
            try:
                address = ip_address(value)
            except ValueError:
                records.append(_record(name, _CNAME, _encode(value)))
                records.extend(self._records(value, kind))
            else:
                if address.version == _TYPES.get(kind):
                    is_v4 = isinstance(address, IPv4Address)
                    records.append(_record(name, 1 if is_v4 else 28, address.packed))
        return records


def _encode(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def _record(name: str, kind: int, content: bytes) -> bytes:
    return _encode(name) + struct.pack("!HHIH", kind, 1, 0, len(content)) + content
