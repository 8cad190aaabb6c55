import Foundation
import PackagePlugin

/// Compiles `bpf/datapath.bpf.c` with the Swift toolchain's own clang and embeds the object in the target as a
/// generated Swift source. Every file below `bpf/` is an input, so that touching any of them rebuilds the object.
@main
struct BPFPlugin: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let folder = context.package.directoryURL.appending(path: "bpf")
        let output = context.pluginWorkDirectoryURL.appending(path: "DatapathObject.swift")
        let source = folder.appending(path: "datapath.bpf.c")
        return [
            .buildCommand(
                displayName: "Compiling BPF datapath.bpf.c",
                executable: try context.tool(named: "BPFCompiler").url,
                arguments: [
                    try context.tool(named: "clang").url.path(percentEncoded: false),
                    source.path(percentEncoded: false), output.path(percentEncoded: false),
                ],
                inputFiles: try inputs(below: folder),
                outputFiles: [output])
        ]
    }

    private func inputs(below folder: URL) throws -> [URL] {
        guard let found = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil) else {
            throw CocoaError(.fileReadNoSuchFile)
        }
        return found.compactMap { $0 as? URL }
            .filter { ["c", "h"].contains($0.pathExtension) }
            .sorted { $0.path(percentEncoded: false) < $1.path(percentEncoded: false) }
    }
}
