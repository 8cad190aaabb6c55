import Glibc

/// `BPFCompiler CLANG SOURCE OUTPUT`: compiles the BPF program SOURCE with CLANG and writes OUTPUT, a Swift
/// source that holds the object file.
@main
struct BPFCompiler {
    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count == 4 else { fail("usage: BPFCompiler CLANG SOURCE OUTPUT") }
        let (clang, source, output) = (arguments[1], arguments[2], arguments[3])
        let object = output + ".o"
        run([clang] + flags(source: source) + ["-c", source, "-o", object])
        write(sourceText(of: read(object)), to: output)
    }

    /// `-g` for BTF, which libbpf needs for map definitions; the kernel's `asm/types.h` is in the host's multiarch
    /// folder, which `-target bpf` does not search.
    static func flags(source: String) -> [String] {
        #if arch(x86_64)
            let multiarch = "/usr/include/x86_64-linux-gnu"
        #elseif arch(arm64)
            let multiarch = "/usr/include/aarch64-linux-gnu"
        #endif
        let folder = source.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        return [
            "-target", "bpf", "-mcpu=v3", "-std=gnu17", "-O2", "-g", "-Wall", "-Wextra", "-Werror",
            "-fno-stack-protector", "-I\(folder)/abi/include", "-I\(folder)", "-idirafter", multiarch,
            "-ffile-prefix-map=\(folder)=bpf",
        ]
    }

    /// The bytes as one string literal of hexadecimal digits: it compiles at once, whereas each element of an array
    /// literal is type-checked, and a string literal holds no arbitrary bytes.
    static func sourceText(of bytes: [UInt8]) -> String {
        let hexadecimal = Array("0123456789abcdef".utf8)
        let digits = bytes.flatMap { [hexadecimal[Int($0 >> 4)], hexadecimal[Int($0 & 15)]] }
        return """
            /// The ELF object of bpf/datapath.bpf.c, compiled with this build: two hexadecimal digits a byte.
            package enum DatapathObject {
                package static let hexadecimal: StaticString = "\(String(decoding: digits, as: UTF8.self))"
            }

            """
    }

    static func run(_ words: [String]) {
        var process: pid_t = 0
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        let failure = posix_spawn(&process, words[0], nil, nil, &arguments, environ)
        guard failure == 0 else { fail("\(words[0]): \(String(cString: strerror(failure)))") }
        var status: CInt = 0
        while waitpid(process, &status, 0) < 0 {
            guard errno == EINTR else { fail("waitpid: \(String(cString: strerror(errno)))") }
        }
        guard status == 0 else { fail("clang could not compile the BPF programs") }
    }

    static func read(_ path: String) -> [UInt8] {
        guard let file = fopen(path, "rb") else { fail("\(path): \(String(cString: strerror(errno)))") }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        guard ferror(file) == 0 else { fail("\(path): cannot be read") }
        return bytes
    }

    static func write(_ text: String, to path: String) {
        guard let file = fopen(path, "wb") else { fail("\(path): \(String(cString: strerror(errno)))") }
        let written = fputs(text, file)
        guard fclose(file) == 0, written >= 0 else { fail("\(path): cannot be written") }
    }

    static func fail(_ message: String) -> Never {
        print("error: \(message)")
        exit(1)
    }
}
