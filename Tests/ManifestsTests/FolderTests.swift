import Foundation
import Glibc
import Manifests
import Resources
import Testing

/// The kernel's notices on a real folder.
@Suite struct FolderTests {
    let temporary = TemporaryFolder()

    @Test func readsTheWholeTreeAtStart() throws {
        temporary.write("b.yaml", route("one") + "---\n" + route("two"))
        temporary.folder("sub")
        temporary.folder("sub/deeper")
        temporary.write("sub/deeper/c.yml", service("echo"))
        temporary.write("d.json", #"{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod"}}"#)
        temporary.write("readme.txt", "not: [ours")
        temporary.write(".hidden.yaml", "not: [ours")
        let follower = try Follower(temporary)
        #expect(follower.inventory.httpRoutes.count == 2)
        #expect(follower.hasService("echo"))
        #expect(follower.inventory.namespaces.count == 1)
        #expect(follower.report.files == 3)
        #expect(follower.report.isClean)
        #expect(follower.version == 1)
    }

    @Test func theFolderMustExist() {
        #expect(throws: ManifestFolder.Failure.self) { try ManifestFolder(temporary.full("nothing")) }
        temporary.write("file", "")
        #expect(throws: ManifestFolder.Failure.self) { try ManifestFolder(temporary.full("file")) }
    }

    @Test func createEditDelete() throws {
        let follower = try Follower(temporary)
        temporary.write("a.yaml", route("one", path: "/v1"))
        #expect(try follower.wait { $0.route("one") != nil })
        temporary.write("a.yaml", route("one", path: "/v2"))
        #expect(try follower.wait { $0.route("one")?.spec.rules?[0].matches?[0].path?.value == "/v2" })
        temporary.remove("a.yaml")
        #expect(try follower.wait { $0.route("one") == nil })
        #expect(follower.report.files == 0)
    }

    @Test func renameOver() throws {
        temporary.write("a.yaml", route("one", path: "/v1"))
        let follower = try Follower(temporary)
        temporary.replace("a.yaml", route("one", path: "/v2"))
        #expect(try follower.wait { $0.route("one")?.spec.rules?[0].matches?[0].path?.value == "/v2" })
        #expect(follower.deletions == 0)
    }

    @Test func anEmptiedFileRemovesItsObjects() throws {
        temporary.write("a.yaml", route("one"))
        let follower = try Follower(temporary)
        temporary.write("a.yaml", "# nothing\n")
        #expect(try follower.wait { $0.route("one") == nil })
        #expect(follower.report.isClean)
    }

    /// The text between an open that truncates and the close is nobody's intention.
    @Test func aFileOpenForWritingIsLeftAlone() throws {
        temporary.write("a.yaml", route("one", path: "/v1"))
        let follower = try Follower(temporary)
        let file = open(temporary.full("a.yaml"), O_WRONLY | O_TRUNC | O_CLOEXEC)
        try follower.synchronize()
        #expect(follower.route("one") != nil)
        let text = route("one", path: "/v2")
        temporary.put(String(text.prefix(60)), to: file)
        try follower.synchronize()
        #expect(follower.route("one")?.spec.rules?[0].matches?[0].path?.value == "/v1")
        #expect(follower.report.refusedFiles.map(\.file) == ["a.yaml"])
        temporary.put(String(text.dropFirst(60)), to: file)
        close(file)
        #expect(try follower.wait { $0.route("one")?.spec.rules?[0].matches?[0].path?.value == "/v2" })
        #expect(follower.deletions == 0)
        #expect(follower.report.isClean)
    }

    @Test func aFileThatIsBeingWrittenAtTheStartIsReadWhenItIsWhole() throws {
        let file = open(temporary.full("a.yaml"), O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        temporary.put("apiVersion: v1\nkind: Serv", to: file)
        let follower = try Follower(temporary)
        #expect(follower.report.notObjects.isEmpty)
        lseek(file, 0, SEEK_SET)
        temporary.put(service("echo"), to: file)
        close(file)
        #expect(try follower.wait { $0.hasService("echo") })
    }

    /// vim: the old file becomes a backup, the new one is written under its name, the backup goes.
    @Test func anEditorThatMovesTheOldFileAway() throws {
        temporary.write("a.yaml", route("one", path: "/v1"))
        let follower = try Follower(temporary)
        for version in 2...20 {
            temporary.move("a.yaml", "a.yaml~")
            try follower.synchronizeByNotices()
            temporary.write("a.yaml", route("one", path: "/v\(version)"))
            temporary.remove("a.yaml~")
            #expect(try follower.wait { $0.route("one")?.spec.rules?[0].matches?[0].path?.value == "/v\(version)" })
        }
        #expect(follower.deletions == 0)
    }

    /// git checkout: unlink, then create.
    @Test func removeThenCreate() throws {
        temporary.write("a.yaml", route("one", path: "/v1"))
        let follower = try Follower(temporary)
        temporary.remove("a.yaml")
        try follower.synchronizeByNotices()
        #expect(follower.route("one") != nil)
        temporary.write("a.yaml", route("one", path: "/v2"))
        #expect(try follower.wait { $0.route("one")?.spec.rules?[0].matches?[0].path?.value == "/v2" })
        #expect(follower.deletions == 0)
    }

    /// A caller that waits for the folder does not wait for a file to come back.
    @Test func synchronizeTakesRemovalsAtOnce() throws {
        temporary.write("a.yaml", route("one"))
        let follower = try Follower(temporary)
        temporary.remove("a.yaml")
        try follower.synchronize()
        #expect(follower.route("one") == nil)
    }

    @Test func anObjectMayMoveBetweenFiles() throws {
        temporary.write("a.yaml", route("one"))
        let follower = try Follower(temporary)
        temporary.move("a.yaml", "b.yaml")
        #expect(try follower.wait { $0.report.files == 1 && $0.report.duplicates.isEmpty })
        try follower.synchronize()
        #expect(follower.route("one")?.metadata.generation == 1)
        #expect(follower.deletions == 0)
    }

    @Test func newAndRemovedSubfolders() throws {
        let follower = try Follower(temporary)
        temporary.folder("sub")
        temporary.folder("sub/deeper")
        temporary.write("sub/deeper/a.yaml", route("one"))
        #expect(try follower.wait { $0.route("one") != nil })
        temporary.write("sub/deeper/b.yaml", route("two"))
        #expect(try follower.wait { $0.route("two") != nil })
        temporary.move("sub", "other")
        #expect(try follower.wait { $0.report.files == 2 && $0.route("one") != nil && $0.route("two") != nil })
        temporary.write("other/deeper/b.yaml", route("three"))
        #expect(try follower.wait { $0.route("three") != nil && $0.route("two") == nil })
        temporary.remove("other")
        #expect(try follower.wait { $0.inventory.httpRoutes.isEmpty })
        #expect(follower.report.files == 0)
    }

    @Test func aFolderMovedInComesWithItsFiles() throws {
        let elsewhere = TemporaryFolder()
        elsewhere.folder("sub")
        elsewhere.write("sub/a.yaml", route("one"))
        let follower = try Follower(temporary)
        precondition(rename(elsewhere.full("sub"), temporary.full("sub")) == 0)
        #expect(try follower.wait { $0.route("one") != nil })
        precondition(rename(temporary.full("sub"), elsewhere.full("sub")) == 0)
        #expect(try follower.wait { $0.route("one") == nil })
    }

    /// The kubelet's ConfigMap mount: files are links through `..data`, which one rename swaps.
    @Test func anAtomicSwapOfALinkedFolder() throws {
        func revision(_ name: String, _ path: String) {
            temporary.folder(name)
            temporary.write("\(name)/a.yaml", route("one", path: path))
            temporary.folder("\(name)/sub")
            temporary.write("\(name)/sub/b.yaml", route("two", path: path))
        }
        revision("..2026_1", "/v1")
        temporary.link("..data", to: "..2026_1")
        temporary.link("a.yaml", to: "..data/a.yaml")
        temporary.link("sub", to: "..data/sub")
        let follower = try Follower(temporary)
        #expect(follower.report.files == 2)
        for version in 2...10 {
            revision("..2026_\(version)", "/v\(version)")
            temporary.link("..data_tmp", to: "..2026_\(version)")
            temporary.move("..data_tmp", "..data")
            temporary.remove("..2026_\(version - 1)")
            #expect(
                try follower.wait { follower in
                    ["one", "two"].allSatisfy {
                        follower.route($0)?.spec.rules?[0].matches?[0].path?.value == "/v\(version)"
                    }
                })
        }
        #expect(follower.deletions == 0)
        #expect(follower.report.isClean)
    }

    @Test func theFolderItselfMayBeALinkThatIsSwapped() throws {
        temporary.folder("v1")
        temporary.folder("v2")
        temporary.write("v1/a.yaml", route("one"))
        temporary.write("v2/a.yaml", route("two"))
        temporary.link("current", to: "v1")
        let folder = try ManifestFolder(temporary.full("current"))
        var inventory = Inventory()
        _ = inventory.apply(.batch(try folder.readAll().events))
        temporary.link("next", to: "v2")
        temporary.move("next", "current")
        let end = ContinuousClock.now + .seconds(5)
        let two = NamespacedName(namespace: "default", name: "two")
        while inventory.httpRoutes[two] == nil, ContinuousClock.now < end {
            var poll = pollfd(fd: folder.fileDescriptor, events: Int16(POLLIN), revents: 0)
            guard Glibc.poll(&poll, 1, 1000) > 0 else { continue }
            _ = inventory.apply(.batch(try folder.read().events))
        }
        #expect(inventory.httpRoutes.map(\.key) == [two])
    }

    /// A folder that is unmounted or removed is a fault, not a wish for an empty cluster.
    @Test func whatAVanishedFolderHeldStaysInForce() throws {
        temporary.folder("root")
        temporary.write("root/a.yaml", route("one"))
        let folder = try ManifestFolder(temporary.full("root"))
        #expect(try folder.readAll().events.count == 1)
        temporary.move("root", "away")
        let batch = try folder.synchronize()
        #expect(batch.events.isEmpty)
        #expect(batch.report.refusedFiles.count == 1)
        temporary.folder("root")
        temporary.write("root/b.yaml", route("two"))
        let next = try folder.synchronize()
        #expect(next.events.count == 2)
        #expect(next.report.refusedFiles.isEmpty)
    }

    @Test func aLinkToAFileElsewhere() throws {
        let elsewhere = TemporaryFolder()
        elsewhere.write("real.yaml", route("one", path: "/v1"))
        temporary.link("a.yaml", to: elsewhere.full("real.yaml"))
        let follower = try Follower(temporary)
        elsewhere.write("real.yaml", route("one", path: "/v2"))
        #expect(try follower.wait { $0.route("one")?.spec.rules?[0].matches?[0].path?.value == "/v2" })
        elsewhere.replace("real.yaml", route("one", path: "/v3"))
        #expect(try follower.wait { $0.route("one")?.spec.rules?[0].matches?[0].path?.value == "/v3" })
        temporary.link("loop", to: ".")
        temporary.link("dangling.yaml", to: "nothing.yaml")
        #expect(try follower.wait { $0.report.refusedFiles.map(\.file) == ["dangling.yaml"] })
        #expect(follower.report.files == 1)
    }

    @Test func aHardLinkAppearsWhole() throws {
        let follower = try Follower(temporary)
        temporary.write("source.txt", route("one"))
        precondition(Glibc.link(temporary.full("source.txt"), temporary.full("a.yaml")) == 0)
        #expect(try follower.wait { $0.route("one") != nil })
    }

    @Test func whatIsNoFileIsReported() throws {
        precondition(mkfifo(temporary.full("pipe.yaml"), 0o644) == 0)
        let follower = try Follower(temporary)
        #expect(follower.report.refusedFiles.map(\.message) == ["is no regular file"])
    }

    @Test func aThousandRewritesEndInTheLast() throws {
        temporary.write("a.yaml", route("one", path: "/0"))
        let follower = try Follower(temporary)
        let path = temporary.path
        let writer = Thread {
            for count in 1...1000 {
                let text = Array(route("one", path: "/\(count)").utf8)
                if count % 2 == 0 {
                    let file = open("\(path)/a.yaml", O_WRONLY | O_TRUNC | O_CLOEXEC)
                    _ = text.withUnsafeBytes { Glibc.write(file, $0.baseAddress, 40) }
                    _ = text.withUnsafeBytes { Glibc.write(file, $0.baseAddress.map { $0 + 40 }, $0.count - 40) }
                    close(file)
                } else {
                    let file = open("\(path)/.tmp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
                    _ = text.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
                    close(file)
                    rename("\(path)/.tmp", "\(path)/a.yaml")
                }
            }
        }
        writer.start()
        #expect(try follower.wait { $0.route("one")?.spec.rules?[0].matches?[0].path?.value == "/1000" })
        #expect(follower.deletions == 0)
        #expect(follower.report.isClean)
    }

    /// The queue holds 16,384 notices by default; beyond that the kernel drops them and says so.
    @Test func anOverflowingQueueLosesNothing() throws {
        let follower = try Follower(temporary)
        temporary.write("a.yaml", service("first"))
        temporary.write(".noise0", "")
        for count in 0..<9_000 { temporary.move(".noise\(count % 2)", ".noise\(1 - count % 2)") }
        temporary.write("b.yaml", service("second"))
        #expect(try follower.wait { $0.hasService("first") && $0.hasService("second") })
    }

    /// Two rewrites within a tick of the file system's clock, of equal size.
    @Test func synchronizeSeesEveryRewrite() throws {
        let follower = try Follower(temporary)
        for count in 100..<400 {
            temporary.write("a.yaml", route("one", path: "/\(count)"))
            try follower.synchronize()
            #expect(follower.route("one")?.spec.rules?[0].matches?[0].path?.value == "/\(count)")
        }
    }

    @Test func nothingNewIsNoNewVersion() throws {
        temporary.write("a.yaml", route("one"))
        let follower = try Follower(temporary)
        try follower.synchronize()
        #expect(follower.version == 1)
        temporary.write("a.yaml", route("one") + "# a remark\n")
        try follower.synchronize()
        #expect(follower.version == 1)
        #expect(follower.events.isEmpty)
    }
}

extension Follower {
    /// Takes what is there by notices alone.
    func synchronizeByNotices() throws {
        let version = version
        _ = try wait { $0.version > version || $0.isIdle }
    }

    private var isIdle: Bool {
        var poll = pollfd(fd: folder.fileDescriptor, events: Int16(POLLIN), revents: 0)
        return Glibc.poll(&poll, 1, 0) == 0
    }
}
