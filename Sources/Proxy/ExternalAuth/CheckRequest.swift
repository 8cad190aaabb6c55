package import HTTPWire

/// The message `envoy.service.auth.v3.CheckRequest`, which asks an authorization service about a request (GEP-1494). Field
/// numbers are those of attribute_context.proto, external_auth.proto and address.proto.
///
/// Headers go as servers expect them from Envoy: names in lower case, lines of one name joined, the pseudo-fields of HTTP/2
/// among them whatever the request's version, and `:authority` instead of Host. Protocol buffers' strings are UTF-8: a
/// value that is not has `!` for its bytes above 0x7f; a body that is not goes as `raw_body`.
///
/// Everything that it points to must outlive it.
package struct CheckRequest: BitwiseCopyable {
    /// An address, as `IPAddress` holds it, and a port.
    package struct Peer: BitwiseCopyable {
        let high: UInt64
        let low: UInt64
        let port: UInt16

        package init(high: UInt64, low: UInt64, port: UInt16) {
            self.high = high
            self.low = low
            self.port = port
        }
    }

    package var source: Peer
    package var destination: Peer
    /// Unix time of the request's first byte.
    package var seconds: UInt64
    package var nanoseconds: UInt32
    /// Empty: none.
    package var id: UnsafeRawBufferPointer
    package var method: UnsafeRawBufferPointer
    /// Path and query as they were sent.
    package var target: UnsafeRawBufferPointer
    package var host: UnsafeRawBufferPointer
    package var version: HTTPVersion
    /// Of the body, as the request says; -1: unknown.
    package var size: Int64
    /// The part of it that is sent along.
    package var body: UnsafeRawBufferPointer
    /// The request's head.
    package var head: UnsafeRawBufferPointer
    package var fields: UnsafeMutableBufferPointer<FieldRange>
    /// Names in lower case of the headers that are sent; empty: all.
    package var allowed: UnsafeBufferPointer<UnsafeRawBufferPointer>

    package init(
        source: Peer, destination: Peer, seconds: UInt64, nanoseconds: UInt32, id: UnsafeRawBufferPointer,
        method: UnsafeRawBufferPointer, target: UnsafeRawBufferPointer, host: UnsafeRawBufferPointer,
        version: HTTPVersion, size: Int64, body: UnsafeRawBufferPointer, head: UnsafeRawBufferPointer,
        fields: UnsafeMutableBufferPointer<FieldRange>, allowed: UnsafeBufferPointer<UnsafeRawBufferPointer>
    ) {
        self.source = source
        self.destination = destination
        self.seconds = seconds
        self.nanoseconds = nanoseconds
        self.id = id
        self.method = method
        self.target = target
        self.host = host
        self.version = version
        self.size = size
        self.body = body
        self.head = head
        self.fields = fields
        self.allowed = allowed
    }

    /// The gRPC method that is called.
    package static var path: StaticString { "/envoy.service.auth.v3.Authorization/Check" }
    private static var scheme: StaticString { "http" }

    /// Writes the message behind gRPC's five bytes.
    package func write(to writer: inout HeadWriter) {
        let source = address(source)
        let destination = address(destination)
        let time = ProtobufSize.number(seconds) &+ ProtobufSize.number(UInt64(nanoseconds))
        let http = httpSize
        let request = ProtobufSize.field(time) &+ ProtobufSize.field(http)
        let attributes =
            ProtobufSize.field(peerSize(source, self.source))
            &+ ProtobufSize.field(peerSize(destination, self.destination))
            &+ ProtobufSize.field(request)
        GRPCFraming.begin(ProtobufSize.field(attributes), to: &writer)
        writer.beginProtobuf(1, count: attributes)
        writer.beginProtobuf(1, count: peerSize(source, self.source))
        appendPeer(source, self.source, &writer)
        writer.beginProtobuf(2, count: peerSize(destination, self.destination))
        appendPeer(destination, self.destination, &writer)
        writer.beginProtobuf(4, count: request)
        writer.beginProtobuf(1, count: time)
        writer.protobuf(1, value: seconds)
        writer.protobuf(2, value: UInt64(nanoseconds))
        writer.beginProtobuf(2, count: http)
        appendHTTP(&writer)
    }

    // MARK: Peers

    private func address(_ peer: Peer) -> AddressText { AddressText(high: peer.high, low: peer.low) }

    private func socketSize(_ text: AddressText, _ peer: Peer) -> Int {
        ProtobufSize.field(text.count) &+ ProtobufSize.number(UInt64(peer.port))
    }

    /// Peer { address: Address { socket_address: SocketAddress } }
    private func peerSize(_ text: AddressText, _ peer: Peer) -> Int {
        ProtobufSize.field(ProtobufSize.field(socketSize(text, peer)))
    }

    private func appendPeer(_ text: AddressText, _ peer: Peer, _ writer: inout HeadWriter) {
        let socket = socketSize(text, peer)
        writer.beginProtobuf(1, count: ProtobufSize.field(socket))
        writer.beginProtobuf(1, count: socket)
        writer.beginProtobuf(2, count: text.count)
        for index in 0..<text.count { writer.append(byte: text[index]) }
        writer.protobuf(3, value: UInt64(peer.port))
    }

    // MARK: HTTP

    private var protocolText: StaticString {
        switch version {
        case .http10: "HTTP/1.0"
        case .http11: "HTTP/1.1"
        case .http2: "HTTP/2"
        }
    }

    private var httpSize: Int {
        var size = ProtobufSize.text(id.count) &+ ProtobufSize.text(method.count) &+ ProtobufSize.text(target.count)
        size &+= ProtobufSize.text(host.count) &+ ProtobufSize.field(Self.scheme.utf8CodeUnitCount)
        size &+= ProtobufSize.number(UInt64(bitPattern: self.size))
        size &+= ProtobufSize.field(protocolText.utf8CodeUnitCount) &+ ProtobufSize.text(body.count)
        size &+= ProtobufSize.field(entrySize(10, host.count)) &+ ProtobufSize.field(entrySize(7, method.count))
        size &+= ProtobufSize.field(entrySize(5, target.count))
        size &+= ProtobufSize.field(entrySize(7, Self.scheme.utf8CodeUnitCount))
        for index in 0..<fields.count where isFirst(index) {
            size &+= ProtobufSize.field(entrySize(Int(fields[index].name.count), joinedSize(index)))
        }
        return size
    }

    private func appendHTTP(_ writer: inout HeadWriter) {
        writer.protobuf(1, text: id)
        writer.protobuf(2, text: method)
        appendEntry(":authority", host, &writer)
        appendEntry(":method", method, &writer)
        appendEntry(":path", target, &writer)
        appendEntry(":scheme", Self.bytes(Self.scheme), &writer)
        for index in 0..<fields.count where isFirst(index) {
            let name = part(fields[index].name)
            let count = joinedSize(index)
            writer.beginProtobuf(3, count: entrySize(name.count, count))
            writer.beginProtobuf(1, count: name.count)
            FieldEdits.appendLowercased(name, to: &writer)
            writer.beginProtobuf(2, count: count)
            appendJoined(index, &writer)
        }
        writer.protobuf(4, text: target)
        if !host.isEmpty {
            writer.beginProtobuf(5, count: host.count)
            appendText(host, &writer)
        }
        writer.protobuf(6, text: Self.bytes(Self.scheme))
        writer.protobuf(9, value: UInt64(bitPattern: size))
        writer.protobuf(10, text: Self.bytes(protocolText))
        writer.protobuf(Self.isUTF8(body) ? 11 : 12, text: body)
    }

    private func entrySize(_ name: Int, _ value: Int) -> Int { ProtobufSize.field(name) &+ ProtobufSize.field(value) }

    private func appendEntry(_ name: StaticString, _ value: UnsafeRawBufferPointer, _ writer: inout HeadWriter) {
        writer.beginProtobuf(3, count: entrySize(name.utf8CodeUnitCount, value.count))
        writer.beginProtobuf(1, count: name.utf8CodeUnitCount)
        writer.append(name)
        writer.beginProtobuf(2, count: value.count)
        appendText(value, &writer)
    }

    private static func bytes(_ text: StaticString) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    private func part(_ range: ByteRange) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: head[Int(range.start)..<Int(range.end)])
    }

    /// A line that is sent, and the first of its name.
    private func isFirst(_ index: Int) -> Bool {
        let field = fields[index]
        if field.hopByHop { return false }
        if case .host = field.known { return false }
        let name = part(field.name)
        if !allowed.isEmpty && !HTTPAuthRequest.contains(allowed, name) { return false }
        for earlier in 0..<index where fields[earlier].name.count == field.name.count {
            if !fields[earlier].hopByHop, FieldEdits.isSame(part(fields[earlier].name), name) { return false }
        }
        return true
    }

    private func isSameName(_ index: Int, _ other: Int) -> Bool {
        fields[index].name.count == fields[other].name.count && !fields[other].hopByHop
            && FieldEdits.isSame(part(fields[index].name), part(fields[other].name))
    }

    private func joinedSize(_ index: Int) -> Int {
        var size = Int(fields[index].value.count)
        for other in (index &+ 1)..<max(fields.count, index &+ 1) where isSameName(index, other) {
            size &+= 2 &+ Int(fields[other].value.count)
        }
        return size
    }

    /// Joined by `, ` (RFC 9110 section 5.3), cookies by `; ` (RFC 9113 section 8.2.3).
    private func appendJoined(_ index: Int, _ writer: inout HeadWriter) {
        appendText(part(fields[index].value), &writer)
        var separator: StaticString = ", "
        if case .cookie = fields[index].known { separator = "; " }
        for other in (index &+ 1)..<max(fields.count, index &+ 1) where isSameName(index, other) {
            writer.append(separator)
            appendText(part(fields[other].value), &writer)
        }
    }

    // MARK: Text

    private func appendText(_ bytes: UnsafeRawBufferPointer, _ writer: inout HeadWriter) {
        if Self.isUTF8(bytes) { return writer.append(bytes) }
        for byte in bytes { writer.append(byte: byte < 0x80 ? byte : 0x21) }
    }

    /// RFC 3629 section 4.
    private static func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var position = 0
        while position < bytes.count {
            // Text is ASCII almost always: eight bytes at a time.
            while position &+ 8 <= bytes.count,
                bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
            {
                position &+= 8
            }
            guard position < bytes.count else { break }
            let byte = bytes[position]
            position &+= 1
            if byte < 0x80 { continue }
            let more: Int
            var least: UInt8 = 0x80
            var most: UInt8 = 0xbf
            switch byte {
            case 0xc2...0xdf: more = 1
            case 0xe0...0xef:
                more = 2
                if byte == 0xe0 { least = 0xa0 }
                if byte == 0xed { most = 0x9f }
            case 0xf0...0xf4:
                more = 3
                if byte == 0xf0 { least = 0x90 }
                if byte == 0xf4 { most = 0x8f }
            default: return false
            }
            guard bytes.count &- position >= more else { return false }
            guard bytes[position] >= least, bytes[position] <= most else { return false }
            for offset in 1..<max(more, 1) where bytes[position &+ offset] & 0xc0 != 0x80 { return false }
            position &+= more
        }
        return true
    }
}
