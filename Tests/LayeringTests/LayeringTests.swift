import Foundation
import Testing

/// SwiftPM lets a target import a sibling that it never declared, so the arrows of the target graph are held here.
@Suite struct LayeringTests {
    /// What a target may import beside the standard library and Glibc. A target that is absent here is an error.
    static let allowed: [String: Set<String>] = [
        "Resources": ["RegularExpressions"],
        "RegularExpressions": [],
        "HTTPWire": [],
        "Model": ["HTTPWire", "RegularExpressions"],
        "Compiler": ["Resources", "Model", "RegularExpressions"],
        "Prometheus": [],
        "Inspection": ["Model", "Resources", "HTTPWire"],
        "Manifests": ["Resources", "RegularExpressions", "CLinux", "CSchemas", "Yams"],
        "Reactor": ["CLinux"],
        "Proxy": ["Model", "HTTPWire", "Reactor", "CLinux"],
        "BPF": ["CLibbpf"],
        "Cgroups": [],
        "Datapath": ["Model", "BPF", "CDatapath", "CLibbpf", "Cgroups", "CLinux"],
        "Playground": ["Resources", "Manifests", "Cgroups", "HTTPWire", "CLinux"],
        "Agent": [
            "Resources", "Model", "Compiler", "Manifests", "HTTPWire", "Reactor", "Proxy", "Datapath", "Prometheus",
            "Inspection", "CLinux", "Logging", "FlyingFox", "FlyingSocks",
        ],
        "weir": [
            "Agent", "Inspection", "Playground", "Resources", "Model", "Datapath", "Logging", "Yams", "ArgumentParser",
        ],
        "BPFCompiler": [],
        "BPFPlugin": ["PackagePlugin"],
    ]
    /// Foundation stays off the data path and out of the pure core.
    static let withoutFoundation: Set<String> = [
        "RegularExpressions", "HTTPWire", "Model", "Prometheus", "Reactor", "Proxy", "BPF", "Datapath",
    ]
    static let system: Set<String> = ["Glibc", "Synchronization", "Swift"]
    static let foundation: Set<String> = ["Foundation", "FoundationEssentials", "Dispatch"]

    static let sources = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Sources")

    static func swiftFiles(in target: String) throws -> [URL] {
        let folder = sources.appending(path: target)
        let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.path())
        return paths.filter { $0.hasSuffix(".swift") }.map { folder.appending(path: $0) }
    }

    static func imports(of file: URL) throws -> [String] {
        let words = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map {
            $0.split(separator: " ")
        }
        return words.compactMap { line in
            guard let position = line.firstIndex(of: "import"), position + 1 < line.count,
                line[..<position].allSatisfy({
                    ["package", "internal", "private", "fileprivate"].contains($0) || $0.hasPrefix("@")
                })
            else { return nil }
            let kinds: Set<Substring> = ["struct", "class", "enum", "func", "protocol", "var", "let", "typealias"]
            let name =
                kinds.contains(line[position + 1]) && position + 2 < line.count
                ? line[position + 2] : line[position + 1]
            return String(name.split(separator: ".")[0])
        }
    }

    @Test func targetsImportOnlyWhatTheDesignAllows() throws {
        let targets = try FileManager.default.contentsOfDirectory(atPath: Self.sources.path())
        var seen = 0
        for target in targets.sorted() {
            let files = try Self.swiftFiles(in: target)
            if files.isEmpty { continue }  // a C target
            let allowed = try #require(Self.allowed[target], "\(target) is not in the table of targets")
            for file in files {
                for name in try Self.imports(of: file) {
                    seen += 1
                    let foundation = Self.withoutFoundation.contains(target) ? [] : Self.foundation
                    #expect(
                        allowed.contains(name) || Self.system.contains(name) || foundation.contains(name),
                        "\(target)/\(file.lastPathComponent) imports \(name)")
                }
            }
        }
        #expect(seen > 50, "the test must have found the imports")
    }

    @Test func topLevelHoldsOnlyWhatTheDesignNames() throws {
        let allowed: Set<String> = ["Package.swift", "Sources", "Tests", "bpf", "Deploy", "README.md", "LICENSE"]
        let root = Self.sources.deletingLastPathComponent()
        for name in try FileManager.default.contentsOfDirectory(atPath: root.path()) where !name.hasPrefix(".") {
            #expect(allowed.contains(name) || name == "Package.resolved", "\(name) at the top level")
        }
    }
}
