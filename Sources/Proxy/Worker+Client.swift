import CLinux
import Glibc
import HTTPWire
import Model
import Reactor

extension Worker {
    mutating func clientEvent(_ c: Client, _ event: Epoll.Event) {
        guard c.pointee.phase != .closed else { return }
        if event.isError { return clientLeft(c) }
        if event.isReadable || event.isReadClosed {
            c.pointee.readable = true
            if event.isReadClosed { c.pointee.hungUp = true }
        }
        if event.isWritable && !c.pointee.writable {
            c.pointee.writable = true
            guard flush(c) else { return }
        }
        advance(c)
    }

    /// Does all that can be done for a client now.
    mutating func advance(_ c: Client) {
        while true {
            switch c.pointee.phase {
            case .idle, .head:
                // Responses the client has not taken hold its next requests back.
                guard c.pointee.output.isVacant, readHead(c) else { return }
            case .exchange:
                guard relay(c, exchange(c.pointee.exchange)) else { return }
            case .discard:
                guard c.pointee.output.isVacant, discard(c) else { return }
            case .linger: return linger(c)
            case .tunnel: return tunnel(c)
            case .closed: return
            }
        }
    }

    mutating func clientExpired(_ c: Client) {
        switch c.pointee.phase {
        case .idle, .linger: close(c)
        case .head:
            let x = beginExchange(c)
            answer(x, .headTimeout, closing: true) { $0.append("the request's head took too long") }
            advance(c)
        case .exchange: exchangeExpired(exchange(c.pointee.exchange))
        case .discard: clientLeft(c)
        // Keep-alive probes tell whether both ends are there; silence is a tunnel's right.
        case .tunnel, .closed: break
        }
    }

    // MARK: Sending

    /// Sends both runs, or queues what does not fit. False when the client is gone, and closed.
    @discardableResult
    mutating func send(_ c: Client, _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> Bool {
        let total = first.count &+ second.count
        var sent = 0
        if c.pointee.output.isVacant && c.pointee.writable && total > 0 {
            let result =
                second.isEmpty
                ? clinux_send(c.pointee.fd, first.baseAddress, first.count)
                : clinux_send2(c.pointee.fd, first.baseAddress, first.count, second.baseAddress, second.count)
            if result >= 0 {
                sent = result
                count(.bytesToClients, UInt64(sent))
            } else if result != -Int(EAGAIN) {
                clientLeft(c)
                return false
            }
            if sent == total { return true }
            c.pointee.writable = false
        }
        exchange(c.pointee.exchange).pointee.lastProgress = now
        if sent < first.count {
            c.pointee.output.append(UnsafeRawBufferPointer(rebasing: first[sent...]), &buffers)
            c.pointee.output.append(second, &buffers)
        } else {
            c.pointee.output.append(UnsafeRawBufferPointer(rebasing: second[(sent - first.count)...]), &buffers)
        }
        return true
    }

    /// Sends what waits. False when the client is gone, and closed.
    mutating func flush(_ c: Client) -> Bool {
        while !c.pointee.output.isVacant {
            let bytes = c.pointee.output.bytes
            let sent = clinux_send(c.pointee.fd, bytes.baseAddress, bytes.count)
            if sent == -Int(EAGAIN) {
                c.pointee.writable = false
                return true
            }
            guard sent >= 0 else {
                clientLeft(c)
                return false
            }
            count(.bytesToClients, UInt64(sent))
            exchange(c.pointee.exchange).pointee.lastProgress = now
            c.pointee.output.consume(sent, &buffers)
        }
        return true
    }

    // MARK: Receiving

    enum Received {
        case bytes(Int)
        case none
        case end
        case failed
    }

    /// Reads into `room` what is there.
    mutating func receive(_ c: Client, into room: UnsafeMutableRawBufferPointer) -> Received {
        let count = clinux_recv(c.pointee.fd, room.baseAddress, room.count, 0)
        if count > 0 {
            // A short read empties the socket; the next edge tells of more. An end that was announced must be read.
            c.pointee.readable = count == room.count || c.pointee.hungUp
            self.count(.bytesFromClients, UInt64(count))
            return .bytes(count)
        }
        if count == 0 {
            c.pointee.readable = false
            c.pointee.ended = true
            return .end
        }
        c.pointee.readable = false
        return count == -Int(EAGAIN) ? .none : .failed
    }

    // MARK: After the response

    /// The response is on its way whole: the connection goes on or ends.
    mutating func finish(_ c: Client, _ x: Exchange) {
        c.pointee.hasServed = true
        timers.set(c.pointee.timer, now &+ settings.idleTimeout)
        if x.pointee.keepAlive && !isDraining {
            if x.pointee.isRequestComplete {
                c.pointee.phase = .idle
            } else {
                c.pointee.phase = .discard
                c.pointee.discarded = 0
            }
            return
        }
        if c.pointee.output.isVacant && x.pointee.isRequestComplete && c.pointee.input.isVacant
            && (!c.pointee.readable || c.pointee.hungUp)
        {
            return close(c)
        }
        c.pointee.phase = .linger
        c.pointee.discarded = 0
    }

    /// Reads the rest of an answered request's body. True when the connection can go on.
    private mutating func discard(_ c: Client) -> Bool {
        while true {
            let bytes: UnsafeRawBufferPointer
            let isStored = !c.pointee.input.isVacant
            if isStored && !c.pointee.starved {
                bytes = c.pointee.input.bytes
            } else if c.pointee.readable {
                if isStored {
                    let room = c.pointee.input.reserve(4096, &buffers)
                    guard case .bytes(let count) = receive(c, into: room) else { return leaveUnlessWaiting(c) }
                    c.pointee.input.commit(count)
                    c.pointee.starved = false
                    continue
                }
                guard case .bytes(let count) = receive(c, into: scratch) else { return leaveUnlessWaiting(c) }
                bytes = UnsafeRawBufferPointer(rebasing: scratch[..<count])
            } else {
                return false
            }
            let scan = scanBody(&exchange(c.pointee.exchange).pointee.requestBody, bytes)
            guard scan.outcome != .invalid else {
                close(c)
                return false
            }
            c.pointee.discarded += scan.consumed
            if isStored {
                c.pointee.input.consume(scan.consumed, &buffers)
            } else {
                c.pointee.input.append(UnsafeRawBufferPointer(rebasing: bytes[scan.consumed...]), &buffers)
            }
            if scan.outcome == .complete {
                c.pointee.starved = false
                c.pointee.phase = .idle
                timers.set(c.pointee.timer, now &+ settings.idleTimeout)
                return true
            }
            c.pointee.starved = !c.pointee.input.isVacant
            if c.pointee.discarded > settings.discardLimit {
                c.pointee.phase = .linger
                c.pointee.discarded = 0
                return true
            }
        }
    }

    private mutating func leaveUnlessWaiting(_ c: Client) -> Bool {
        if c.pointee.ended || c.pointee.hungUp { close(c) }
        return false
    }

    /// Ends a connection without destroying the answer: send, close the sending side, read on for a while.
    private mutating func linger(_ c: Client) {
        c.pointee.input.clear(&buffers)
        guard c.pointee.output.isVacant else { return }
        if !c.pointee.shutDown {
            c.pointee.shutDown = true
            shutdown(c.pointee.fd, Int32(SHUT_WR))
            timers.set(c.pointee.timer, now &+ settings.lingerTimeout)
        }
        while c.pointee.readable {
            switch receive(c, into: scratch) {
            case .bytes(let count):
                c.pointee.discarded += count
                if c.pointee.discarded > settings.discardLimit { return close(c) }
            case .none: return
            case .end, .failed: return close(c)
            }
        }
    }
}
