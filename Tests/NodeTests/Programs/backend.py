"""An HTTP/1.1 backend that fails as it is asked to, and remembers every request.

  backend.py PORT

Answers are of the shape of `weir echo`'s. Of the query:

  uuid, succeedAfter   the first so many requests with this uuid fail
  responseCode         with this status; without it they are answered by a TCP reset
  delayRetry           milliseconds that such a request waits first

GET /requests?prefix=P answers a list of the requests whose path begins with P: uuid, method, path, host, headers,
bodyLength, bodySHA256, time (seconds, monotonic).
"""

import hashlib
import http.server
import json
import os
import socket
import struct
import sys
import threading
import time
import urllib.parse

remembered = []
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def body(self):
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            data = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return data
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def answer(self, status, value, fields=()):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        for name, field in fields:
            self.send_header(name, field)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def handle_request(self):
        parts = urllib.parse.urlsplit(self.path)
        query = {name: values[0] for name, values in urllib.parse.parse_qs(parts.query).items()}
        if parts.path == "/requests":
            with lock:
                found = [one for one in remembered if one["path"].startswith(query["prefix"])]
            return self.answer(200, found)
        body = self.body()
        note = {
            "uuid": query.get("uuid"), "method": self.command, "path": self.path, "host": self.headers.get("host", ""),
            "headers": [{"name": name, "value": value} for name, value in self.headers.items()],
            "bodyLength": len(body), "bodySHA256": hashlib.sha256(body).hexdigest(), "time": time.monotonic(),
        }
        with lock:
            remembered.append(note)
            attempt = sum(1 for one in remembered if one["uuid"] and one["uuid"] == note["uuid"])
        if attempt and attempt <= int(query.get("succeedAfter", 0)):
            time.sleep(int(query.get("delayRetry", 0)) / 1000)
            if "responseCode" not in query:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                # The descriptor is dup'ed in rfile, so that close() alone would not reset.
                os.close(self.connection.detach())
                return
            return self.answer(int(query["responseCode"]), {"attempt": attempt}, [("X-Attempt", str(attempt))])
        host, port = self.client_address[:2]
        self.answer(200, dict(
            note, pod=os.environ.get("POD_NAME", ""), namespace=os.environ.get("POD_NAMESPACE", ""), protocol="HTTP/1.1",
            client=f"[{host}]:{port}", server=f"{self.server.server_port}"), [("X-Attempt", str(attempt))])

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_OPTIONS = do_PATCH = handle_request

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


Server(("::", int(sys.argv[1])), Handler).serve_forever()
