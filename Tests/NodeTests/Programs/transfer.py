"""Large bodies whose every byte is known and checked.

  transfer.py serve PORT        an HTTP/1.1 server: GET /SIZE sends that many bytes; PUT or POST answers what it got, as
                                JSON {bytes, sha256}, and on /echo sends the body back while it comes
  transfer.py write SIZE        writes the same bytes to standard output
  transfer.py read              reads standard input; prints {bytes, sha256}
  transfer.py expected SIZE     what a reader of SIZE bytes has to print

The bytes are blocks of 1 MiB that begin with their number, so that no two are the same.
"""

import hashlib
import http.server
import json
import random
import socket
import sys

BLOCK = 1 << 20
FILLING = random.Random(1).randbytes(BLOCK - 8)


def blocks(size):
    for number in range(0, (size + BLOCK - 1) // BLOCK):
        yield (number.to_bytes(8, "big") + FILLING)[:size - number * BLOCK]


def summary(pieces):
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
    return json.dumps({"bytes": size, "sha256": digest.hexdigest()}) + "\n"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def body(self):
        if "content-length" in self.headers:
            left = int(self.headers["content-length"])
            while left > 0:
                piece = self.rfile.read1(min(left, BLOCK))
                if not piece:
                    raise ConnectionError("the body ended early")
                left -= len(piece)
                yield piece
        elif self.headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                while size > 0:
                    piece = self.rfile.read1(min(size, BLOCK))
                    if not piece:
                        raise ConnectionError("the body ended early")
                    size -= len(piece)
                    yield piece
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass

    def head(self, *fields):
        self.send_response(200)
        for name, value in fields:
            self.send_header(name, value)
        self.end_headers()

    def do_GET(self):
        size = int(self.path[1:])
        self.head(("Content-Length", str(size)))
        for block in blocks(size):
            self.wfile.write(block)

    def do_PUT(self):
        if self.path == "/echo":
            self.head(("Transfer-Encoding", "chunked"))
            for piece in self.body():
                self.wfile.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
        else:
            text = summary(self.body()).encode()
            self.head(("Content-Length", str(len(text))))
            self.wfile.write(text)

    do_POST = do_PUT

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 128


def main():
    command = sys.argv[1]
    if command == "serve":
        Server(("::", int(sys.argv[2])), Handler).serve_forever()
    elif command == "write":
        for block in blocks(int(sys.argv[2])):
            sys.stdout.buffer.write(block)
    elif command == "read":
        sys.stdout.write(summary(iter(lambda: sys.stdin.buffer.read1(BLOCK), b"")))
    elif command == "expected":
        sys.stdout.write(summary(blocks(int(sys.argv[2]))))


main()
