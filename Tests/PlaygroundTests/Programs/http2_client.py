"""Requests by HTTP/2 with prior knowledge, all of them on one connection and at once.

  http2_client.py PORT

Reads [{headers [[name, value], ...], body (hexadecimal), size, trailers [[name, value], ...]}, ...] from standard input;
a request's content is its body, or size times the letter a; without either it has none. Header names are sent as they
are. Prints {"streams": [...], "goAway": code or null, "closed": whether the server ended the connection first}, a stream
as headers, interim (a list of headers), body (hexadecimal, at most 1 MiB), length, trailers, reset (error code),
bytesSentBeforeInterim.
"""

import json
import socket
import sys

import h2.config
import h2.connection
import h2.events
import h2.settings

sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60)
state = h2.connection.H2Connection(h2.config.H2Configuration(
    client_side=True, header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False))
state.initiate_connection()
sock.sendall(state.data_to_send())


class Stream:
    def __init__(self, wish):
        self.wish = wish
        self.content = bytes.fromhex(wish["body"]) if "body" in wish else b"a" * wish.get("size", 0)
        self.sent, self.hasEnded, self.isOver, self.waits = 0, False, False, False
        self.answer = {
            "headers": [], "interim": [], "body": "", "length": 0, "trailers": [], "reset": None,
            "bytesSentBeforeInterim": None}


streams = {}
goAway, closed = None, False


def send():
    for number, stream in streams.items():
        if stream.hasEnded or stream.answer["reset"] is not None or stream.waits:
            continue
        while stream.sent < len(stream.content):
            room = min(state.local_flow_control_window(number), state.max_outbound_frame_size)
            if room <= 0:
                break
            state.send_data(number, stream.content[stream.sent:stream.sent + room])
            stream.sent += min(room, len(stream.content) - stream.sent)
        if stream.sent >= len(stream.content):
            if stream.wish.get("trailers"):
                state.send_headers(number, stream.wish["trailers"], end_stream=True)
            else:
                state.end_stream(number)
            stream.hasEnded = True
    sock.sendall(state.data_to_send())


def read():
    global goAway, closed
    data = sock.recv(1 << 16)
    if not data:
        closed = True
        return
    for event in state.receive_data(data):
        stream = streams.get(getattr(event, "stream_id", None))
        answer = stream.answer if stream else None
        if isinstance(event, h2.events.InformationalResponseReceived):
            answer["interim"].append(event.headers)
            answer["bytesSentBeforeInterim"] = stream.sent
            stream.waits = False
        elif isinstance(event, h2.events.ResponseReceived):
            answer["headers"] = event.headers
            stream.waits = False
        elif isinstance(event, h2.events.DataReceived):
            answer["length"] += len(event.data)
            if answer["length"] <= 1 << 20:
                answer["body"] += event.data.hex()
            state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            answer["trailers"] = event.headers
        elif isinstance(event, h2.events.StreamReset):
            answer["reset"] = int(event.error_code)
            stream.isOver = True
        elif isinstance(event, h2.events.StreamEnded):
            stream.isOver = True
        elif isinstance(event, h2.events.ConnectionTerminated):
            goAway = int(event.error_code)


while not state.remote_settings.get(h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL, 0):
    read()
for wish in json.load(sys.stdin):
    number = state.get_next_available_stream_id()
    streams[number] = stream = Stream(wish)
    hasContent = bool(stream.content or wish.get("trailers"))
    stream.hasEnded = not hasContent
    stream.waits = ["expect", "100-continue"] in wish["headers"]
    state.send_headers(number, [tuple(field) for field in wish["headers"]], end_stream=not hasContent)
send()
try:
    while not closed and not all(stream.isOver and stream.hasEnded or stream.answer["reset"] is not None
                                 for stream in streams.values()):
        read()
        if not closed:
            send()
except ConnectionError:
    closed = True
json.dump({"streams": [stream.answer for stream in streams.values()], "goAway": goAway, "closed": closed}, sys.stdout)
