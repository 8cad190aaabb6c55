import CNghttp2
import HTTP2Rows
import Testing

/// The same application as `RandomEndpoint`'s on a session of libnghttp2, in memory: it pads its frames, changes its
/// settings now and then, and resets some streams.
final class NghttpPeer {
    struct Exchange {
        var sent = 0
        var length = 0
        var hasTrailers = false
        var received = 0
        var expected: Int?
        var expectsTrailers = false
        var gotTrailers = false
        var remoteEnded = false
        var error: UInt32?
    }

    private var session: OpaquePointer?
    private let isClient: Bool
    private var random: Seeded
    private let resets: Bool
    private(set) var exchanges: [Int32: Exchange] = [:]
    private(set) var open = 0
    private(set) var completed = 0
    private(set) var resetCount = 0
    var toOpen: Int
    /// The session found an error of ours.
    private(set) var complaint: String?

    init(isClient: Bool, _ seed: UInt64, requests: Int, resets: Bool) {
        self.isClient = isClient
        random = Seeded(seed)
        self.resets = resets
        toOpen = requests
        var callbacks: OpaquePointer?
        nghttp2_session_callbacks_new(&callbacks)
        defer { nghttp2_session_callbacks_del(callbacks) }
        setCallbacks(callbacks)
        let user = Unmanaged.passUnretained(self).toOpaque()
        if isClient {
            nghttp2_session_client_new(&session, callbacks, user)
        } else {
            nghttp2_session_server_new(&session, callbacks, user)
        }
        submitSettings([(3, 50), (4, UInt32.random(in: 20_000...100_000, using: &random))])
    }

    deinit { nghttp2_session_del(session) }

    private static func peer(_ user: UnsafeMutableRawPointer?) -> NghttpPeer {
        Unmanaged<NghttpPeer>.fromOpaque(user!).takeUnretainedValue()
    }

    private func setCallbacks(_ callbacks: OpaquePointer?) {
        nghttp2_session_callbacks_set_on_header_callback(callbacks) {
            _, frame, name, nameCount, value, count, _, user in
            let name = text(UnsafeBufferPointer(start: name, count: nameCount))
            let value = text(UnsafeBufferPointer(start: value, count: count))
            NghttpPeer.peer(user).field(frame!.pointee, name, value)
            return 0
        }
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, user in
            NghttpPeer.peer(user).frame(frame!.pointee)
            return 0
        }
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, stream, data, count, user in
            NghttpPeer.peer(user).data(stream, UnsafeRawBufferPointer(start: data, count: count))
            return 0
        }
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, stream, code, user in
            NghttpPeer.peer(user).close(stream, code)
            return 0
        }
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks) { _, frame, code, user in
            NghttpPeer.peer(user).complaint =
                "frame of type \(frame!.pointee.hd.type): \(String(cString: nghttp2_strerror(code)))"
            return 0
        }
        nghttp2_session_callbacks_set_error_callback2(callbacks) { _, _, message, count, user in
            NghttpPeer.peer(user).complaint = text(UnsafeRawBufferPointer(start: message, count: count))
            return 0
        }
        nghttp2_session_callbacks_set_select_padding_callback(callbacks) { _, frame, most, user in
            let peer = NghttpPeer.peer(user)
            let length = frame!.pointee.hd.length
            return peer.random.one(in: 3)
                ? Int.random(in: length...min(most, length + 200), using: &peer.random) : length
        }
    }

    // What comes.

    private func field(_ frame: nghttp2_frame, _ name: String, _ value: String) {
        let stream = frame.hd.stream_id
        switch name {
        case "x-length": exchanges[stream, default: Exchange()].expected = Int(value)
        case "x-trailers": exchanges[stream, default: Exchange()].expectsTrailers = value == "1"
        case "x-sum": exchanges[stream]?.gotTrailers = true
        default: break
        }
    }

    private func frame(_ frame: nghttp2_frame) {
        let stream = frame.hd.stream_id
        if frame.hd.type == UInt8(NGHTTP2_GOAWAY.rawValue), frame.goaway.error_code != 0 {
            complaint = "GOAWAY with code \(frame.goaway.error_code)"
        }
        let isHeaders = frame.hd.type == UInt8(NGHTTP2_HEADERS.rawValue)
        if isHeaders, frame.headers.cat == NGHTTP2_HCAT_REQUEST { answer(stream) }
        guard isHeaders || frame.hd.type == UInt8(NGHTTP2_DATA.rawValue) else { return }
        if frame.hd.flags & Frame.endStream != 0 {
            exchanges[stream]?.remoteEnded = true
            if let exchange = exchanges[stream] {
                #expect(exchange.received == exchange.expected)
                #expect(exchange.gotTrailers == exchange.expectsTrailers)
            }
        }
    }

    private func data(_ stream: Int32, _ bytes: UnsafeRawBufferPointer) {
        guard let exchange = exchanges[stream] else { return }
        expectContent(bytes, UInt32(stream), !isClient, from: exchange.received)
        exchanges[stream]!.received += bytes.count
    }

    private func close(_ stream: Int32, _ code: UInt32) {
        guard exchanges.removeValue(forKey: stream) != nil else { return }
        open -= 1
        if code == 0 { completed += 1 } else { resetCount += 1 }
        if code != 0, code != 8 { complaint = "stream \(stream) closed with code \(code)" }
    }

    // What goes.

    private func length() -> Int { random.one(in: 4) ? 0 : Int.random(in: 0..<60_000, using: &random) }

    private func fields(_ exchange: Exchange) -> Fields {
        var fields: Fields = [
            ("x-length", "\(exchange.length)"), ("x-trailers", exchange.hasTrailers ? "1" : "0"),
            (
                "x-noise-\(Int.random(in: 0..<20, using: &random))",
                String(repeating: "n", count: Int.random(in: 0..<400, using: &random))
            ),
        ]
        if random.one(in: 2) { fields.append(("content-length", "\(exchange.length)")) }
        return fields
    }

    private func answer(_ stream: Int32) {
        open += 1
        exchanges[stream]!.length = length()
        exchanges[stream]!.hasTrailers = random.one(in: 3)
        if random.one(in: 5) {
            withFields([(":status", "103"), ("link", "</a>")]) {
                _ = nghttp2_submit_headers(session, 0, stream, nil, $0, $1, nil)
            }
        }
        var source = provider
        withFields([(":status", "200")] + fields(exchanges[stream]!)) {
            _ = nghttp2_submit_response(session, stream, $0, $1, &source)
        }
    }

    private func request() {
        toOpen -= 1
        var exchange = Exchange()
        exchange.length = length()
        exchange.hasTrailers = random.one(in: 3)
        var source = provider
        let head = [(":method", "POST"), (":scheme", "http"), (":path", "/\(toOpen)"), (":authority", "example.com")]
        withFields(head + fields(exchange)) {
            let stream = nghttp2_submit_request(session, nil, $0, $1, &source, nil)
            #expect(stream > 0)
            exchanges[stream] = exchange
        }
        open += 1
    }

    private var provider: nghttp2_data_provider {
        var provider = nghttp2_data_provider()
        provider.read_callback = { _, stream, buffer, room, flags, _, user in
            NghttpPeer.peer(user).read(stream, UnsafeMutableRawBufferPointer(start: buffer, count: room), flags!)
        }
        return provider
    }

    private func read(
        _ stream: Int32, _ room: UnsafeMutableRawBufferPointer, _ flags: UnsafeMutablePointer<UInt32>
    ) -> Int {
        guard let exchange = exchanges[stream] else { return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue) }
        let most = min(room.count, exchange.length - exchange.sent)
        let count = most > 1 && random.one(in: 2) ? Int.random(in: 1...most, using: &random) : most
        room.copyBytes(from: content(UInt32(stream), isClient, exchange.sent..<exchange.sent + count))
        exchanges[stream]!.sent += count
        if exchange.sent + count == exchange.length {
            flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
            if exchange.hasTrailers {
                flags.pointee |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
                withFields([("x-sum", "\(exchange.length)")]) { _ = nghttp2_submit_trailer(session, stream, $0, $1) }
            }
        }
        return count
    }

    private func submitSettings(_ entries: [(Int32, UInt32)]) {
        let entries = entries.map { nghttp2_settings_entry(settings_id: $0, value: $1) }
        nghttp2_submit_settings(session, 0, entries, entries.count)
    }

    /// Does something, perhaps.
    func act() {
        if isClient, toOpen > 0, open < 40, random.one(in: 2) { request() }
        if random.one(in: 60) {
            submitSettings([
                (4, UInt32.random(in: 1000...100_000, using: &random)),
                (1, [0, 100, 4096, 65_536].randomElement(using: &random)!),
                (5, UInt32.random(in: 16_384...50_000, using: &random)),
            ])
        }
        if random.one(in: 100) { nghttp2_submit_ping(session, 0, nil) }
        if resets, random.one(in: 30), let stream = exchanges.keys.sorted().randomElement(using: &random) {
            nghttp2_submit_rst_stream(session, 0, stream, 8)
        }
    }

    func receive(_ bytes: [UInt8]) {
        let taken = bytes.withUnsafeBufferPointer { nghttp2_session_mem_recv(session, $0.baseAddress, $0.count) }
        if taken != bytes.count {
            complaint = complaint ?? "received: \(String(cString: nghttp2_strerror(Int32(taken))))"
        }
    }

    func takeOutput() -> [UInt8] {
        var output: [UInt8] = []
        while true {
            var start: UnsafePointer<UInt8>?
            let count = nghttp2_session_mem_send(session, &start)
            if count <= 0 { return output }
            output += UnsafeBufferPointer(start: start, count: count)
        }
    }

    var isIdle: Bool { exchanges.isEmpty && toOpen == 0 }

    private func withFields(_ fields: Fields, _ body: (UnsafePointer<nghttp2_nv>?, Int) -> Void) {
        var storage: [UInt8] = []
        for (name, value) in fields { storage += bytes(name) + bytes(value) }
        storage.append(0)
        storage.withUnsafeMutableBufferPointer { storage in
            var place = storage.baseAddress!
            let entries = fields.map { name, value in
                let entry = nghttp2_nv(
                    name: place, value: place + name.count, namelen: name.count, valuelen: value.count,
                    flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue))
                place += name.count + value.count
                return entry
            }
            entries.withUnsafeBufferPointer { body($0.baseAddress, $0.count) }
        }
    }
}
