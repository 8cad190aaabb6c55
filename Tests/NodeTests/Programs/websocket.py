"""A WebSocket server (RFC 6455) that sends each text or binary message back; any other request gets 426."""

import base64
import hashlib
import socketserver
import struct
import sys


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        headers = {}
        line = self.rfile.readline().decode("latin-1")
        if not line:
            return
        while (field := self.rfile.readline().decode("latin-1").strip()):
            name, value = field.split(":", 1)
            headers[name.lower()] = value.strip()
        if headers.get("upgrade", "").lower() != "websocket":
            self.wfile.write(b"HTTP/1.1 426 Upgrade Required\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            return
        key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.wfile.write(
            f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\nX-Pod: websocket\r\n\r\n".encode())
        while True:
            start = self.rfile.read(2)
            if len(start) < 2:
                return
            opcode, length = start[0] & 15, start[1] & 127
            if length == 126:
                length = struct.unpack(">H", self.rfile.read(2))[0]
            elif length == 127:
                length = struct.unpack(">Q", self.rfile.read(8))[0]
            mask = self.rfile.read(4) if start[1] & 128 else bytes(4)
            data = bytes(byte ^ mask[index % 4] for index, byte in enumerate(self.rfile.read(length)))
            head = bytes([start[0]])
            if length < 126:
                head += bytes([length])
            elif length < 65536:
                head += b"\x7e" + struct.pack(">H", length)
            else:
                head += b"\x7f" + struct.pack(">Q", length)
            self.wfile.write(head + data)
            if opcode == 8:
                return


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    address_family = socketserver.socket.AF_INET6


Server(("::", int(sys.argv[1])), Handler).serve_forever()
