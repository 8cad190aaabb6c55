"""A WebSocket server over HTTP/2 (RFC 8441) that sends each frame back.

  websockets_http2_server.py PORT

Frames are the package websockets', HTTP/2 is h2's. Its answer's x-saw is the
request's `x-through`. Answers any other request than an extended CONNECT with 400.
"""

import os
import socket
import socketserver
import sys

import h2.config
import h2.connection
import h2.events
import h2.settings
from websockets.connection import Connection, Side, State
from websockets.frames import DATA_OPCODES, Opcode


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        state = self.state = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8", validate_inbound_headers=False))
        self.frames = {}
        self.waiting = {}
        state.initiate_connection()
        state.update_settings({h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL: 1})
        self.request.sendall(state.data_to_send())
        while data := self.request.recv(1 << 16):
            for event in state.receive_data(data):
                self.take(event)
            for stream in list(self.waiting):
                self.send(stream)
            self.request.sendall(state.data_to_send())

    def take(self, event):
        state = self.state
        if isinstance(event, h2.events.RequestReceived):
            head = dict(event.headers)
            if head[":method"] != "CONNECT" or head.get(":protocol") != "websocket":
                return state.send_headers(event.stream_id, [(":status", "400")], end_stream=True)
            answer = [(":status", "200"), ("x-pod", os.environ.get("POD_NAME", "")), ("x-saw", head.get("x-through", ""))]
            if "echo" in [one.strip() for one in head.get("sec-websocket-protocol", "").split(",")]:
                answer.append(("sec-websocket-protocol", "echo"))
            state.send_headers(event.stream_id, answer)
            self.frames[event.stream_id] = Connection(Side.SERVER, State.OPEN, max_size=None)
            self.waiting[event.stream_id] = bytearray()
        elif isinstance(event, h2.events.DataReceived) and event.stream_id in self.frames:
            state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            frames = self.frames[event.stream_id]
            frames.receive_data(event.data)
            for frame in frames.events_received():
                if frame.opcode is Opcode.TEXT:
                    frames.send_text(frame.data, frame.fin)
                elif frame.opcode is Opcode.BINARY:
                    frames.send_binary(frame.data, frame.fin)
                elif frame.opcode in DATA_OPCODES:
                    frames.send_continuation(frame.data, frame.fin)
            self.waiting[event.stream_id] += b"".join(frames.data_to_send())
        elif isinstance(event, h2.events.StreamReset):
            self.frames.pop(event.stream_id, None)
            self.waiting.pop(event.stream_id, None)

    def send(self, stream):
        """What the windows allow of what waits; the stream's end behind the answer to a close frame."""
        data, state = self.waiting[stream], self.state
        while data:
            size = min(len(data), state.local_flow_control_window(stream), state.max_outbound_frame_size)
            if size <= 0:
                break
            state.send_data(stream, bytes(data[:size]))
            del data[:size]
        if not data and self.frames[stream].state is not State.OPEN:
            state.end_stream(stream)
            del self.waiting[stream], self.frames[stream]


class Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


Server(("::", int(sys.argv[1])), Handler).serve_forever()
