import HTTPWire

/// A stream of HTTP/2: a request that is coming in, and the reply to it.
final class EchoStream {
    /// What becomes of the request's content.
    enum Use {
        /// It is counted.
        case count
        /// It is sent back as it comes.
        case echo
        case call(EchoCall)
        case webSocket(EchoWebSocket)
    }

    let slot: HTTP2Connection.Slot
    let options: EchoOptions
    var request: EchoRequest
    var use: Use
    /// Nil while the request must come first.
    var reply: EchoReply?
    /// When the reply may go on, on the clock of the connection.
    var readyAt: UInt64 = 0
    /// Bytes of content that came, and are not consumed before what answers them is sent.
    var held = 0
    var isRemembered = false

    init(_ slot: HTTP2Connection.Slot, _ request: EchoRequest, _ options: EchoOptions, _ use: Use) {
        self.slot = slot
        self.request = request
        self.options = options
        self.use = use
    }
}
