import HTTPWire
import Reactor

/// A request that waits for authorization services: what it is held with, and what they answer. An element of a slab that
/// belongs to its exchange (`ExchangeState.auth`).
struct Authorization: BitwiseCopyable {
    enum Step: UInt8 {
        /// The service at hand is asked once there is what it wants of the content.
        case content
        case asking
        case answered
    }

    enum Verdict: UInt8 {
        case allowed
        case denied
        /// No answer, or none that can be read or carried out: as good as a denial.
        case failed
    }

    var step = Step.content
    var verdict = Verdict.failed
    /// The services that have not allowed it yet are asked one after the other.
    var auths: UnsafeBufferPointer<PlannedAuth>
    /// They are the rule's: what the rule does comes next. Else they are the backendRef's.
    var isOfRule: Bool
    /// The port that the client dialled.
    let dialledPort: UInt16
    /// The exchange that asks, or `Slab.none`.
    var check = Slab.none

    // The request, as the services so far have changed it.
    var head = RequestHead()
    var text = ByteQueue()
    /// The head's `FieldRange`s.
    var lines = ByteQueue()
    /// Content belongs to the request, if only an empty one.
    var hasContent = false
    /// Without its framing; `StreamOutput.ends` of the exchange says whether it is whole.
    var content = ByteQueue()
    var trailers = ByteQueue()
    /// What the services say of the response to the request, as `FieldEdits`.
    var responseEdits = ByteQueue()

    // The answer of the service that was asked last.
    var answer = ResponseHead()
    var answerText = ByteQueue()
    var answerLines = ByteQueue()
    var answerContent = ByteQueue()
    var answerTrailers = ByteQueue()
    var isAnswerTooLong = false

    init(auths: UnsafeBufferPointer<PlannedAuth>, isOfRule: Bool, dialledPort: UInt16) {
        self.auths = auths
        self.isOfRule = isOfRule
        self.dialledPort = dialledPort
    }

    /// The service that is to be asked, or was.
    var current: UnsafePointer<PlannedAuth> { auths.baseAddress! }

    /// The service at hand gets the content along with the head. What follows a request for a tunnel is none.
    var sendsContent: Bool { current.pointee.maximumBody > 0 && hasContent && !head.isExtendedConnect }
    var sentContent: UnsafeRawBufferPointer { sendsContent ? content.bytes : .nothing }

    /// Valid while `lines` is not touched.
    var fields: UnsafeMutableBufferPointer<FieldRange> { Self.fields(lines, head.fieldCount) }
    var answerFields: UnsafeMutableBufferPointer<FieldRange> { Self.fields(answerLines, answer.fieldCount) }

    private static func fields(_ lines: ByteQueue, _ count: Int) -> UnsafeMutableBufferPointer<FieldRange> {
        UnsafeMutableBufferPointer(
            start: UnsafeMutableRawPointer(mutating: lines.bytes.baseAddress)?.assumingMemoryBound(to: FieldRange.self),
            count: lines.isVacant ? 0 : count)
    }

    mutating func clearAnswer(_ buffers: inout BufferPool) {
        answerText.clear(&buffers)
        answerLines.clear(&buffers)
        answerContent.clear(&buffers)
        answerTrailers.clear(&buffers)
        isAnswerTooLong = false
    }

    mutating func clear(_ buffers: inout BufferPool) {
        text.clear(&buffers)
        lines.clear(&buffers)
        content.clear(&buffers)
        trailers.clear(&buffers)
        responseEdits.clear(&buffers)
        clearAnswer(&buffers)
    }

    // MARK: The answer

    /// What the service has said, once its response is whole.
    func judged() -> Verdict {
        guard current.pointee.isGRPC else {
            return answer.status == 200 ? .allowed : isAnswerTooLong ? .failed : .denied
        }
        guard let message, let response = CheckResponse(message), !response.changesQuery else { return .failed }
        return response.isAllowed ? .allowed : .denied
    }

    /// The one message of a gRPC call that ended with OK.
    var message: UnsafeRawBufferPointer? {
        let bytes = answerContent.bytes
        guard answer.status == 200, !isAnswerTooLong, isContentGRPC, isStatusOK,
            case .message(let range) = GRPCFraming.unary(bytes, limit: bytes.count)
        else { return nil }
        return UnsafeRawBufferPointer(rebasing: bytes[Int(range.start)..<Int(range.end)])
    }

    private var isContentGRPC: Bool {
        for field in answerFields {
            guard case .contentType = field.known else { continue }
            return GRPCStatus.isContentType(UnsafeRawBufferPointer(rebasing: answerText.bytes[field.value]))
        }
        return false
    }

    /// An answer with content has its status in the trailer section.
    private var isStatusOK: Bool {
        let name: StaticString = "grpc-status: 0\r\n"
        let lines = answerTrailers.bytes
        var start = 0
        while start < lines.count {
            var end = start
            while end < lines.count, lines[end] != 0x0a { end &+= 1 }
            let line = UnsafeRawBufferPointer(rebasing: lines[start..<min(end &+ 1, lines.count)])
            if Self.isSameLine(line, name) { return true }
            start = end &+ 1
        }
        return false
    }

    /// Without case, and whatever the white space behind the colon.
    private static func isSameLine(_ line: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        var position = 0
        for index in 0..<text.utf8CodeUnitCount {
            let byte = text.utf8Start[index]
            if byte == 0x20 {
                while position < line.count, line[position] == 0x20 || line[position] == 0x09 { position &+= 1 }
                continue
            }
            guard position < line.count, FieldEdits.lowercased(line[position]) == byte else { return false }
            position &+= 1
        }
        return position == line.count
    }
}

typealias AuthorizationPointer = UnsafeMutablePointer<Authorization>
