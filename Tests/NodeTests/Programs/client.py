"""Requests from inside a pod.

Reads {"concurrency": N, "requests": [...]} from standard input and prints a list with one answer per request, in order
(a request with a count gives that many). A request:

  address, port     where to connect; a name is looked up as an app would, family 4 or 6 restricts it
  how               plain (blocking), nonblocking, fastopen (MSG_FASTOPEN), fastopen-connect (TCP_FASTOPEN_CONNECT),
                    asyncio, http.client, h2 (HTTP/2 with prior knowledge; the Host field is the authority)
  method, target, headers [[name, value], ...], body
  count, reuse      repetitions, and whether a connection is kept for the next request of the same worker
  timeout           seconds for each step

An answer has status, headers, trailers (h2), body, peer (getpeername), local, connection (how many requests it had before), seconds;
or error.
"""

import asyncio
import errno
import http.client
import json
import select
import socket
import sys
import threading
import time

TCP_FASTOPEN_CONNECT = 30


def candidates(request):
    family = {4: socket.AF_INET, 6: socket.AF_INET6}.get(request.get("family"), 0)
    return socket.getaddrinfo(request["address"], request["port"], family, socket.SOCK_STREAM)


def message(request):
    headers = request.get("headers", [])
    lines = [f"{request.get('method', 'GET')} {request.get('target', '/')} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers]
    body = request.get("body", "").encode()
    names = [name.lower() for name, _ in headers]
    if body and "content-length" not in names and "transfer-encoding" not in names:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def connect(request, data):
    """A connected socket, and what of data is still to be sent."""
    how = request.get("how", "plain")
    failure = OSError("no address")
    for family, kind, protocol, _, address in candidates(request):
        sock = socket.socket(family, kind, protocol)
        sock.settimeout(request.get("timeout", 20))
        try:
            if how == "nonblocking":
                sock.setblocking(False)
                code = sock.connect_ex(address)
                if code not in (0, errno.EINPROGRESS):
                    raise OSError(code, "connect")
                if not select.select([], [sock], [], request.get("timeout", 20))[1]:
                    raise TimeoutError("connect")
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code:
                    raise OSError(code, "connect")
                sock.settimeout(request.get("timeout", 20))
            elif how == "fastopen":
                # Blocking: without a cookie a non-blocking socket says EINPROGRESS and takes no data.
                sock.settimeout(None)
                sent = sock.sendto(data, socket.MSG_FASTOPEN, address)
                sock.settimeout(request.get("timeout", 20))
                data = data[sent:]
            else:
                if how == "fastopen-connect":
                    sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
                sock.connect(address)
            return sock, data
        except OSError as error:
            failure = error
            sock.close()
    raise failure


def text_of(response):
    return response.read().decode("utf-8", "surrogateescape")


def name_of(address):
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def ask(request, kept):
    """One request; kept maps a destination to [socket, requests served]."""
    key = (request["address"], request["port"], request.get("family"), request.get("how"))
    data = message(request)
    held = kept.pop(key, None)
    if held is None:
        sock, rest = connect(request, data)
        held = [sock, 0]
    else:
        sock, rest = held[0], data
    try:
        if rest:
            sock.sendall(rest)
        response = http.client.HTTPResponse(sock, method=request.get("method", "GET"))
        response.begin()
        body = text_of(response)
        answer = {
            "status": response.status,
            "headers": [[name, value] for name, value in response.getheaders()],
            "body": body,
            "peer": name_of(sock.getpeername()),
            "local": name_of(sock.getsockname()),
            "connection": held[1],
        }
        closing = response.will_close
        response.close()
    except Exception:
        sock.close()
        raise
    held[1] += 1
    if request.get("reuse") and not closing:
        kept[key] = held
    else:
        sock.close()
    return answer


def ask_by_http2(request, kept):
    """Adds to kept, under its own kind of key, an http2.Connection."""
    # Beside the sources nothing may be left.
    sys.dont_write_bytecode = True
    import http2

    key = (request["address"], request["port"], request.get("family"), "h2")
    held = kept.pop(key, None)
    connection = held[0] if held else http2.Connection(connect(request, b"")[0])
    served = connection.served
    try:
        answer = connection.ask(request)
        answer["peer"], answer["local"] = name_of(connection.sock.getpeername()), name_of(connection.sock.getsockname())
    except Exception:
        connection.close()
        raise
    answer["connection"] = served
    if request.get("reuse") and connection.isOpen:
        kept[key] = [connection, served + 1]
    else:
        connection.close()
    return answer


def ask_by_http_client(request):
    connection = http.client.HTTPConnection(request["address"], request["port"], timeout=request.get("timeout", 20))
    headers = dict(request.get("headers", []))
    connection.request(request.get("method", "GET"), request.get("target", "/"), request.get("body") or None, headers)
    peer, local = connection.sock.getpeername(), connection.sock.getsockname()
    response = connection.getresponse()
    answer = {
        "status": response.status,
        "headers": [[name, value] for name, value in response.getheaders()],
        "body": text_of(response),
        "peer": name_of(peer),
        "local": name_of(local),
        "connection": 0,
    }
    connection.close()
    return answer


def ask_by_asyncio(request):
    async def go():
        family = {4: socket.AF_INET, 6: socket.AF_INET6}.get(request.get("family"), 0)
        reader, writer = await asyncio.open_connection(request["address"], request["port"], family=family)
        writer.write(message(request))
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = [[part.strip() for part in line.split(":", 1)] for line in lines[1:] if line]
        length = next(int(value) for name, value in headers if name.lower() == "content-length")
        body = await reader.readexactly(length)
        answer = {
            "status": int(lines[0].split()[1]),
            "headers": headers,
            "body": body.decode("utf-8", "surrogateescape"),
            "peer": name_of(writer.get_extra_info("peername")),
            "local": name_of(writer.get_extra_info("sockname")),
            "connection": 0,
        }
        writer.close()
        await writer.wait_closed()
        return answer

    return asyncio.run(asyncio.wait_for(go(), request.get("timeout", 20)))


def answer(request, kept):
    start = time.monotonic()
    try:
        how = request.get("how", "plain")
        if how == "h2":
            result = ask_by_http2(request, kept)
        elif how == "http.client":
            result = ask_by_http_client(request)
        elif how == "asyncio":
            result = ask_by_asyncio(request)
        else:
            result = ask(request, kept)
    except Exception as error:
        result = {"error": f"{type(error).__name__}: {error}"}
    result["seconds"] = time.monotonic() - start
    return result


def main():
    work = json.load(sys.stdin)
    jobs = [request for request in work["requests"] for _ in range(request.get("count", 1))]
    answers = [None] * len(jobs)
    position = iter(range(len(jobs)))
    lock = threading.Lock()

    def worker():
        kept = {}
        while True:
            with lock:
                index = next(position, None)
            if index is None:
                break
            answers[index] = answer(jobs[index], kept)
        for held in kept.values():
            held[0].close()

    threads = [threading.Thread(target=worker) for _ in range(min(work.get("concurrency", 1), len(jobs)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    json.dump(answers, sys.stdout)


main()
