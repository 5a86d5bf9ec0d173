"""HAProxy: which slot the public port leads to, and what HAProxy counts of each."""

import csv
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.commands import StageFailed
from deploy.layout import NOBODY, Layout

_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Counters:
    """What HAProxy has counted of a slot since it started, and how it finds it now."""

    status: str
    check: str
    server_errors: int
    failed_connections: int
    failed_responses: int
    requests: int
    under_way: int

    @property
    def is_up(self) -> bool:
        return self.status.startswith("UP")

    @property
    def errors(self) -> int:
        # A response that failed is answered with a 502, which server_errors has as well.
        return max(self.server_errors, self.failed_connections + self.failed_responses)

    def since(self, before: "Counters") -> str:
        """What was counted after another count, in words."""
        return (
            f"{self.server_errors - before.server_errors} answers of 5xx, "
            f"{self.failed_connections - before.failed_connections} failed connections and "
            f"{self.failed_responses - before.failed_responses} failed responses in "
            f"{self.requests - before.requests} requests"
        )


class Traffic:
    """HAProxy's socket. Raises StageFailed where it doesn't answer."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def lead_to(self, slot: str | None) -> None:
        """Have the public port lead to a slot (None: to nobody), now and after a restart."""
        # The file first: should HAProxy restart in between, it reads the same.
        self._layout.write_live(slot)
        file = self._layout.live_map
        answer = self._ask(f"set map {file} live {slot or NOBODY}").strip()
        if answer or self.live() != slot:
            raise StageFailed(f"HAProxy didn't take the switch to {slot}: {answer or 'unchanged'}")

    def live(self) -> str | None:
        """The slot that HAProxy leads to."""
        answer = self._ask(f"show map {self._layout.live_map}")
        for line in answer.splitlines():
            match line.split():
                case [_, "live", slot]:
                    return None if slot == NOBODY else slot
        raise StageFailed(f"HAProxy doesn't know the map {self._layout.live_map}: {answer.strip()}")

    def counters(self, slot: str) -> Counters:
        """What it has counted of a slot."""
        rows = list(csv.DictReader(self._ask("show stat").lstrip("# ").splitlines()))
        [backend] = [r for r in rows if r["pxname"] == slot and r["svname"] == "BACKEND"]
        [server] = [r for r in rows if r["pxname"] == slot and r["svname"] == "web"]
        return Counters(
            status=server["status"],
            check=f"{server['check_status'].lstrip('* ')} {server['last_chk']}".strip(),
            server_errors=int(backend["hrsp_5xx"] or 0),
            failed_connections=int(backend["econ"] or 0),
            failed_responses=int(backend["eresp"] or 0),
            requests=int(backend["req_tot"] or 0),
            under_way=int(backend["scur"] or 0),
        )

    def expect_new(self, slot: str) -> None:
        """Have HAProxy forget that it found the slot healthy, until its checks say so again."""
        self._ask(f"set server {slot}/web health down")

    def drain(self, slot: str, seconds: float) -> int:
        """Wait until no request is under way in a slot; how many are after so long."""
        deadline = time.monotonic() + seconds
        while (left := self.counters(slot).under_way) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left

    def _ask(self, command: str) -> str:
        path: Path = self._layout.haproxy_socket
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.settimeout(_SECONDS)
                client.connect(str(path))
                client.sendall(f"{command}\n".encode())
                answer = b""
                while piece := client.recv(65536):
                    answer += piece
        except OSError as error:
            raise StageFailed(
                f"HAProxy doesn't answer on {path}: {error}. See {self._layout.log('haproxy')}."
            ) from error
        return answer.decode(errors="replace")
