package import HTTPWire

/// Changes to a head's fields that are known only while the request is served: what an authorization service asks for. Kept
/// as bytes, so that they can wait with the request for the head that they change: for each a letter, the name in lower
/// case, `: `, the value and CRLF.
package struct FieldEdits: BitwiseCopyable {
    package enum Action: UInt8, BitwiseCopyable, CaseIterable {
        /// Comes behind the lines of that name that are there.
        case append = 0x2b
        /// Only when there is no line of that name.
        case addIfAbsent = 0x3f
        /// Takes the place of the lines of that name, if any.
        case overwrite = 0x3d
        /// Only when there is a line of that name, and takes its place.
        case overwriteIfPresent = 0x21
        /// Takes the lines of that name away; its value is empty.
        case remove = 0x2d
    }

    /// What `append` wrote, in memory that outlives it.
    package let bytes: UnsafeRawBufferPointer

    package init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    package var isEmpty: Bool { bytes.isEmpty }

    /// Adds one change. The name is a token, the value a field's value: see `isName` and `isValue`.
    package static func append(
        _ action: Action, _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, to writer: inout HeadWriter
    ) {
        writer.append(byte: action.rawValue)
        appendLowercased(name, to: &writer)
        writer.append(": ")
        writer.append(value)
        writer.append("\r\n")
    }

    /// Whether a line of this name, which is there, does not go on.
    package func drops(_ name: UnsafeRawBufferPointer) -> Bool {
        var position = 0
        while let one = next(&position) {
            switch one.action {
            case .overwrite, .overwriteIfPresent, .remove: if Self.isSame(name, one.name) { return true }
            case .append, .addIfAbsent: break
            }
        }
        return false
    }

    /// Writes the lines that come behind those that go on. `head` and `fields` are the ones that are changed, before they are.
    ///
    /// Changes do not see each other: of two that overwrite one name both lines are written.
    package func appendLines(
        _ head: UnsafeRawBufferPointer, _ fields: UnsafeMutableBufferPointer<FieldRange>, to writer: inout HeadWriter
    ) {
        var position = 0
        while let one = next(&position) {
            let isWritten =
                switch one.action {
                case .append, .overwrite: true
                case .remove: false
                case .addIfAbsent: !Self.has(head, fields, one.name)
                case .overwriteIfPresent: Self.has(head, fields, one.name)
                }
            if isWritten { writer.append(one.line) }
        }
    }

    private struct Edit {
        let action: Action
        let name: UnsafeRawBufferPointer
        /// With its CRLF.
        let line: UnsafeRawBufferPointer
    }

    private func next(_ position: inout Int) -> Edit? {
        guard position < bytes.count, let action = Action(rawValue: bytes[position]) else { return nil }
        let start = position &+ 1
        var nameEnd = start
        while nameEnd < bytes.count, bytes[nameEnd] != 0x3a { nameEnd &+= 1 }
        var end = nameEnd
        while end < bytes.count, bytes[end] != 0x0a { end &+= 1 }
        guard end < bytes.count else { return nil }
        position = end &+ 1
        return Edit(
            action: action, name: UnsafeRawBufferPointer(rebasing: bytes[start..<nameEnd]),
            line: UnsafeRawBufferPointer(rebasing: bytes[start...end]))
    }

    private static func has(
        _ head: UnsafeRawBufferPointer, _ fields: UnsafeMutableBufferPointer<FieldRange>, _ name: UnsafeRawBufferPointer
    ) -> Bool {
        for field in fields
        where isSame(UnsafeRawBufferPointer(rebasing: head[Int(field.name.start)..<Int(field.name.end)]), name) {
            return true
        }
        return false
    }
}

extension FieldEdits {
    @inline(__always)
    static func lowercased(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

    /// Without case (RFC 9110 section 5.1).
    static func isSame(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Bool {
        guard one.count == other.count else { return false }
        for index in 0..<one.count where lowercased(one[index]) != lowercased(other[index]) { return false }
        return true
    }

    /// The same for a name of this program, which is in lower case.
    static func isSame(_ one: UnsafeRawBufferPointer, _ other: StaticString) -> Bool {
        isSame(one, UnsafeRawBufferPointer(start: other.utf8Start, count: other.utf8CodeUnitCount))
    }

    static func appendLowercased(_ name: UnsafeRawBufferPointer, to writer: inout HeadWriter) {
        var part = InlineArray<32, UInt8>(repeating: 0)
        var position = 0
        while position < name.count {
            let count = min(name.count &- position, 32)
            for offset in 0..<count { part[offset] = lowercased(name[position &+ offset]) }
            writer.append(part.span.extracting(0..<count))
            position &+= count
        }
    }

    /// RFC 9110 section 5.6.2.
    static func isName(_ bytes: UnsafeRawBufferPointer) -> Bool {
        for byte in bytes {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x21, 0x23...0x27, 0x2a, 0x2b, 0x2d, 0x2e, 0x5e...0x60, 0x7c,
                0x7e:
                continue
            default: return false
            }
        }
        return !bytes.isEmpty
    }

    /// RFC 9110 section 5.5, without white space at the ends; may be empty.
    static func isValue(_ bytes: UnsafeRawBufferPointer) -> Bool {
        for byte in bytes where (byte < 0x20 && byte != 0x09) || byte == 0x7f { return false }
        guard let first = bytes.first, let last = bytes.last else { return true }
        return first != 0x20 && first != 0x09 && last != 0x20 && last != 0x09
    }

    /// Frames the message, is meant for one hop, or says where the request goes: the proxy's own, nobody else's to set
    /// (RFC 9110 section 7.6.1). Pseudo-fields are among them.
    static func isOwn(_ name: UnsafeRawBufferPointer) -> Bool {
        guard let first = name.first else { return false }
        if first == 0x3a { return true }
        switch name.count {
        case 2: return isSame(name, "te")
        case 4: return isSame(name, "host")
        case 7: return isSame(name, "trailer") || isSame(name, "upgrade")
        case 10: return isSame(name, "connection") || isSame(name, "keep-alive")
        case 14: return isSame(name, "content-length") || isSame(name, "http2-settings")
        case 16: return isSame(name, "proxy-connection")
        case 17: return isSame(name, "transfer-encoding")
        default: return false
        }
    }
}
