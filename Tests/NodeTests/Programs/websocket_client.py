"""Opens a WebSocket (RFC 6455), sends one text and one binary message, and prints what came back as JSON."""

import base64
import hashlib
import json
import os
import socket
import struct
import sys

address, port, host = sys.argv[1], int(sys.argv[2]), sys.argv[3]
sock = socket.create_connection((address, port), 20)
key = base64.b64encode(os.urandom(16)).decode()
sock.sendall(
    f"GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
stream = sock.makefile("rb")
status = int(stream.readline().split()[1])
headers = {}
while (field := stream.readline().decode("latin-1").strip()):
    name, value = field.split(":", 1)
    headers[name.lower()] = value.strip()


def send(opcode, data):
    mask = os.urandom(4)
    head = bytes([0x80 | opcode])
    head += bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
    sock.sendall(head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(data)))


def receive():
    start = stream.read(2)
    length = start[1] & 127
    if length == 126:
        length = struct.unpack(">H", stream.read(2))[0]
    return start[0] & 15, stream.read(length)


result = {"status": status, "headers": headers}
if status == 101:
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    result["accepted"] = headers.get("sec-websocket-accept") == base64.b64encode(digest).decode()
    send(1, "grüß".encode())
    opcode, data = receive()
    result["text"] = [opcode, data.decode()]
    blob = bytes(range(256)) * 16
    send(2, blob)
    opcode, data = receive()
    result["binary"] = [opcode, data == blob]
    send(8, b"\x03\xe8")
    result["close"] = receive()[0]
    result["end"] = stream.read() == b""
print(json.dumps(result))
