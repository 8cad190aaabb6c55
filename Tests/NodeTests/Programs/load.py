"""A closed loop of requests over N connections, with the time of each, until standard input ends.

  load.py FILE ADDRESS PORT CONNECTIONS [--header NAME] [--fresh] [--target T] [--host H] [--limit COUNT]

What is written down of each answer is its mark: the value of field NAME, or the member "pod" of the body. --fresh makes
a new connection for each request. Failures are written down too, and the loop goes on. FILE gets one record per request:
begin and end by CLOCK_MONOTONIC in ns (u64, u64), status (u16, 0 for a failure), mark (u16, an index into the list that
FILE.marks holds as JSON when the loop has ended; failures have their own marks). Prints a line after the first request and the number of requests at
the end.
"""

import argparse
import errno
import json
import os
import select
import socket
import struct
import sys
import time

RECORD = struct.Struct("<QQHH")


class Connection:
    __slots__ = ("sock", "begin", "buffer", "connecting")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int)
    parser.add_argument("--header")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--target", default="/")
    parser.add_argument("--host", default="echo")
    parser.add_argument("--limit", type=int, default=0)
    options = parser.parse_args()

    request = f"GET {options.target} HTTP/1.1\r\nHost: {options.host}\r\n\r\n".encode()
    wanted = ("\r\n" + options.header.lower() + ":").encode() if options.header else None
    family, kind, protocol, _, address = socket.getaddrinfo(
        options.address, options.port, 0, socket.SOCK_STREAM)[0]
    poll = select.epoll()
    out = open(options.file, "wb", buffering=1 << 20)
    marks, table, connections = [], {}, {}
    done = 0
    now = time.monotonic_ns

    def mark(text):
        index = table.get(text)
        if index is None:
            index = table[text] = len(marks)
            marks.append(text.decode("utf-8", "replace"))
        return index

    def start():
        connection = Connection()
        connection.sock = sock = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.buffer = b""
        connection.connecting = True
        connection.begin = now()
        code = sock.connect_ex(address)
        if code not in (0, errno.EINPROGRESS):
            record(connection, 0, b"! connect: " + errno.errorcode.get(code, str(code)).encode())
            sock.close()
            return None
        connections[sock.fileno()] = connection
        poll.register(sock.fileno(), select.EPOLLOUT)
        return connection

    def record(connection, status, text):
        nonlocal done
        out.write(RECORD.pack(connection.begin, now(), status, mark(text)))
        done += 1
        if done == 1:
            print("started", flush=True)

    def drop(connection):
        number = connection.sock.fileno()
        poll.unregister(number)
        del connections[number]
        connection.sock.close()

    def failed(connection, error):
        what = b"connect" if connection.connecting else b"request"
        name = errno.errorcode.get(error, str(error)) if isinstance(error, int) else error
        record(connection, 0, b"! " + what + b": " + name.encode())
        drop(connection)

    def answered(connection):
        """True when a whole answer has been taken from the buffer."""
        data = connection.buffer
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = data[:end].lower()
        at = head.find(b"\r\ncontent-length:")
        if at < 0:
            failed(connection, "no content-length")
            return None
        stop = head.find(b"\r\n", at + 2)
        length = int(head[at + 17: stop if stop >= 0 else None])
        if len(data) < end + 4 + length:
            return False
        status = int(data[9:12])
        text = b""
        if wanted:
            at = head.find(wanted)
            if at >= 0:
                stop = data.find(b"\r\n", at + 2)
                text = data[at + len(wanted): stop].strip()
        else:
            at = data.find(b'"pod":"', end)
            if at >= 0:
                text = data[at + 7: data.find(b'"', at + 7)]
            else:
                text = b"? " + data[end + 4: end + 84]
        record(connection, status, text)
        connection.buffer = b""
        if options.fresh or b"\r\nconnection: close" in head:
            drop(connection)
            return None
        return True

    def ask(connection):
        connection.begin = now()
        try:
            connection.sock.send(request)
        except OSError as error:
            failed(connection, error.errno)

    poll.register(0, select.EPOLLIN | select.EPOLLHUP)
    running = True
    idle_since = 0
    while running:
        missing = options.connections - len(connections)
        for _ in range(missing):
            if start() is None:
                break
        if options.limit and done >= options.limit:
            break
        for number, events in poll.poll(0.05):
            if number == 0:
                running = False
                continue
            connection = connections.get(number)
            if connection is None:
                continue
            sock = connection.sock
            if connection.connecting:
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code:
                    failed(connection, code)
                    continue
                connection.connecting = False
                poll.modify(number, select.EPOLLIN)
                begin = connection.begin
                ask(connection)
                if options.fresh:
                    connection.begin = begin
                continue
            try:
                data = sock.recv(65536)
            except BlockingIOError:
                continue
            except OSError as error:
                failed(connection, error.errno)
                continue
            if not data:
                failed(connection, "closed")
                continue
            connection.buffer += data
            if answered(connection) and running:
                ask(connection)
    out.close()
    with open(options.file + ".marks", "w") as file:
        json.dump(marks, file)
    print(done)


main()
