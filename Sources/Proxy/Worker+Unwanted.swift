import CLinux
import Glibc
import HTTPWire
import Reactor

// Responses that nobody wants, since their requests are sent again or answered otherwise. What is short is read to its end, so
// that its connection can go on.
extension Worker {
    private static var unwantedLimit: Int { 16384 }
    /// Nanoseconds.
    private static var unwantedTime: UInt64 { 1_000_000_000 }

    /// Takes the connection from its exchange when the rest of the response may be read and thrown away; `behind` is what has
    /// been received of its content.
    mutating func throwAway(_ u: Upstream, _ x: Exchange, _ head: ResponseHead, _ behind: UnsafeRawBufferPointer) {
        guard x.pointee.isRequestComplete, head.keepAlive, !head.framing.endsWithConnection else { return }
        u.pointee.body = BodyDecoder(head.framing)
        u.pointee.unwanted = 0
        let scan = scanBody(&u.pointee.body, behind)
        var rest = ByteQueue()
        rest.append(UnsafeRawBufferPointer(rebasing: behind[scan.consumed...]), &buffers)
        u.pointee.input.clear(&buffers)
        u.pointee.input = rest
        unbind(u)
        u.pointee.state = .unwanted
        timers.set(u.pointee.timer, now &+ Self.unwantedTime)
        proceed(u, scan)
    }

    /// There may be more of the response.
    mutating func readUnwanted(_ u: Upstream) {
        while u.pointee.state == .unwanted {
            let received = clinux_recv(u.pointee.fd, scratch.baseAddress, scratch.count, 0)
            guard received > 0 else {
                if received != -Int(EAGAIN) { reset(u) }
                return
            }
            count(.bytesFromUpstreams, UInt64(received))
            u.pointee.input.append(UnsafeRawBufferPointer(rebasing: scratch[..<received]), &buffers)
            let scan = scanBody(&u.pointee.body, u.pointee.input.bytes)
            u.pointee.input.consume(scan.consumed, &buffers)
            proceed(u, scan)
        }
    }

    private mutating func proceed(_ u: Upstream, _ scan: BodyScan) {
        u.pointee.unwanted &+= UInt32(truncatingIfNeeded: scan.consumed)
        switch scan.outcome {
        case .complete:
            u.pointee.keepAlive = true
            release(u)
        case .invalid: reset(u)
        case .more:
            if Int(u.pointee.unwanted) &+ u.pointee.input.count > Self.unwantedLimit { reset(u) }
        }
    }
}
