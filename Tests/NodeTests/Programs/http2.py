"""HTTP/2 with prior knowledge for client.py: a connection that makes one request at a time."""

import socket

import h2.config
import h2.connection
import h2.events
import h2.settings

WINDOW = 1 << 20


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.served = 0
        self.isOpen = True
        self.state = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=True, header_encoding="latin-1", validate_outbound_headers=False))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.state.initiate_connection()
        self.state.update_settings({
            h2.settings.SettingCodes.ENABLE_PUSH: 0, h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: WINDOW})
        self.state.increment_flow_control_window(WINDOW)
        self.flush()

    def flush(self):
        data = self.state.data_to_send()
        if data:
            self.sock.sendall(data)

    def close(self):
        self.sock.close()

    def events(self):
        data = self.sock.recv(1 << 16)
        if not data:
            self.isOpen = False
            raise ConnectionError("the connection was closed before the answer's end")
        events = self.state.receive_data(data)
        self.flush()
        return events

    def ask(self, request):
        """Status, headers, trailers and body of the answer."""
        fields = [(name.lower(), value) for name, value in request.get("headers", [])]
        authority = next((value for name, value in fields if name == "host"), "")
        body = request.get("body", "").encode()
        head = [
            (":method", request.get("method", "GET")), (":scheme", "http"), (":authority", authority),
            (":path", request.get("target", "/"))]
        head += [field for field in fields if field[0] != "host"]
        if body and "content-length" not in dict(fields):
            head.append(("content-length", str(len(body))))
        stream = self.state.get_next_available_stream_id()
        self.state.send_headers(stream, head, end_stream=not body)
        self.flush()
        answer = {"headers": [], "trailers": []}
        content = b""
        over = False
        while not over:
            if body:
                size = min(
                    len(body), self.state.local_flow_control_window(stream), self.state.max_outbound_frame_size)
                if size > 0:
                    self.state.send_data(stream, body[:size], end_stream=size == len(body))
                    body = body[size:]
                    self.flush()
                    continue
            for event in self.events():
                if getattr(event, "stream_id", stream) not in (stream, 0):
                    continue
                if isinstance(event, h2.events.ResponseReceived):
                    answer["status"] = int(dict(event.headers)[":status"])
                    answer["headers"] = [list(pair) for pair in event.headers if not pair[0].startswith(":")]
                elif isinstance(event, h2.events.TrailersReceived):
                    answer["trailers"] = [list(pair) for pair in event.headers]
                elif isinstance(event, h2.events.DataReceived):
                    content += event.data
                    self.state.acknowledge_received_data(event.flow_controlled_length, stream)
                elif isinstance(event, h2.events.StreamEnded):
                    over = True
                elif isinstance(event, h2.events.StreamReset):
                    raise ConnectionError(f"RST_STREAM {event.error_code!r}")
                elif isinstance(event, h2.events.ConnectionTerminated):
                    self.isOpen = False
                    if event.error_code or event.last_stream_id < stream:
                        raise ConnectionError(f"GOAWAY {event.error_code!r} {event.additional_data!r}")
            self.flush()
        if body:
            # The answer came before the request's end: the rest is not wanted.
            self.state.reset_stream(stream)
            self.flush()
        answer["body"] = content.decode("utf-8", "surrogateescape")
        self.served += 1
        return answer
