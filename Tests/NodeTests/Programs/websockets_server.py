"""A WebSocket server by the package websockets that sends each message back, fragment by fragment left to the package.

  websockets_server.py PORT

Offers the subprotocols `echo` and `chat`. Its answer's X-Saw is the handshake's `x-through`. Answers other requests than a handshake with 426 as the package does.
"""

import asyncio
import os
import sys

import websockets


async def echo(socket):
    async for message in socket:
        await socket.send(message)


async def main():
    def headers(_, request):
        return {"X-Pod": os.environ.get("POD_NAME", ""), "X-Saw": request.get("x-through", "")}

    async with websockets.serve(
            echo, None, int(sys.argv[1]), max_size=None, subprotocols=["echo", "chat"], extra_headers=headers):
        await asyncio.Future()


asyncio.run(main())
