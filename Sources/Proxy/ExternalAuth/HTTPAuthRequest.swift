package import HTTPWire

/// The request that asks an authorization service over HTTP (GEP-1494): the client's method and target behind the
/// configured path, Host, Authorization, Content-Length of what is sent along, and the headers that the route lists.
///
/// Written as HTTP/1.1; HTTP/2 takes it apart again. Everything that it points to must outlive it.
package struct HTTPAuthRequest: BitwiseCopyable {
    package var method: UnsafeRawBufferPointer
    /// Path and query as they were sent.
    package var target: UnsafeRawBufferPointer
    package var host: UnsafeRawBufferPointer
    /// Goes before the target.
    package var path: UnsafeRawBufferPointer
    /// Bytes of the body that follow the head.
    package var bodyCount: Int
    /// The client's head.
    package var head: UnsafeRawBufferPointer
    package var fields: UnsafeMutableBufferPointer<FieldRange>
    /// Names in lower case.
    package var allowed: UnsafeBufferPointer<UnsafeRawBufferPointer>

    package init(
        method: UnsafeRawBufferPointer, target: UnsafeRawBufferPointer, host: UnsafeRawBufferPointer,
        path: UnsafeRawBufferPointer, bodyCount: Int, head: UnsafeRawBufferPointer,
        fields: UnsafeMutableBufferPointer<FieldRange>, allowed: UnsafeBufferPointer<UnsafeRawBufferPointer>
    ) {
        self.method = method
        self.target = target
        self.host = host
        self.path = path
        self.bodyCount = bodyCount
        self.head = head
        self.fields = fields
        self.allowed = allowed
    }

    package func write(to writer: inout HeadWriter) {
        writer.append(method)
        writer.append(byte: 0x20)
        appendTarget(&writer)
        writer.append(" HTTP/1.1\r\n")
        writer.field("host", host)
        for field in fields where !field.hopByHop {
            let name = UnsafeRawBufferPointer(rebasing: head[Int(field.name.start)..<Int(field.name.end)])
            if isSent(field, name) { writer.field(field, of: head) }
        }
        writer.field("content-length", decimal: UInt64(max(bodyCount, 0)))
        writer.append("\r\n")
    }

    private func isSent(_ field: FieldRange, _ name: UnsafeRawBufferPointer) -> Bool {
        switch field.known {
        case .authorization: true
        case .host, .contentLength, .expect: false
        default: !FieldEdits.isOwn(name) && Self.contains(allowed, name)
        }
    }

    /// The path's last `/` gives way to the target's first; `*` (RFC 9112 section 3.2.4) has no place behind a path.
    private func appendTarget(_ writer: inout HeadWriter) {
        let isPath = target.first == 0x2f
        var count = path.count
        if isPath, count > 0, path[count &- 1] == 0x2f { count &-= 1 }
        if count > 0 && path[0] != 0x2f { writer.append(byte: 0x2f) }
        writer.append(UnsafeRawBufferPointer(rebasing: path[..<count]))
        if isPath || count == 0 { writer.append(target) }
    }

    /// Writes what an allowing answer (200) changes of the request that goes on, as `FieldEdits`: the headers that
    /// `allowed` lists; all when it is empty, but those that describe the answer's own content. They take the place of the
    /// client's.
    package static func appendEdits(
        _ head: UnsafeRawBufferPointer, _ fields: UnsafeMutableBufferPointer<FieldRange>,
        allowed: UnsafeBufferPointer<UnsafeRawBufferPointer>, to writer: inout HeadWriter
    ) {
        for field in fields where !field.hopByHop {
            let name = UnsafeRawBufferPointer(rebasing: head[Int(field.name.start)..<Int(field.name.end)])
            guard !FieldEdits.isOwn(name), allowed.isEmpty ? !isContent(name) : contains(allowed, name) else {
                continue
            }
            FieldEdits.append(
                .overwrite, name,
                UnsafeRawBufferPointer(rebasing: head[Int(field.value.start)..<Int(field.value.end)]), to: &writer)
        }
    }

    private static func isContent(_ name: UnsafeRawBufferPointer) -> Bool {
        name.count > 8 && FieldEdits.isSame(UnsafeRawBufferPointer(rebasing: name[..<8]), "content-")
    }

    /// `names` are in lower case.
    static func contains(
        _ names: UnsafeBufferPointer<UnsafeRawBufferPointer>, _ name: UnsafeRawBufferPointer
    ) -> Bool {
        for candidate in names where FieldEdits.isSame(candidate, name) { return true }
        return false
    }
}
