import Compiler
import HTTPWire
import Inspection
import Model
import Resources

/// Answers `weir explain`: the request is written out as HTTP/1.1, parsed by the proxy's own parser and matched by the
/// proxy's own tables, with the snapshot in force. Nothing is sent.
struct Explainer {
    let snapshot: Snapshot
    let inventory: Inventory
    let pods: [PodView]
    /// The proxy's own.
    let limits: HeadLimits

    struct Refusal: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    func explain(_ request: ExplainRequest) throws(Refusal) -> Explained {
        let client = try client(request.from)
        // A line's end would begin another line of the head, which nobody asked about.
        let parts = [request.method] + request.headers.flatMap { [$0.name, $0.value] } + [request.url]
        guard !parts.contains(where: { $0.utf8.contains(13) || $0.utf8.contains(10) }) else {
            throw Refusal("the method, the URL and the headers are one line each")
        }
        let url = try Target(url: request.url)
        let service: Model.Service
        let address: IPAddress?
        switch try destination(url.host, from: client.namespace) {
        case .service(let found, let dialled): (service, address) = (found, dialled)
        case .elsewhere(let why): return pass("\(why): traffic to other addresses is never touched")
        }
        guard let port = service.port(url.port), port.transport == .tcp else {
            return pass("Service \(service.name) has no TCP port \(url.port)")
        }
        var explained = decide(request, url, port, client)
        explained.service = "\(service.name):\(url.port)"
        if explained.outcome != .pass,
            let pod = pods.first(where: { $0.namespace == client.namespace && $0.name == client.name }),
            !pod.enrolled, pod.state != "redirect-off"
        {
            explained = pass("Pod \(client) is not enrolled (\(pod.state)): its connections take the ordinary path")
            explained.service = "\(service.name):\(url.port)"
        } else if explained.outcome != .pass, address == nil {
            explained.message += "; the Service has no cluster IP, so only a plain listener reaches it"
        }
        return explained
    }

    private func client(_ text: String) throws(Refusal) -> ObjectName {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw Refusal("--from '\(text)': NAMESPACE/POD is wanted")
        }
        let name = ObjectName(namespace: String(parts[0]), name: String(parts[1]))
        guard inventory.pods[NamespacedName(name)] != nil else {
            throw Refusal("--from '\(text)': there is no such Pod in the manifests")
        }
        return name
    }

    private enum Destination {
        /// With the address that would be dialled; nil when the Service has none.
        case service(Model.Service, IPAddress?)
        /// Why it is no Service that routes can claim.
        case elsewhere(String)
    }

    /// What a URL's host stands for, to a pod in `namespace`.
    private func destination(_ host: String, from namespace: String) throws(Refusal) -> Destination {
        if let address = IPAddress(host) {
            return snapshot.frontend(address: address).map { .service($0.service, address) }
                ?? .elsewhere("\(host) is no cluster IP of a Service")
        }
        let labels = host.lowercased().split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        let name = ObjectName(namespace: labels.count > 1 ? labels[1] : namespace, name: labels[0])
        let isServiceName = labels.count <= 2 || labels[2] == "svc"
        guard isServiceName else { return .elsewhere("\(host) is no Service's name") }
        guard let service = snapshot.service(name) else {
            guard inventory.services[NamespacedName(name)]?.spec.type == "ExternalName" else {
                throw Refusal("there is no Service \(name) in the manifests")
            }
            return .elsewhere("Service \(name) is of type ExternalName")
        }
        let frontend = snapshot.frontends.lazy.compactMap { $0 }.first { $0.service === service }
        return .service(service, frontend?.address)
    }

    private func pass(_ message: String) -> Explained {
        Explained(outcome: .pass, message: message, generation: snapshot.generation)
    }

    private func error(_ reason: Reason, _ message: String) -> Explained {
        var explained = Explained(outcome: .error, message: message, generation: snapshot.generation)
        explained.status = reason.status
        explained.reason = reason.rawValue
        return explained
    }

    // MARK: The decision

    private func decide(
        _ request: ExplainRequest, _ url: Target, _ port: Model.ServicePort, _ client: ObjectName
    ) -> Explained {
        guard let table = port.routes(forClientIn: client.namespace) else {
            return pass(
                "no route claims port \(port.port) of Service \(port.service) for clients of namespace \(client.namespace)"
            )
        }
        // RFC 9112, section 3.2.3: the target of CONNECT is an authority.
        let target = request.method == "CONNECT" ? url.destination : url.target
        var head = "\(request.method) \(target) HTTP/1.1\r\n"
        if !request.headers.contains(where: { $0.name.lowercased() == "host" }) { head += "Host: \(url.authority)\r\n" }
        for header in request.headers { head += "\(header.name): \(header.value)\r\n" }
        head += "\r\n"
        let bytes = Array(head.utf8)
        var fields = [FieldRange](repeating: FieldRange(name: .empty, value: .empty), count: limits.fields)
        var parser = RequestHeadParser(limits: limits)
        let parsed = bytes.withUnsafeBytes { bytes in
            fields.withUnsafeMutableBufferPointer { parser.parse(bytes, fields: $0) }
        }
        let requestHead: RequestHead
        switch parsed {
        case .head(let head): requestHead = head
        case .invalid(let failure):
            var explained = error(.badRequest, "\(failure.text)")
            explained.status = failure.status
            return explained
        case .incomplete: return error(.badRequest, "the head is not whole")
        }
        if request.method == "CONNECT" { return error(.methodNotAllowed, "CONNECT is not served") }
        fields.removeSubrange(requestHead.fieldCount...)
        let explanation = table.explain(bytes.span, requestHead.ranges, fields.span)
        return explained(explanation, table, port, bytes, requestHead)
    }

    private func explained(
        _ explanation: Explanation, _ table: RouteTable, _ port: Model.ServicePort, _ head: [UInt8],
        _ request: RequestHead
    ) -> Explained {
        guard let winner = explanation.winner else {
            let isOther = explanation.tried.first?.failure?.condition == .contentType
            var explained = error(
                .noRouteMatched,
                isOther
                    ? "GRPCRoutes have port \(port.port) of Service \(port.service), and this is no gRPC request"
                    : "none of the \(table.rules.count) rules on Service \(port.service) matches")
            describe(&explained, explanation, table)
            return explained
        }
        let rule = table.rules[explanation.tried[winner].rule]
        var explained: Explained
        switch rule.action {
        case .redirect(let redirect):
            explained = Explained(
                outcome: .redirect, message: "the client is sent elsewhere", generation: snapshot.generation)
            explained.status = redirect.status
            explained.reason = Reason.redirect.rawValue
            var location: [UInt8] = []
            redirect.appendLocation(to: &location, head.span, request.ranges, dialled: port.port)
            explained.location = String(decoding: location, as: UTF8.self)
        case .fail(let reason):
            explained = error(reason, "the rule is answered by Weir itself")
        case .forward(let backends):
            explained = forward(backends, rule)
        }
        if case .fail = rule.action {
        } else if let auth = rule.filters.unreachableAuth {
            explained = error(.externalAuthFailed, "\(Self.place(auth.service, auth.port)) cannot be asked")
        }
        describe(&explained, explanation, table)
        explained.route = Self.route(rule)
        if let runnerUp = explanation.runnerUp, let step = explanation.decidedBy {
            let other = table.rules[explanation.tried[runnerUp].rule]
            explained.precedence =
                "\(step.rawValue), over \(other.route.kind.rawValue) \(other.route.name) rule \(other.index)"
        }
        explained.filters = rule.filters.map(Self.filter)
        explained.sessionPersistence = rule.sessionPersistence.map(Explained.SessionPersistence.init)
        if rule.timeouts.request != nil || rule.timeouts.backendRequest != nil {
            explained.timeouts = .init(
                requestMilliseconds: rule.timeouts.request.map { Double($0) / 1e6 },
                backendRequestMilliseconds: rule.timeouts.backendRequest.map { Double($0) / 1e6 })
        }
        explained.retry = rule.retry.map {
            .init(attempts: $0.attempts, codes: $0.codes, backoffMilliseconds: $0.backoff.map { Double($0) / 1e6 })
        }
        return explained
    }

    /// When every share with weight has one fate, that is the outcome; else the request is forwarded, by chance.
    private func forward(_ backends: Backends, _ rule: Rule) -> Explained {
        let shares = backends.all.map { backend in
            var reason: Reason?
            var endpoints: [String] = []
            switch backend.target {
            case .backend(let target):
                endpoints = target.endpoints.map {
                    $0.address.isIPv4 ? "\($0.address):\($0.port)" : "[\($0.address)]:\($0.port)"
                }
                if endpoints.isEmpty { reason = .noReadyEndpoint }
                if backend.filters.unreachableAuth != nil { reason = .externalAuthFailed }
            case .invalid(let why): reason = why
            }
            return (
                backend,
                Explained.Backend(
                    namespace: backend.service.namespace, name: backend.service.name, port: backend.port,
                    weight: backend.weight, reason: reason?.rawValue, endpoints: endpoints,
                    filters: backend.filters.map(Self.filter)), reason
            )
        }
        let weighted = shares.filter { $0.0.weight > 0 }
        var explained: Explained
        if let reason = weighted.first?.2, weighted.allSatisfy({ $0.2 == reason }) {
            explained = error(reason, "no backend can take it")
        } else {
            let served = weighted.count { $0.2 == nil }
            let message = weighted.count == 1 ? "to the one backend" : "to one of \(served) backends, by weight"
            explained = Explained(outcome: .forward, message: message, generation: snapshot.generation)
            if served < weighted.count {
                explained.message += "; \(weighted.count - served) of the shares are answered by Weir itself"
            }
        }
        explained.backends = shares.map(\.1)
        for (index, share) in shares.enumerated() {
            guard case .backend(let target) = share.0.target else { continue }
            explained.backends[index].add(target.trafficPolicy, over: rule.sessionPersistence)
        }
        return explained
    }

    private func describe(_ explained: inout Explained, _ explanation: Explanation, _ table: RouteTable) {
        switch table.group {
        case .producer: explained.group = "producer"
        case .consumer: explained.group = "consumer"
        }
        explained.tried = explanation.tried.map { tried in
            Explained.Tried(
                route: Self.route(table.rules[tried.rule]), match: tried.match, conditions: tried.conditions,
                matched: tried.failure == nil, failed: tried.failure.map { "\($0.condition)" },
                wanted: tried.failure?.wanted, seen: tried.failure?.seen)
        }
    }

    private static func route(_ rule: Rule) -> Explained.Route {
        Explained.Route(
            kind: rule.route.kind.rawValue, namespace: rule.route.name.namespace, name: rule.route.name.name,
            rule: rule.index, ruleName: rule.name)
    }

    private static func filter(_ filter: Filter) -> Explained.Filter {
        func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        func modifier(_ modifier: Model.HeaderModifier) -> String {
            (modifier.set.map { "set \(text($0.name))=\(text($0.value))" }
                + modifier.add.map { "add \(text($0.name))=\(text($0.value))" }
                + modifier.remove.map { "remove \(text($0))" }).joined(separator: ", ")
        }
        switch filter {
        case .requestHeaderModifier(let value): return .init(type: "RequestHeaderModifier", detail: modifier(value))
        case .responseHeaderModifier(let value): return .init(type: "ResponseHeaderModifier", detail: modifier(value))
        case .urlRewrite(let rewrite):
            var parts: [String] = []
            if let hostname = rewrite.hostname { parts.append("host \(text(hostname))") }
            switch rewrite.path?.kind {
            case .replaceFullPath: parts.append("path \(text(rewrite.path?.replacement ?? []))")
            case .replacePrefixMatch:
                parts.append(
                    "path prefix \(text(rewrite.path?.match ?? []))/ to \(text(rewrite.path?.replacement ?? []))/")
            case nil: break
            }
            return .init(type: "URLRewrite", detail: parts.joined(separator: ", "))
        case .requestMirror(let mirror):
            var detail =
                mirror.numerator == mirror.denominator
                ? "every request to " : "\(mirror.numerator) of \(mirror.denominator) requests to "
            detail += place(mirror.service, mirror.port)
            if case .invalid(let reason) = mirror.target { detail += ": nothing is mirrored (\(reason.rawValue))" }
            return .init(type: "RequestMirror", detail: detail)
        case .cors(let policy):
            var parts: [String] = []
            for (name, values) in [
                ("origins", policy.allowedOrigins), ("methods", policy.allowedMethods),
                ("headers", policy.allowedHeaders), ("exposed", policy.exposedHeaders),
            ] where !values.isEmpty {
                parts.append("\(name) \(values.map(text).joined(separator: " "))")
            }
            if policy.allowsCredentials { parts.append("credentials") }
            return .init(type: "CORS", detail: parts.isEmpty ? "no origin" : parts.joined(separator: ", "))
        case .externalAuth(let auth):
            var detail = "asks \(place(auth.service, auth.port))"
            switch auth.authProtocol {
            case .grpc: detail += " by gRPC"
            case .http(let path, _): detail += path.isEmpty ? " by HTTP" : " by HTTP below \(text(path))"
            }
            if auth.maximumBody > 0 { detail += ", with a body of up to \(auth.maximumBody) bytes" }
            if let reason = auth.failure { detail += ": every request is refused (\(reason.rawValue))" }
            return .init(type: "ExternalAuth", detail: detail)
        }
    }

    private static func place(_ service: ObjectName, _ port: UInt16?) -> String {
        "\(service)\(port.map { ":\($0)" } ?? "")"
    }
}

extension Explainer {
    /// The parts of an `http` URL.
    private struct Target {
        let host: String
        let port: UInt16
        /// As a client would put it into Host: the port only when it is not 80.
        let authority: String
        /// Host and port, always with a port.
        let destination: String
        /// Path and query.
        let target: String

        init(url: String) throws(Refusal) {
            let scheme = "http://"
            guard url.lowercased().hasPrefix(scheme) else { throw Refusal("'\(url)': an http:// URL is wanted") }
            let rest = url.dropFirst(scheme.count).prefix { $0 != "#" }
            let authority = rest.prefix { $0 != "/" && $0 != "?" }
            let target = rest[authority.endIndex...]
            self.target = target.hasPrefix("/") ? String(target) : "/\(target)"
            var host = authority
            var port: UInt16 = 80
            let end = authority.lastIndex(of: "]") ?? authority.startIndex
            if let colon = authority[end...].lastIndex(of: ":") {
                guard let number = UInt16(authority[authority.index(after: colon)...]), number > 0 else {
                    throw Refusal("'\(url)': no port number after the colon")
                }
                port = number
                host = authority[..<colon]
            }
            destination = "\(host):\(port)"
            self.authority = port == 80 ? String(host) : String(authority)
            if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
            guard !host.isEmpty else { throw Refusal("'\(url)': no host") }
            self.host = String(host)
            self.port = port
        }
    }
}
