import Agent
import ArgumentParser
import Foundation
import Resources

struct RoutesCommand: ListCommand {
    static let configuration = CommandConfiguration(
        commandName: "routes",
        abstract: "The routes whose parent is a Service, with the status that the API would hold.")
    @OptionGroup var state: StateOption
    @OptionGroup var output: OutputOption

    static let path = "/routes"

    /// A row for each parent of each route.
    static func table(_ list: JSONValue) -> Table {
        var table = Table([
            .init("KIND"), .init("NAMESPACE"), .init("NAME"), .init("PARENT"), .init("ACCEPTED"),
            .init("RESOLVEDREFS"), .init("RULES"), .init("GENERATION", wide: true), .init("MESSAGE"),
        ])
        for route in list["items"]?.elements ?? [] {
            let metadata = route["metadata"]
            for parent in route["status"]?["parents"]?.elements ?? [] {
                let reference = parent["parentRef"]
                let conditions = parent["conditions"]?.elements ?? []
                func condition(_ type: String) -> String {
                    guard let found = conditions.first(where: { $0["type"]?.text == type }) else { return "" }
                    let status = found["status"]?.text ?? ""
                    let reason = found["reason"]?.text ?? ""
                    return reason == type ? status : "\(status) (\(reason))"
                }
                let namespace = reference?["namespace"]?.text ?? metadata?["namespace"]?.text ?? ""
                let port =
                    reference?["port"]?.whole.map { ":\($0)" } ?? reference?["sectionName"]?.text.map { ":\($0)" }
                // Where it is in force, and what is wrong with it.
                let messages = conditions.filter {
                    switch $0["type"]?.text {
                    case "Accepted", "PartiallyInvalid": true
                    default: $0["status"]?.text != "True"
                    }
                }.compactMap { $0["message"]?.text }
                table.add([
                    route["kind"]?.text ?? "", metadata?["namespace"]?.text ?? "", metadata?["name"]?.text ?? "",
                    "\(namespace)/\(reference?["name"]?.text ?? "")\(port ?? "")", condition("Accepted"),
                    condition("ResolvedRefs"), String(route["spec"]?["rules"]?.elements?.count ?? 0),
                    metadata?["generation"]?.whole.map { String($0) } ?? "", messages.joined(separator: "; "),
                ])
            }
        }
        return table
    }
}

extension JSONValue {
    fileprivate var whole: Int64? {
        if case .int(let value) = self { value } else { nil }
    }
}
