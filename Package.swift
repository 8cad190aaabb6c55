// swift-tools-version: 6.2
import PackageDescription

/// One list for every target. Targets that touch C leave strict memory safety out.
let base: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]
let pure = base + [.strictMemorySafety()]

let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let log = Target.Dependency.product(name: "Logging", package: "swift-log")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let flyingFox = Target.Dependency.product(name: "FlyingFox", package: "FlyingFox")
let flyingSocks = Target.Dependency.product(name: "FlyingSocks", package: "FlyingFox")

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [String] = []) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, exclude: resources,
        swiftSettings: base)
}

let package = Package(
    name: "weir",
    products: [.executable(name: "weir", targets: ["weir"])],
    dependencies: [
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
    ],
    targets: [
        // C: kernel interfaces and the contract with the BPF programs.
        .target(name: "CLinux"),
        .systemLibrary(name: "CLibbpf", pkgConfig: "libbpf", providers: [.apt(["libbpf-dev"])]),
        // The whole folder is the target's, so that a header that comes or goes below it is noticed.
        .target(name: "CDatapath", path: "bpf", sources: ["abi/object.c"], publicHeadersPath: "abi/include"),
        .target(name: "CSchemas", exclude: ["schemas.jsonl", "generate.py"]),
        .plugin(
            name: "BPFPlugin", capability: .buildTool(), dependencies: ["BPFCompiler"], path: "Sources/BPFPlugin"),
        .executableTarget(name: "BPFCompiler", swiftSettings: base),

        // Pure: decide, no I/O.
        .target(name: "Resources", swiftSettings: pure),
        .target(name: "RegularExpressions", swiftSettings: pure),
        .target(name: "HTTPWire", swiftSettings: base),
        .target(name: "Model", dependencies: ["HTTPWire", "RegularExpressions"], swiftSettings: pure),
        .target(name: "Compiler", dependencies: ["Resources", "Model", "RegularExpressions"], swiftSettings: pure),
        .target(name: "Prometheus", swiftSettings: pure),
        .target(name: "Inspection", dependencies: ["Model", "Resources"], swiftSettings: pure),

        // Edges: files, sockets, the kernel.
        .target(
            name: "Manifests", dependencies: ["Resources", "RegularExpressions", "CSchemas", "CLinux", yams],
            swiftSettings: base),
        .target(name: "Reactor", dependencies: ["CLinux"], swiftSettings: base),
        .target(name: "Proxy", dependencies: ["Model", "HTTPWire", "Reactor", "CLinux"], swiftSettings: base),
        .target(name: "BPF", dependencies: ["CLibbpf"], swiftSettings: base),
        .target(
            name: "Datapath", dependencies: ["Model", "BPF", "CDatapath", "Cgroups", "CLinux"], swiftSettings: base,
            plugins: ["BPFPlugin"]),
        .target(name: "Cgroups", swiftSettings: base),
        .target(
            name: "Playground", dependencies: ["Resources", "Manifests", "Cgroups", "HTTPWire", "CLinux"],
            swiftSettings: base),

        // The program.
        .target(
            name: "Agent",
            dependencies: [
                "Resources", "Model", "Compiler", "Manifests", "Reactor", "Proxy", "Datapath", "Prometheus",
                "Inspection", "HTTPWire", "CLinux", log, flyingFox, flyingSocks,
            ], swiftSettings: base),
        .executableTarget(
            name: "weir",
            dependencies: ["Agent", "Datapath", "Inspection", "Playground", "Resources", log, yams, arguments],
            swiftSettings: base),

        // What `Tests/Instructions/measure` counts instructions of.
        .executableTarget(
            name: "Instructions",
            dependencies: ["Proxy", "Model", "HTTPWire", "Reactor", "CLinux", "RegularExpressions"],
            path: "Tests/Instructions", exclude: ["measure"], swiftSettings: base),

        // The reference that the HTTP/2 tests compare with.
        .systemLibrary(name: "CNghttp2", path: "Tests/CNghttp2", providers: [.apt(["libnghttp2-dev"])]),
        .target(name: "TestSupport", path: "Tests/Support", swiftSettings: base),
        // What RFC 9113 demands, as bytes.
        .target(name: "HTTP2Rows", path: "Tests/HTTP2Rows", swiftSettings: base),
        tests("ReadmeTests", ["TestSupport", "weir"]),
        tests("NodeTests", ["TestSupport", "weir", "Agent", "Inspection"], resources: ["Conformance", "Programs"]),
        tests("LayeringTests", []),
        tests("ReactorTests", ["Reactor", "CLinux"]),
        tests("ProxyTests", ["Proxy", "Model", "HTTPWire", "HTTP2Rows", "Reactor", "CLinux", "RegularExpressions"]),
        tests("PlaygroundTests", ["Playground", "Cgroups", "Resources", "weir"], resources: ["Programs"]),
        tests("ResourcesTests", ["Resources"]),
        tests("ManifestsTests", ["Manifests", "Resources", "CLinux"], resources: ["Cases"]),
        tests("PrometheusTests", ["Prometheus"]),
        tests("AgentTests", ["Agent", "Model", "Resources", "Inspection", "TestSupport", "weir"]),
        tests("BPFTests", ["BPF", "Datapath", "CDatapath", "CLinux"]),
        tests("DatapathTests", ["Datapath", "BPF", "CDatapath", "CLinux", "Model"]),
        tests("RegularExpressionsTests", ["RegularExpressions"]),
        tests(
            "CompilerTests", ["Compiler", "Model", "Resources", "HTTPWire", yams], resources: ["Cases"]),
        tests("ModelTests", ["Model", "HTTPWire", "RegularExpressions"]),
        tests("HTTPWireTests", ["HTTPWire", "HTTP2Rows", "CNghttp2"]),
    ]
)
