"""Time the API's lists at one tenant's million claims, among fifty others.

    python -m perf.api_bench [--quick] [--keep] [--only REGEX]

Every list: its first page, one of 100 rows, a page 90 % of the way in, the last page by going
backward; every filter with a frequent and a rare value, and with values that lie together; search;
every ordering. Each request goes through the whole WSGI application in this process, as the web
login, with a member's token; one at a time, turn by turn. Bars, for the 95th percentile of what the
server takes: 30 ms for each first page, 100 ms for everything else, 500 ms where half of all claims
match and all of them lie far from where the list begins. Exit 1 when one is missed.
"""

import argparse
import io
import json
import os
import re
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
os.environ.setdefault("CLAIMDRIFT_ACCESS_LOG", "false")

import django
from django.db import connections
from psycopg2.extensions import connection as Connection

from perf import api_world
from perf.api_lists import all_requests
from perf.api_requests import Ask
from perf.bench import RESULTS, BenchDatabase, save

ROUNDS = 30
WARM_UP = 2
BASE = "/api/v1/"


class Client:
    """One client of the application."""

    def __init__(self) -> None:
        from django.core.wsgi import get_wsgi_application

        self._application: Callable[..., Any] = get_wsgi_application()

    def get(self, url: str, token: str) -> tuple[float, dict[str, Any]]:
        """Milliseconds from request to last byte, and the answer."""
        path, _, query = url.partition("?")
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": BASE + path,
            "QUERY_STRING": query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "HTTP_AUTHORIZATION": f"Bearer {token}",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.url_scheme": "http",
        }
        begun: list[str] = []
        start = time.perf_counter()
        response = self._application(environ, lambda status, _headers: begun.append(status))
        body = b"".join(response)
        response.close()
        took = (time.perf_counter() - start) * 1000
        assert begun == ["200 OK"], (url, begun, body)
        return took, json.loads(body)


def resolve(client: Client, ask: Ask, token: str, owner: Connection, customer_id: int) -> str:
    """The request's URL. A page far in has the cursor that thousands of `next` would lead to."""
    query = dict(ask.query)
    url = f"{ask.path}?{urlencode(query)}"
    if ask.place is None:
        return url
    from django.core import signing

    from api.pagination import SALT

    _, answer = client.get(url, token)
    if answer["next"] is None:
        return url
    [cursor] = parse_qs(urlsplit(answer["next"]).query)["cursor"]
    content = signing.loads(cursor, salt=SALT)
    content["k"] = ask.place.key(owner, customer_id, content["k"])
    content["r"] = ask.place.backward
    return f"{ask.path}?{urlencode(query | {'cursor': signing.dumps(content, salt=SALT)})}"


def measure(
    client: Client, asks: list[Ask], world: api_world.World, owner: Connection, rounds: int
) -> list[dict[str, Any]]:
    tokens = {False: world.token, True: world.superuser_token}
    urls = [
        resolve(client, ask, tokens[ask.as_superuser], owner, world.customer_id) for ask in asks
    ]
    answers: list[dict[str, Any]] = []
    times: list[list[float]] = [[] for _ in asks]
    for turn in range(WARM_UP + rounds):
        for ask, url, mine in zip(asks, urls, times, strict=True):
            took, answer = client.get(url, tokens[ask.as_superuser])
            if turn == 0:
                answers.append(answer)
            if turn >= WARM_UP:
                mine.append(took)
    return [
        {
            "list": ask.list,
            "request": ask.name,
            "kind": ask.kind,
            "count": f"{answer['count']}{'' if answer['count_exact'] else '+'}",
            "rows": len(answer["results"]),
            "p50_ms": round(statistics.median(mine), 1),
            "p95_ms": round(statistics.quantiles(mine, n=20, method="inclusive")[-1], 1),
            "max_ms": round(max(mine), 1),
            "bar_ms": ask.bar,
        }
        for ask, answer, mine in zip(asks, answers, times, strict=True)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the claims, no bars")
    parser.add_argument("--keep", action="store_true", help="keep the database, or use the kept")
    parser.add_argument("--only", default="", help="only requests that match; keeps no result")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    scale = 10 if options.quick else 1
    django.setup()
    database = BenchDatabase("perf_api", keep=options.keep)
    connections["default"].settings_dict |= {"NAME": database.name, "USER": "claimdrift_web"}
    try:
        owner = database.connect("claimdrift_migrator")
        world = api_world.build(owner, scale) if database.is_new else api_world.find(owner)
        asks = [
            ask
            for ask in all_requests(owner, world.customer_id)
            if re.search(options.only, f"{ask.list}: {ask.name}")
        ]
        rows = measure(Client(), asks, world, owner, options.rounds)
    finally:
        connections.close_all()
        database.close(keep=options.keep)
    kept = scale == 1 and not options.only
    save("api", rows, keep=kept, seed=api_world.SEED, claims=world.claims, rounds=options.rounds)
    if kept:
        from perf.api_chart import save_chart

        save_chart(RESULTS / "api.png", rows)
    if scale > 1:
        return 0
    missed = [row for row in rows if row["p95_ms"] >= row["bar_ms"]]
    for row in missed:
        print(f"missed: {row['list']}: {row['request']} under {row['bar_ms']} ms")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
