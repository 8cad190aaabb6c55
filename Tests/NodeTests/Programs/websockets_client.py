"""Talks with a WebSocket server that sends every message back; fails with what is wrong.

  websockets_client.py [--http2] ADDRESS PORT AUTHORITY

Over HTTP/1.1 it is the package websockets' own client. --http2: the handshake is RFC 8441's by the package h2, the frames
are websockets'. Prints the fields of the answer to the handshake and the time of 1,000 messages in lockstep as JSON.
"""

import asyncio
import json
import os
import socket
import sys
import time

import websockets

http2 = "--http2" in sys.argv
address, port, authority = [word for word in sys.argv[1:] if word != "--http2"]


def expect(condition, *what):
    if not condition:
        raise AssertionError(*what)


class OverHTTP2:
    """The part of websockets' client that `talk` uses. Nothing else runs in this program, so calls may block."""

    def __init__(self):
        import h2.config
        import h2.connection
        import h2.events
        import h2.settings
        from websockets.connection import Connection, Side, State
        from websockets.frames import Opcode

        self.events, self.opcode = h2.events, Opcode
        self.sock = socket.create_connection((address, int(port)), 30)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.state = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=True, header_encoding="utf-8", validate_outbound_headers=False))
        self.state.initiate_connection()
        self.state.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1 << 20})
        self.state.increment_flow_control_window(1 << 20)
        self.frames = Connection(Side.CLIENT, State.OPEN, max_size=None)
        self.received, self.response_headers, self.ended = [], None, False
        self.flush()
        allowed = h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL
        while not self.state.remote_settings.get(allowed, 0):
            self.read()
        self.stream = self.state.get_next_available_stream_id()
        self.state.send_headers(self.stream, [
            (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":authority", authority),
            (":path", "/ws"), ("sec-websocket-version", "13"), ("sec-websocket-protocol", "echo"),
            ("origin", f"http://{authority}")])
        self.flush()
        while self.response_headers is None:
            self.read()
        expect(self.response_headers[":status"] == "200", "handshake", self.response_headers)
        self.subprotocol = self.response_headers.get("sec-websocket-protocol")

    def flush(self):
        if data := self.state.data_to_send():
            self.sock.sendall(data)

    def read(self):
        data = self.sock.recv(1 << 16)
        expect(data, "the connection was closed")
        for event in self.state.receive_data(data):
            if isinstance(event, self.events.ResponseReceived):
                self.response_headers = dict(event.headers)
            elif isinstance(event, self.events.DataReceived):
                self.state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self.frames.receive_data(event.data)
                self.received += self.frames.events_received()
            elif isinstance(event, self.events.StreamEnded):
                self.ended = True
            elif isinstance(event, (self.events.StreamReset, self.events.ConnectionTerminated)):
                raise AssertionError(repr(event))
        self.flush()

    def write(self):
        """Reads while the windows are closed: the far side sends back what it gets."""
        data = b"".join(self.frames.data_to_send())
        at = 0
        while at < len(data):
            size = min(
                len(data) - at, self.state.local_flow_control_window(self.stream), self.state.max_outbound_frame_size)
            if size > 0:
                self.state.send_data(self.stream, data[at:at + size])
                at += size
                self.flush()
            else:
                self.read()

    def send_one(self, message, fin=True, continues=False):
        data = message.encode() if isinstance(message, str) else message
        if continues:
            self.frames.send_continuation(data, fin)
        elif isinstance(message, str):
            self.frames.send_text(data, fin)
        else:
            self.frames.send_binary(data, fin)
        self.write()

    async def send(self, message):
        if isinstance(message, (str, bytes)):
            self.send_one(message)
        else:
            for index, part in enumerate(message):
                self.send_one(part, index == len(message) - 1, index > 0)

    def next_frame(self, *opcodes):
        while True:
            while not self.received:
                self.read()
            frame = self.received.pop(0)
            if frame.opcode in opcodes:
                return frame

    async def recv(self):
        frame = self.next_frame(self.opcode.TEXT, self.opcode.BINARY)
        kind, data = frame.opcode, frame.data
        while not frame.fin:
            frame = self.next_frame(self.opcode.CONT)
            data += frame.data
        return data.decode() if kind is self.opcode.TEXT else bytes(data)

    async def ping(self, data):
        self.frames.send_ping(data)
        self.write()

        async def pong():
            expect(self.next_frame(self.opcode.PONG).data == data, "pong")

        return pong()

    async def close(self, code, reason):
        self.frames.send_close(code, reason)
        self.write()
        self.close_code = int.from_bytes(self.next_frame(self.opcode.CLOSE).data[:2], "big")
        self.state.end_stream(self.stream)
        self.flush()
        while not self.ended:
            self.read()
        self.sock.close()


async def talk(peer):
    async def echoed(message, sent=None):
        await peer.send(message if sent is None else sent)
        answer = await peer.recv()
        expect(answer == message, "another message came back", type(answer), len(answer), "for", len(message))

    expect(peer.subprotocol == "echo", "subprotocol", peer.subprotocol)
    await echoed("grüß")
    await echoed("")
    await echoed(bytes(range(256)) * 16)
    for size in (0, 125, 126, 65_535, 65_536, 1 << 20, 16 << 20):
        await echoed(os.urandom(size))
    await echoed(b"one two three", [b"one ", b"two ", b"three"])
    await (await peer.ping(b"are you there"))
    began = time.monotonic()
    for number in range(1000):
        await echoed(f"message {number}")
    seconds = time.monotonic() - began
    await peer.close(1000, "enough")
    expect(peer.close_code == 1000, "close", peer.close_code)
    return {"headers": {name.lower(): value for name, value in peer.response_headers.items()}, "seconds": seconds}


async def main():
    if http2:
        result = await talk(OverHTTP2())
    else:
        peer = await websockets.connect(
            f"ws://{authority}/ws", host=address, port=int(port), max_size=None, subprotocols=["echo"],
            compression=None, open_timeout=30)
        result = await talk(peer)
    print(json.dumps(result))


asyncio.run(asyncio.wait_for(main(), 120))
