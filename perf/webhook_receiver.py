"""The receiver of perf.webhook_bench: says when each webhook came in, and answers as the path says.

    python -m perf.webhook_receiver PORTS

It listens on so many free ports of 127.0.0.1 and prints them. `POST /MILLISECONDS/NAME` answers 204
after so long, `POST /hang/NAME` never; `GET /count` how many were answered; `GET /take` is
JSON of what came since the last time: [path, webhook-id, seconds on the system's monotonic clock].
"""

import asyncio
import sys
import time

from aiohttp import web


class Receiver:
    """What came in, and the handlers."""

    def __init__(self) -> None:
        self.came: list[tuple[str, str, float]] = []
        self.answered = 0

    async def receive(self, request: web.Request) -> web.Response:
        self.came.append((request.path, request.headers["webhook-id"], time.monotonic()))
        await request.read()
        delay = request.match_info["delay"]
        await asyncio.sleep(3600 if delay == "hang" else int(delay) / 1000)
        self.answered += 1
        return web.Response(status=204)

    async def count(self, request: web.Request) -> web.Response:
        return web.json_response(self.answered)

    async def take(self, request: web.Request) -> web.Response:
        came, self.came = self.came, []
        return web.json_response(came)


async def main(ports: int) -> None:
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/{delay}/{name}", receiver.receive)
    application.router.add_get("/count", receiver.count)
    application.router.add_get("/take", receiver.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    for _ in range(ports):
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1000).start()
    print(*(address[1] for address in runner.addresses), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
