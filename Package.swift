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
        .target(name: "CDatapath", path: "bpf/abi"),

        // Pure: decide, no I/O.
        .target(name: "Resources", swiftSettings: pure),
        .target(name: "HTTPWire", swiftSettings: base),
        .target(name: "Model", dependencies: ["HTTPWire"], swiftSettings: pure),
        .target(name: "Compiler", dependencies: ["Resources", "Model"], swiftSettings: pure),
        .target(name: "Prometheus", swiftSettings: pure),
        .target(name: "Inspection", dependencies: ["Model"], swiftSettings: pure),

        // Edges: files, sockets, the kernel.
        .target(name: "Manifests", dependencies: ["Resources", "CLinux", yams], swiftSettings: base),
        .target(name: "Reactor", dependencies: ["CLinux"], swiftSettings: base),
        .target(name: "Proxy", dependencies: ["Model", "HTTPWire", "Reactor", "CLinux"], swiftSettings: base),
        .target(name: "BPF", dependencies: ["CLibbpf"], swiftSettings: base),
        .target(
            name: "Datapath", dependencies: ["Model", "BPF", "CDatapath", "CLinux"], swiftSettings: base),
        .target(name: "Playground", dependencies: ["Resources", "Manifests", "CLinux"], swiftSettings: base),

        // The program.
        .target(
            name: "Agent",
            dependencies: [
                "Resources", "Model", "Compiler", "Manifests", "Proxy", "Datapath", "Prometheus",
                "Inspection", "CLinux", log, flyingFox,
            ], swiftSettings: base),
        .executableTarget(
            name: "weir", dependencies: ["Agent", "Inspection", "Playground", yams, arguments],
            swiftSettings: base),

        tests("LayeringTests", []),
    ]
)
