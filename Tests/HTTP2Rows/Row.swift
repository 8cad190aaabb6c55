/// One requirement of RFC 9113 (or of another RFC, when `section` names it) and bytes that put it to the test.
package struct Row: Sendable, CustomStringConvertible {
    /// Which side the tested one is.
    package enum Role: Sendable {
        case server
        case client
    }

    /// RFC 9113 section 7.
    package enum Code: UInt32, Sendable {
        case noError, protocolError, internalError, flowControlError, settingsTimeout, streamClosed, frameSizeError
        case refusedStream, cancel, compressionError, connectError, enhanceYourCalm, inadequateSecurity, http11Required
    }

    package enum Expected: Equatable, Sendable {
        /// Neither RST_STREAM nor GOAWAY.
        case accepted
        /// RST_STREAM on that stream, and nothing else is wrong.
        case stream(UInt32, Code)
        /// GOAWAY.
        case connection(Code)
        /// `accepted`, and that many messages (requests or final responses) came to the application, whole.
        case messages(Int)
        /// `accepted`, and the frame was sent.
        case answered(Frame)
    }

    /// What the tested one's application does.
    package enum Application: Sendable {
        /// Nothing. Over a socket: it does not answer before the bytes were all taken.
        case waits
        /// Server: ends the response as soon as the request's head is there.
        case answers
        /// Resets the stream at the head of the message, with CANCEL; a client at once.
        case resets
    }

    package var section: String
    package var what: String
    package var role: Role
    /// What the peer sends, from the first byte on.
    package var bytes: [UInt8]
    package var expected: Expected
    package var application: Application
    /// Client: the methods of the requests that it sends first, on streams 1, 3, ...; they end with their heads, but POST.
    package var requests: [String]

    package var description: String { "\(section) \(role): \(what)" }
}

extension Row {
    /// A row for a server; the preface and empty SETTINGS go before the bytes.
    static func server(
        _ section: String, _ what: String, _ bytes: [UInt8], _ expected: Expected, _ application: Application = .waits
    ) -> Row {
        raw(section, what, preface + HTTP2Rows.settings() + bytes, expected, application)
    }

    static func raw(
        _ section: String, _ what: String, _ bytes: [UInt8], _ expected: Expected, _ application: Application = .waits
    ) -> Row {
        Row(
            section: section, what: what, role: .server, bytes: bytes, expected: expected, application: application,
            requests: [])
    }

    /// A row for a client; empty SETTINGS go before the bytes.
    static func client(
        _ section: String, _ what: String, _ bytes: [UInt8], _ expected: Expected, requests: [String] = ["GET"],
        _ application: Application = .waits
    ) -> Row {
        Row(
            section: section, what: what, role: .client, bytes: HTTP2Rows.settings() + bytes, expected: expected,
            application: application, requests: requests)
    }

    package static let all = framing + streams + frames + messages + clients
}
