import Compiler
import Foundation
import Testing
import Yams

/// Every folder in `Cases`: `base.yaml` and `input.yaml` in, `output.yaml` out. Folders of conformance tests bear the
/// upstream test's name. `UPDATE_GOLDEN=1` writes the outputs anew; a reviewer reads the difference.
@Suite struct CaseTests {
    static let names: [String] = {
        let found = try? FileManager.default.contentsOfDirectory(atPath: Mesh.folder.path())
        return (found ?? []).filter { !$0.contains(".") }.sorted()
    }()

    @Test func thereAreCases() {
        #expect(Self.names.count > 40)
    }

    @Test(arguments: CaseTests.names) func matchesItsOutput(_ name: String) throws {
        let folder = Mesh.folder.appending(path: name)
        var mesh = Mesh()
        let input = try String(contentsOf: folder.appending(path: "input.yaml"), encoding: .utf8)
        let compilation = try mesh.apply(try Mesh.base() + "\n---\n" + input)
        let requests = try? String(contentsOf: folder.appending(path: "requests.txt"), encoding: .utf8)
        let encoder = YAMLEncoder()
        encoder.options.width = -1
        encoder.options.allowUnicode = true
        let output = try encoder.encode(
            try Outcome(compilation, requests: (requests ?? "").split(separator: "\n").map(String.init)))
        let file = folder.appending(path: "output.yaml")
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
            try output.write(to: file, atomically: true, encoding: .utf8)
            return
        }
        let expected = try String(contentsOf: file, encoding: .utf8)
        #expect(output == expected, "\(name): run with UPDATE_GOLDEN=1 and read the difference")
    }
}
