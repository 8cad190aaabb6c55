import CLinux
import Glibc
import HTTPWire
import Model
import Proxy
import Reactor

// The three parties of an instruction count, each a process of its own so that only the proxy's work is counted:
//
//     Instructions server                          prints its port, answers every request with 64 bytes
//     Instructions proxy ENDPOINT                  prints its port, serves until its input ends
//     Instructions client PORT REQUESTS CONNECTIONS
//
// `Tests/Instructions/measure` runs the proxy under valgrind, twice, and prints the difference per request.

let loopback: UInt64 = 0xffff_7f00_0001

func listener() -> (fd: Int32, port: UInt16) {
    let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = clinux_address(high: 0, low: loopback, port: 0)
    guard clinux_bind(fd, &address) == 0, listen(fd, 1024) == 0, clinux_local_address(fd, &address) == 0 else {
        exit(1)
    }
    return (fd, address.port)
}

/// Answers each request head, which comes whole, with 64 bytes. One process for all connections.
func serve(_ listener: Int32) -> Never {
    let epoll = try! Epoll()
    _ = epoll.add(listener, Epoll.input, token: UInt64(UInt32.max))
    let text =
        "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: up\r\nContent-Type: text/plain\r\nContent-Length: 64\r\n\r\n"
        + String(repeating: "x", count: 64)
    let response = Array(text.utf8)
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = epoll.wait(timeout: -1)
        for index in 0..<count {
            let token = epoll.event(index).token
            if token == UInt64(UInt32.max) {
                let fd = accept(listener, nil, nil)
                _ = clinux_set_option(fd, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
                _ = epoll.add(fd, Epoll.input, token: UInt64(fd))
                continue
            }
            let received = recv(Int32(token), &buffer, buffer.count, 0)
            if received <= 0 { close(Int32(token)) } else { _ = send(Int32(token), response, response.count, 0) }
        }
    }
}

/// Sends `requests` requests over `connections` connections, all in flight at once; 0 when every answer came.
func drive(port: UInt16, requests: Int, connections: Int) -> Int32 {
    let request = Array(
        "GET /svc/a HTTP/1.1\r\nHost: echo.default\r\nUser-Agent: instructions\r\nAccept: */*\r\nx-route: a\r\n\r\n"
            .utf8)
    var sockets: [Int32] = []
    for _ in 0..<connections {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = clinux_address(high: 0, low: loopback, port: port)
        guard clinux_connect(fd, &address) == 0 else { return 1 }
        _ = clinux_set_option(fd, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        sockets.append(fd)
    }
    var buffer = [UInt8](repeating: 0, count: 65536)
    var sent = 0
    while sent < requests {
        for fd in sockets { _ = send(fd, request, request.count, 0) }
        for fd in sockets {
            let received = recv(fd, &buffer, buffer.count, 0)
            guard received > 100, buffer[9] == 0x32 else { return 2 }
        }
        sent += connections
    }
    return 0
}

func snapshot(endpoint: UInt16) -> Snapshot {
    let name = ObjectName(namespace: "default", name: "echo")
    let backend = Backend(
        service: name, port: 80, appProtocol: nil,
        endpoints: [Endpoint(address: IPAddress(v4: 0x7f00_0001), port: endpoint, pod: nil)])
    let filter = Filter.requestHeaderModifier(
        HeaderModifier(
            set: [HeaderModifier.Field(name: Array("x-forwarded-proto".utf8), value: Array("http".utf8))], add: [],
            remove: []))
    let rule = Rule(
        route: RouteReference(kind: .http, name: name), index: 0, name: nil,
        action: .forward(
            Backends([
                WeightedBackend(service: name, port: 80, weight: 1, target: .backend(backend), filters: [])
            ])), filters: [filter], timeouts: Timeouts(request: nil, backendRequest: nil))
    let match = RouteMatch(
        path: .prefix(Array("/svc".utf8)), method: nil,
        headers: [RouteMatch.Named(name: Array("x-route".utf8), value: .exact(Array("a".utf8)))], queryParams: [])
    let table = RouteTable(
        kind: .http, group: .producer, service: name, port: 80,
        entries: [RouteTableEntry(rule: rule, matches: [match], creationTimestamp: nil)])
    let port = ServicePort(
        service: name, name: nil, port: 80, transport: .tcp, appProtocol: nil, plain: backend, producer: table,
        consumers: [:])
    return Snapshot(generation: 1, services: [Service(name: name, ports: [port])], frontends: [])
}

let arguments = CommandLine.arguments
switch arguments.count > 1 ? arguments[1] : "" {
case "server":
    let endpoint = listener()
    print(endpoint.port)
    fflush(nil)
    serve(endpoint.fd)
case "proxy" where arguments.count == 3:
    let proxy = try Proxy(ProxyConfiguration())
    try proxy.start()
    proxy.publish(snapshot(endpoint: UInt16(arguments[2])!))
    let port = try proxy.listen(
        address: IPAddress(v4: 0x7f00_0001), port: 0, service: ObjectName(namespace: "default", name: "echo"),
        servicePort: 80, clientNamespace: "default")
    print(port)
    fflush(nil)
    _ = readLine()
    proxy.stop()
case "client" where arguments.count == 5:
    exit(drive(port: UInt16(arguments[2])!, requests: Int(arguments[3])!, connections: Int(arguments[4])!))
default:
    print("usage: Instructions server | proxy ENDPOINT | client PORT REQUESTS CONNECTIONS")
    exit(64)
}
