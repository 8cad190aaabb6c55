import Foundation
import TestSupport
import Testing

/// What the README says to type is typed here, in its order, in one shell; where it shows output, that is compared.
@Suite struct ReadmeTests {
    struct Command {
        let line: String
        /// As shown; nil where the README shows none.
        let output: String?
    }

    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The lines after `$ ` in the blocks fenced as console, with what stands below each.
    static func commands() throws -> [Command] {
        let text = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
        var commands: [Command] = []
        for block in text.components(separatedBy: "```console\n").dropFirst() {
            let lines = block.components(separatedBy: "\n```")[0].components(separatedBy: "\n")
            for line in lines {
                if line.hasPrefix("$ ") {
                    commands.append(Command(line: String(line.dropFirst(2)), output: nil))
                } else if let last = commands.popLast() {
                    commands.append(Command(line: last.line, output: (last.output ?? "") + line + "\n"))
                }
            }
        }
        return commands
    }

    @Test func everyCommandWorksAsShown() async throws {
        // The quickstart runs the build command; here the program is built already.
        let build = "swift build -c release --product weir"
        let quickstart = try String(contentsOf: Self.root.appending(path: "Deploy/quickstart"), encoding: .utf8)
        #expect(quickstart.contains("run \(build)\n"))
        let commands = try Self.commands().filter { $0.line != build }
        #expect(commands.count > 15)

        let folder = try TemporaryFolder(prefix: "readme")
        let binary = try WeirBinary.path()
        var script = "cd '\(Self.root.path())'\nPATH='\(binary.dropLast("/weir".count))':$PATH\n"
        for (index, command) in commands.enumerated() {
            let isBackground = command.line.hasSuffix("&")
            script += "exec 3>'\(folder.path)/\(index).out'\n"
            script += "{ \(command.line)\(isBackground ? "" : ";") } >&3\n"
            script += "echo $? >'\(folder.path)/\(index).status'\n"
        }
        let shell = try ChildProcess(["bash", "-c", script])
        let result = try await shell.wait()
        for (index, command) in commands.enumerated() {
            let status = try? String(contentsOfFile: "\(folder.path)/\(index).status", encoding: .utf8)
            #expect(status == "0\n", "$ \(command.line)\n\(result.error)")
            if let expected = command.output {
                let output = try String(contentsOfFile: "\(folder.path)/\(index).out", encoding: .utf8)
                #expect(output == expected, "$ \(command.line)")
            }
        }
    }

    @Test func everyReasonIsDocumented() throws {
        let text = try String(contentsOf: Self.root.appending(path: "README.md"), encoding: .utf8)
        let source = try String(contentsOf: Self.root.appending(path: "Sources/Model/Reason.swift"), encoding: .utf8)
        let reasons = source.matches(of: /case \w+ = "([a-z-]+)"/).map { String($0.1) }
        #expect(reasons.count > 20)
        for reason in reasons { #expect(text.contains("`\(reason)`"), "\(reason)") }
    }
}
