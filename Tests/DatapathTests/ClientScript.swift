/// The test's client: `client.py WAY ADDRESS PORT [COUNT]` connects in the given way, sends a request, and prints
/// `BODY | getpeername | getsockname` for each connection, or the name of the error.
let clientScript = #"""
    import errno, select, socket, sys, threading

    way, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
    MSG_FASTOPEN, TCP_FASTOPEN_CONNECT, IPPROTO_MPTCP = 0x20000000, 30, 262

    def make(protocol=0):
        s = socket.socket(family, socket.SOCK_STREAM, protocol)
        s.settimeout(5)
        return s

    def finish(s):
        data = b""
        peer, own = s.getpeername(), s.getsockname()
        while True:
            part = s.recv(4096)
            if not part:
                break
            data += part
        body = data.split(b"\r\n\r\n", 1)[1].decode()
        sys.stdout.write(f"{body} | {peer[0]} {peer[1]} | {own[0]}\n")

    def blocking(s):
        s.connect((address, port))
        s.sendall(request)
        finish(s)

    def one():
        if way == "blocking":
            blocking(make())
        elif way == "mptcp":
            blocking(make(IPPROTO_MPTCP))
        elif way == "source":
            s = make()
            s.bind((sys.argv[5], 0))
            blocking(s)
        elif way == "device":
            s = make()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
            blocking(s)
        elif way == "v6only":
            s = make()
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            blocking(s)
        elif way == "nonblocking":
            s = make()
            s.setblocking(False)
            assert s.connect_ex((address, port)) in (0, errno.EINPROGRESS)
            select.select([], [s], [], 5)
            assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            s.settimeout(5)
            s.sendall(request)
            finish(s)
        elif way == "fastopen":
            s = make()
            s.setblocking(True)
            s.sendto(request, MSG_FASTOPEN, (address, port))
            finish(s)
        elif way == "fastopen-connect":
            s = make()
            s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
            blocking(s)
        elif way == "udp":
            s = socket.socket(family, socket.SOCK_DGRAM)
            s.settimeout(5)
            s.sendto(b"x", (address, port))
            data, sender = s.recvfrom(100)
            print(data.decode(), "|", sender[0], sender[1])
        elif way == "udp-connected":
            s = socket.socket(family, socket.SOCK_DGRAM)
            s.settimeout(5)
            s.connect((address, port))
            s.send(b"x")
            data, sender = s.recvfrom(100)
            print(data.decode(), "|", sender[0], sender[1], "|", *s.getpeername()[:2])
        elif way == "udp-stable":
            s = socket.socket(family, socket.SOCK_DGRAM)
            s.settimeout(5)
            answers = set()
            for _ in range(20):
                s.sendto(b"x", (address, port))
                answers.add(s.recvfrom(100)[0].decode())
            print(len(answers))
        else:
            raise SystemExit("no such way: " + way)

    def guarded():
        try:
            one()
        except OSError as e:
            sys.stdout.write(errno.errorcode.get(e.errno, type(e).__name__) + "\n")

    if way == "threads":
        way = "blocking"
        threads = [threading.Thread(target=lambda: [guarded() for _ in range(count // 8)]) for _ in range(8)]
        for t in threads: t.start()
        for t in threads: t.join()
    else:
        for _ in range(count):
            guarded()
    """#
