import Agent
import ArgumentParser
import Foundation
import Resources

struct RoutesCommand: ListCommand {
    static let configuration = CommandConfiguration(
        commandName: "routes",
        abstract: "The routes whose parent is a Service and the policies of Services, with their status.")
    @OptionGroup var state: StateOption
    @OptionGroup var output: OutputOption

    static let path = "/routes"

    /// A row for each parent of each route, and for each policy.
    static func table(_ list: JSONValue) -> Table {
        var table = Table([
            .init("KIND"), .init("NAMESPACE"), .init("NAME"), .init("PARENT"), .init("ACCEPTED"),
            .init("RESOLVEDREFS"), .init("RULES"), .init("GENERATION", wide: true), .init("SESSIONS", wide: true),
            .init("RETRY BUDGET", wide: true), .init("MESSAGE"),
        ])
        for object in list["items"]?.elements ?? [] {
            let namespace = object["metadata"]?["namespace"]?.text ?? ""
            func add(_ parent: String, _ conditions: Conditions, rules: String) {
                table.add([
                    object["kind"]?.text ?? "", namespace, object["metadata"]?["name"]?.text ?? "", parent,
                    conditions.text("Accepted"), conditions.text("ResolvedRefs"), rules,
                    object["metadata"]?["generation"]?.whole.map { String($0) } ?? "", sessions(object), budget(object),
                    conditions.messages,
                ])
            }
            for parent in object["status"]?["parents"]?.elements ?? [] {
                let reference = parent["parentRef"]
                let port =
                    reference?["port"]?.whole.map { ":\($0)" } ?? reference?["sectionName"]?.text.map { ":\($0)" }
                add(
                    "\(reference?["namespace"]?.text ?? namespace)/\(reference?["name"]?.text ?? "")\(port ?? "")",
                    Conditions(parent["conditions"]), rules: String(object["spec"]?["rules"]?.elements?.count ?? 0))
            }
            for ancestor in object["status"]?["ancestors"]?.elements ?? [] {
                let targets = (object["spec"]?["targetRefs"]?.elements ?? []).map {
                    "\(namespace)/\($0["name"]?.text ?? "")"
                }
                add(targets.joined(separator: ","), Conditions(ancestor["conditions"]), rules: "")
            }
        }
        return table
    }

    /// The conditions of one parent or ancestor.
    private struct Conditions {
        let all: [JSONValue]

        init(_ list: JSONValue?) {
            all = list?.elements ?? []
        }

        /// The condition's status, with its reason where that says more.
        func text(_ type: String) -> String {
            guard let found = all.first(where: { $0["type"]?.text == type }) else { return "" }
            let status = found["status"]?.text ?? ""
            let reason = found["reason"]?.text ?? ""
            return reason == type ? status : "\(status) (\(reason))"
        }

        /// Where it is in force, and what is wrong with it.
        var messages: String {
            all.filter {
                switch $0["type"]?.text {
                case "Accepted", "PartiallyInvalid": true
                default: $0["status"]?.text != "True"
                }
            }.compactMap { $0["message"]?.text }.joined(separator: "; ")
        }
    }

    /// Which rules of a route, or that a policy, keep sessions, and by what: `0 Cookie, 2 Header`.
    private static func sessions(_ object: JSONValue) -> String {
        func type(_ holder: JSONValue?) -> String? {
            holder?["sessionPersistence"].map { $0["type"]?.text ?? "Cookie" }
        }
        let rules = (object["spec"]?["rules"]?.elements ?? []).enumerated().compactMap { index, rule in
            type(rule).map { "\(index) \($0)" }
        }
        return (rules + [type(object["spec"])].compactMap { $0 }).joined(separator: ", ")
    }

    /// A policy's: `20 % in 10s`.
    private static func budget(_ object: JSONValue) -> String {
        guard let constraint = object["spec"]?["retryConstraint"] else { return "" }
        let budget = constraint["budget"]
        return "\(budget?["percent"]?.whole ?? 20) % in \(budget?["interval"]?.text ?? "10s")"
    }
}

extension JSONValue {
    fileprivate var whole: Int64? {
        if case .int(let value) = self { value } else { nil }
    }
}
