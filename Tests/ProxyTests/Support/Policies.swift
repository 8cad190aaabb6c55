import Foundation
import HTTPWire
import Model
import Proxy
import Reactor
import Synchronization
import Testing

/// One rule for all requests, with what it says about failures and sessions.
func policy(
    _ backends: WeightedBackend..., retry: Retry? = nil, session: SessionPersistence? = nil, filters: [Filter] = [],
    timeout: Double? = nil, backendTimeout: Double? = nil, kind: RouteKind = .http
) -> [RouteTableEntry] {
    let rule = Rule(
        route: RouteReference(kind: kind, name: ObjectName(namespace: "default", name: "route")), index: 0, name: nil,
        action: .forward(Backends(backends)), filters: filters,
        timeouts: Timeouts(
            request: timeout.map { UInt64($0 * 1e9) }, backendRequest: backendTimeout.map { UInt64($0 * 1e9) }),
        retry: retry, sessionPersistence: session)
    return [RouteTableEntry(rule: rule, matches: [], creationTimestamp: nil)]
}

/// `backoff` in seconds.
func retry(_ codes: [UInt16] = [], attempts: Int, backoff: Double? = 0.001) -> Retry {
    Retry(codes: codes, attempts: attempts, backoff: backoff.map { UInt64($0 * 1e9) })
}

/// A backendRef whose Service has a traffic policy.
func governed(
    _ name: String, _ ports: [UInt16], _ version: HTTPVersion = .http11, budget: RetryBudget? = nil,
    session: SessionPersistence? = nil
) -> WeightedBackend {
    let plain = backend(name, ports, version)
    return WeightedBackend(
        service: plain.service, port: 80, weight: 1,
        target: .backend(
            Backend(
                service: plain.service, port: 80, appProtocol: plain.appProtocol, endpoints: plain.endpoints,
                trafficPolicy: TrafficPolicy(retryBudget: budget, sessionPersistence: session))), filters: [])
}

/// A server that does with each request what its script says.
final class FlakyServer: Sendable {
    enum Step: Sendable {
        case reply(Reply)
        /// Ends the connection, or over HTTP/2 the stream, with a reset.
        case reset
        /// Over HTTP/2: REFUSED_STREAM.
        case refuse
        /// Over HTTP/2: a GOAWAY that says that no stream was processed.
        case goAway
        /// Over HTTP/2: ends the connection with a reset.
        case cut
        /// Waits until the other side gives up.
        case hang
    }

    private let seen: Seen
    private let old: ScriptedServer?
    private let new: HTTP2Server?

    private final class Seen: Sendable {
        let requests = Mutex<[Message]>([])
        /// Its number, from 0.
        func note(_ request: Message) -> Int {
            requests.withLock {
                $0.append(request)
                return $0.count - 1
            }
        }
    }

    init(
        _ version: HTTPVersion, port: UInt16 = 0,
        _ script: @escaping @Sendable (Int, Message) throws -> Step
    ) throws {
        let seen = Seen()
        self.seen = seen
        if version == .http2 {
            old = nil
            new = try HTTP2Server(port: port) { stream in
                let request = try stream.message()
                switch try script(seen.note(request), request) {
                case .reply(let reply): try reply.send(stream, toHEAD: request.start.hasPrefix("HEAD "))
                case .reset: stream.reset(.internalError)
                case .refuse: stream.reset(.refusedStream)
                case .goAway: stream.peer.inject([0, 0, 8, 7, 0] + [UInt8](repeating: 0, count: 12))
                case .cut: stream.peer.cut()
                case .hang: _ = try? stream.receiveReset()
                }
            }
        } else {
            new = nil
            old = try ScriptedServer(port: port) { wire, _ in
                while let request = try wire.receiveRequest() {
                    switch try script(seen.note(request), request) {
                    case .reply(let reply): try reply.send(wire, toHEAD: request.start.hasPrefix("HEAD "))
                    case .reset, .refuse, .goAway, .cut: return wire.reset()
                    case .hang:
                        _ = try? wire.receive()
                        return
                    }
                }
            }
        }
    }

    var port: UInt16 { old?.port ?? new!.port }
    var connections: Int { old?.connections ?? new!.connections }
    var requests: [Message] { seen.requests.withLock { $0 } }
}

extension Reply {
    init(status: Int, _ text: String = "", _ fields: [HTTP2Peer.Field] = []) {
        self.init(text)
        self.status = status
        self.fields = fields
    }
}

/// Seconds that `body` takes.
func seconds(_ body: () throws -> Void) rethrows -> Double {
    let start = Clock.now()
    try body()
    return Double(Clock.now() - start) / 1e9
}
