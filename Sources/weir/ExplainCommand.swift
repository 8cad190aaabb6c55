import Agent
import ArgumentParser
import Inspection
import Resources

struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "What would happen to a request, and why, decided by the running agent.",
        discussion: """
            The request is not sent. The agent runs the proxy's own matcher over it, with the snapshot in force:
              weir explain --from shop/client -H 'x-canary: yes' http://web.shop/cart
            """)
    @OptionGroup var state: StateOption
    @OptionGroup var output: OutputOption
    @Option(help: "The client, as NAMESPACE/POD.")
    var from: String
    @Option(name: [.customShort("X"), .long], help: "The method.")
    var method = "GET"
    @Option(name: [.customShort("H"), .customLong("header")], help: "A field, as 'Name: value'. May be repeated.")
    var headers: [String] = []
    @Argument(help: "http://NAME.NAMESPACE:PORT/path or http://CLUSTERIP:PORT/path")
    var url: String

    func validate() throws {
        _ = try request()
    }

    func request() throws -> ExplainRequest {
        let fields = try headers.map { text in
            guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else {
                throw ValidationError("-H '\(text)': 'Name: value' is wanted")
            }
            let value = text[text.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            return ExplainRequest.Header(name: String(text[..<colon]), value: String(value))
        }
        return ExplainRequest(from: from, method: method, url: url, headers: fields)
    }

    func run() async throws {
        let request = try request()
        try await reporting {
            let explained: Explained = try await state.client.post("/explain", request)
            try show(explained, output.output) { wide in Self.text(explained, request, wide: wide) }
        }
    }

    static func text(_ explained: Explained, _ request: ExplainRequest, wide: Bool) -> String {
        var out = "\(request.method) \(request.url) from \(request.from)\n"
        func line(_ name: String, _ value: String) {
            out += "  " + name + String(repeating: " ", count: max(1, 12 - name.count)) + value + "\n"
        }
        let status = explained.status.map { " \($0)" } ?? ""
        let reason = explained.reason.map { " (\($0))" } ?? ""
        line("outcome", "\(explained.outcome.rawValue)\(status)\(reason): \(explained.message)")
        if let service = explained.service { line("service", service) }
        if let group = explained.group { line("group", "\(group) routes, generation \(explained.generation)") }
        if let route = explained.route { line("route", route.text) }
        if let precedence = explained.precedence { line("won by", precedence) }
        for filter in explained.filters { line("filter", "\(filter.type) \(filter.detail)") }
        if let timeouts = explained.timeouts {
            for (name, value) in [
                ("request", timeouts.requestMilliseconds), ("backendRequest", timeouts.backendRequestMilliseconds),
            ] {
                if let value { line("timeout", "\(name) \(milliseconds(value))") }
            }
        }
        if let retry = explained.retry {
            let codes = retry.codes.isEmpty ? "" : " after \(retry.codes.map(String.init).joined(separator: ", "))"
            let backoff = retry.backoffMilliseconds.map { ", waiting \(milliseconds($0))" } ?? ""
            line("retry", "\(retry.attempts) more\(codes)\(backoff)")
        }
        if let session = explained.sessionPersistence { line("session", "\(session.text), the rule's") }
        if let location = explained.location { line("location", location) }
        for backend in explained.backends {
            let port = backend.port.map { ":\($0)" } ?? ""
            let fate = backend.reason.map { "answered by Weir (\($0))" } ?? backend.endpoints.joined(separator: " ")
            line("backend", "\(backend.namespace)/\(backend.name)\(port) weight \(backend.weight) -> \(fate)")
            for filter in backend.filters { line("", "\(filter.type) \(filter.detail)") }
            if let session = backend.sessionPersistence { line("", "session \(session.text), the Service's policy") }
            if let budget = backend.retryBudget { line("", "retries \(budget.text)") }
        }
        if !explained.tried.isEmpty {
            out += "  tried, in order of precedence:\n"
            let shown = wide ? explained.tried : Array(explained.tried.prefix(20))
            for tried in shown {
                let verdict =
                    tried.matched
                    ? "matched"
                    : "\(tried.failed ?? "no"): wanted \(tried.wanted ?? "-"), seen \(tried.seen ?? "nothing")"
                out += "    \(tried.matched ? "+" : "-") \(tried.route.text) match \(tried.match)"
                out += " [\(tried.conditions)]: \(verdict)\n"
            }
            if shown.count < explained.tried.count {
                out += "    … \(explained.tried.count - shown.count) more: -o wide\n"
            }
        }
        return out
    }
}

extension Explained.Route {
    var text: String {
        "\(kind) \(namespace)/\(name) rule \(rule)" + (ruleName.map { " (\($0))" } ?? "")
    }
}

/// As routes and policies write it: `1h30m`.
private func duration(_ milliseconds: Double) -> String {
    GatewayDuration(nanoseconds: UInt64(milliseconds * 1e6)).description
}

extension Explained.SessionPersistence {
    var text: String {
        var text = "\(type) \(name)"
        if let path { text += " path \(path)" }
        if isPermanent { text += ", permanent" }
        if let absoluteTimeoutMilliseconds { text += ", at most \(duration(absoluteTimeoutMilliseconds))" }
        if let idleTimeoutMilliseconds { text += ", idle at most \(duration(idleTimeoutMilliseconds))" }
        return text
    }
}

extension Explained.RetryBudget {
    var text: String {
        "at most \(percent) % in \(duration(intervalMilliseconds)), "
            + "or \(minimumCount) in \(duration(minimumIntervalMilliseconds))"
    }
}
