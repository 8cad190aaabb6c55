import FoundationEssentials
import Glibc

/// A pod that the playground made.
package struct Sandbox: Codable, Equatable, Sendable {
    package let namespace: String
    package let name: String
    package let addresses: [NetworkAddress]
    /// The file that holds its network namespace.
    package let netns: String
    /// Its cgroup's folder.
    package let cgroup: String
    /// The file that takes the place of its /etc/hosts.
    package let hosts: String

    package var path: String { "\(namespace)/\(name)" }

    /// What a program in the pod finds in its environment, beyond the caller's and the container's own.
    var variables: [String: String] {
        [
            "POD_NAME": name, "POD_NAMESPACE": namespace, "HOSTNAME": name,
            "POD_IP": addresses.first.map(String.init(describing:)) ?? "",
            "POD_IPS": addresses.map(String.init(describing:)).joined(separator: ","),
        ]
    }
}

/// All that a playground has made on this machine or is about to make, so that `down` needs nothing else. It is on disk
/// before the first thing is made.
struct PlaygroundRecord: Codable, Equatable, Sendable {
    /// The manifests' folder.
    var source: String
    /// The file that holds the network namespace with the bridge.
    var bridge: String
    /// The folder below which the pods' cgroups are.
    var podsCgroup: String
    var pods: [Sandbox]
    /// Folders outside the playground's own that had to be made, outermost first.
    var madeFolders: [String]

    static let fileName = "playground.json"

    func write(to folder: String) throws(PlaygroundError) {
        let file = "\(folder)/\(Self.fileName)"
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try encoder.encode(self).write(to: URL(filePath: file), options: .atomic)
        } catch {
            throw PlaygroundError("cannot write \(file): \(error)")
        }
    }

    /// Nil when the folder holds no record.
    static func read(from folder: String) throws(PlaygroundError) -> Self? {
        let file = "\(folder)/\(fileName)"
        guard access(file, F_OK) == 0 else { return nil }
        do {
            return try JSONDecoder().decode(Self.self, from: Data(contentsOf: URL(filePath: file)))
        } catch {
            throw PlaygroundError("cannot read \(file): \(error)")
        }
    }
}
