package import HTTPWire

/// The message `envoy.service.auth.v3.CheckResponse`: an authorization service's answer, checked as a whole when it is read, so
/// that what it says can be carried out without another look.
///
/// Where Envoy's versions differ, or are lenient, this is strict, since a doubt must not let a request pass: a status of 0
/// beside a denied_response is a denial; a message that says neither a status nor an ok_response is none; headers that say
/// neither `append` nor `append_action` take the place of the request's own, so that no client can add to them. Names that
/// are the proxy's own (framing, hop-by-hop, Host, pseudo-fields) are passed over.
package struct CheckResponse: BitwiseCopyable {
    package let isAllowed: Bool
    /// Of the answer to the client when it is denied: 200...599.
    package let deniedStatus: UInt16
    /// That answer's body, in the message.
    package let body: ByteRange
    /// It asks for changes to the request's query, which Weir does not make: not to be allowed.
    package let changesQuery: Bool
    /// The ok_response or denied_response, in the message; empty: none.
    private let part: ByteRange

    /// nil for what is no such message, or holds names or values that no field may have.
    package init?(_ message: UnsafeRawBufferPointer) {
        guard message.count < 1 << 30 else { return nil }
        var status: UInt64?
        var denied: ByteRange?
        var ok: ByteRange?
        var reader = ProtobufReader(message, ByteRange(start: 0, count: UInt32(message.count)))
        while let field = reader.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let range)) where status == nil:
                guard let code = Self.number(message, range) else { return nil }
                status = code
            case (2, .bytes(let range)) where denied == nil && ok == nil: denied = range
            case (3, .bytes(let range)) where denied == nil && ok == nil: ok = range
            case (1...3, _): return nil
            default: break
            }
        }
        guard !reader.isInvalid, status != nil || ok != nil else { return nil }
        let isAllowed = (status ?? 0) == 0 && denied == nil
        self.isAllowed = isAllowed
        // An ok_response beside a denial, or the other way round, is not carried out.
        part = (isAllowed ? ok : denied) ?? .empty
        var contents = Contents()
        guard isAllowed ? contents.readAllowed(message, part) : contents.readDenied(message, part) else { return nil }
        deniedStatus = contents.status
        body = contents.body
        changesQuery = contents.changesQuery
    }

    /// Field 1 of a message that holds a number there (google.rpc.Status, HttpStatus, BoolValue).
    private static func number(_ message: UnsafeRawBufferPointer, _ range: ByteRange) -> UInt64? {
        var value: UInt64 = 0
        var reader = ProtobufReader(message, range)
        while let field = reader.next() {
            guard field.number == 1 else { continue }
            guard case .number(let number) = field.value else { return nil }
            value = number
        }
        return reader.isInvalid ? nil : value
    }

    private struct Contents {
        var status: UInt16 = 403
        var body = ByteRange.empty
        var changesQuery = false

        /// `status` 1, `headers` 2, `body` 3.
        mutating func readDenied(_ message: UnsafeRawBufferPointer, _ part: ByteRange) -> Bool {
            var reader = ProtobufReader(message, part)
            while let field = reader.next() {
                switch (field.number, field.value) {
                case (1, .bytes(let range)):
                    guard let code = number(message, range) else { return false }
                    if (200...599).contains(code) { status = UInt16(code) }
                case (2, .bytes(let range)): if Header(message, range) == nil { return false }
                case (3, .bytes(let range)): body = range
                case (1...3, _): return false
                default: break
                }
            }
            return !reader.isInvalid
        }

        /// `headers` 2, `headers_to_remove` 5, `response_headers_to_add` 6, `query_parameters_to_set` 7,
        /// `query_parameters_to_remove` 8.
        mutating func readAllowed(_ message: UnsafeRawBufferPointer, _ part: ByteRange) -> Bool {
            var reader = ProtobufReader(message, part)
            while let field = reader.next() {
                switch (field.number, field.value) {
                case (2, .bytes(let range)), (6, .bytes(let range)): if Header(message, range) == nil { return false }
                case (5, .bytes(let range)):
                    let name = CheckResponse.bytes(message, range)
                    if !FieldEdits.isOwn(name) && !FieldEdits.isName(name) { return false }
                case (2, _), (5, _), (6, _): return false
                case (7...8, _): changesQuery = true
                default: break
                }
            }
            return !reader.isInvalid
        }
    }

    /// A HeaderValueOption: `header` { `key` 1, `value` 2, `raw_value` 3 } 1, `append` 2, `append_action` 3.
    private struct Header {
        var name = ByteRange.empty
        var value = ByteRange.empty
        var action = FieldEdits.Action.overwrite
        var isOwn = false

        init?(_ message: UnsafeRawBufferPointer, _ range: ByteRange) {
            var reader = ProtobufReader(message, range)
            var append: Bool?
            while let field = reader.next() {
                switch (field.number, field.value) {
                case (1, .bytes(let pair)): guard readPair(message, pair) else { return nil }
                case (2, .bytes(let flag)):
                    guard let number = CheckResponse.number(message, flag) else { return nil }
                    append = number != 0
                case (3, .number(let number)):
                    switch number {
                    case 0, 2: action = .overwrite
                    case 1: action = .addIfAbsent
                    case 3: action = .overwriteIfPresent
                    default: return nil
                    }
                case (1...3, _): return nil
                default: break
                }
            }
            if let append { action = append ? .append : .overwrite }
            guard !reader.isInvalid else { return nil }
            let text = CheckResponse.bytes(message, name)
            isOwn = FieldEdits.isOwn(text)
            guard isOwn || FieldEdits.isName(text) else { return nil }
            trim(message)
            guard isOwn || FieldEdits.isValue(CheckResponse.bytes(message, value)) else { return nil }
        }

        private mutating func readPair(_ message: UnsafeRawBufferPointer, _ range: ByteRange) -> Bool {
            var reader = ProtobufReader(message, range)
            while let field = reader.next() {
                switch (field.number, field.value) {
                case (1, .bytes(let text)): name = text
                case (2, .bytes(let text)), (3, .bytes(let text)): if !text.isEmpty { value = text }
                case (1...3, _): return false
                default: break
                }
            }
            return !reader.isInvalid
        }

        private mutating func trim(_ message: UnsafeRawBufferPointer) {
            func isBlank(_ offset: UInt32) -> Bool {
                let byte = message[Int(offset)]
                return byte == 0x20 || byte == 0x09
            }
            while !value.isEmpty, isBlank(value.end &- 1) { value.count &-= 1 }
            while !value.isEmpty, isBlank(value.start) {
                value.start &+= 1
                value.count &-= 1
            }
        }
    }

    private static func bytes(_ message: UnsafeRawBufferPointer, _ range: ByteRange) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: message[Int(range.start)..<Int(range.end)])
    }

    // MARK: What it asks for. `message` are the bytes that it was read from.

    /// Writes the changes to the request that goes on, as `FieldEdits`: `headers`, then `headers_to_remove`.
    package func appendRequestEdits(_ message: UnsafeRawBufferPointer, to writer: inout HeadWriter) {
        guard isAllowed else { return }
        appendEdits(message, number: 2, to: &writer)
        var reader = ProtobufReader(message, part)
        while let field = reader.next() {
            guard field.number == 5, case .bytes(let range) = field.value else { continue }
            let name = Self.bytes(message, range)
            if !FieldEdits.isOwn(name) {
                FieldEdits.append(.remove, name, UnsafeRawBufferPointer(start: nil, count: 0), to: &writer)
            }
        }
    }

    /// Writes the changes to the response of the request that went on: `response_headers_to_add`.
    package func appendResponseEdits(_ message: UnsafeRawBufferPointer, to writer: inout HeadWriter) {
        guard isAllowed else { return }
        appendEdits(message, number: 6, to: &writer)
    }

    private func appendEdits(_ message: UnsafeRawBufferPointer, number: UInt32, to writer: inout HeadWriter) {
        var reader = ProtobufReader(message, part)
        while let field = reader.next() {
            guard field.number == number, case .bytes(let range) = field.value, let header = Header(message, range),
                !header.isOwn
            else { continue }
            FieldEdits.append(
                header.action, Self.bytes(message, header.name), Self.bytes(message, header.value), to: &writer)
        }
    }

    /// Writes the field lines of a denial's answer. True when Content-Type is among them.
    package func appendDeniedFields(_ message: UnsafeRawBufferPointer, to writer: inout HeadWriter) -> Bool {
        guard !isAllowed else { return false }
        var hasType = false
        var reader = ProtobufReader(message, part)
        while let field = reader.next() {
            guard field.number == 2, case .bytes(let range) = field.value, let header = Header(message, range),
                !header.isOwn
            else { continue }
            let name = Self.bytes(message, header.name)
            hasType = hasType || FieldEdits.isSame(name, "content-type")
            FieldEdits.appendLowercased(name, to: &writer)
            writer.append(": ")
            writer.append(Self.bytes(message, header.value))
            writer.append("\r\n")
        }
        return hasType
    }
}
