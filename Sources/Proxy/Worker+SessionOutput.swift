import CLinux
import Glibc
import HTTPWire
import Model
import Reactor

// What HTTP/2 connections send: frames of all their streams, each in its turn.
extension Worker {
    /// Bytes in `output` beyond which streams wait for their turn.
    private static var outputLimit: Int { 256 << 10 }
    /// Bytes of content that a stream may send before the next one that waits.
    private static var quantum: Int { 16384 }

    @inline(__always)
    func output(_ x: Exchange, _ s: Session) -> UnsafeMutablePointer<StreamOutput> {
        let offset =
            s.pointee.role == .client
            ? MemoryLayout<ExchangeState>.offset(of: \.toClient)!
            : MemoryLayout<ExchangeState>.offset(of: \.toUpstream)!
        return UnsafeMutableRawPointer(x).advanced(by: offset).assumingMemoryBound(to: StreamOutput.self)
    }

    private func hasOutput(_ x: Exchange, _ s: Session) -> Bool {
        let out = output(x, s)
        return !out.pointee.queue.isVacant || out.pointee.ends && !out.pointee.hasEnded
    }

    /// Content for a stream: into the session when nothing waits before it and the windows allow, else queued.
    mutating func send(
        _ s: Session, _ slot: UInt32, _ x: Exchange, _ bytes: UnsafeRawBufferPointer, isEnd: Bool
    ) {
        let out = output(x, s)
        var rest = bytes
        if out.pointee.queue.isVacant && !out.pointee.isQueued && !out.pointee.isHeld
            && s.pointee.output.count < Self.outputLimit
        {
            let allowed = min(s.pointee.connection.pointee.sendable(slot), rest.count)
            if allowed > 0 || isEnd && rest.isEmpty {
                let isLast = isEnd && allowed == rest.count
                let piece = UnsafeRawBufferPointer(rebasing: rest[..<allowed])
                write(s, Self.dataRoom(allowed)) { connection, writer in
                    connection.writeData(slot, piece, isEnd: isLast, into: &writer)
                }
                if isLast { out.pointee.hasEnded = true }
                rest = UnsafeRawBufferPointer(rebasing: rest[allowed...])
                if isLast || rest.isEmpty { return }
            } else if rest.isEmpty {
                return
            }
        }
        out.pointee.queue.append(rest, &buffers)
        enqueue(x, s)
    }

    /// Ends a stream, with a trailer section when `lines` has any.
    mutating func sendTrailers(_ s: Session, _ slot: UInt32, _ x: Exchange, _ lines: UnsafeRawBufferPointer) {
        let out = output(x, s)
        if out.pointee.hasEnded { return }
        out.pointee.ends = true
        if out.pointee.queue.isVacant && !out.pointee.isHeld {
            writeEnd(s, slot, out, lines)
        } else {
            out.pointee.trailers.append(lines, &buffers)
            enqueue(x, s)
        }
    }

    private mutating func writeEnd(
        _ s: Session, _ slot: UInt32, _ out: UnsafeMutablePointer<StreamOutput>, _ lines: UnsafeRawBufferPointer
    ) {
        out.pointee.hasEnded = true
        let count = lines.isEmpty ? 0 : TrailerFields.parse(lines, fields: trailerFields) ?? 0
        let section = UnsafeMutableBufferPointer(rebasing: trailerFields[..<count])
        var isEmpty = true
        for index in 0..<count {
            section[index].hopByHop = section[index].known.isForbiddenInTrailers
            if !section[index].hopByHop { isEmpty = false }
        }
        write(s, HTTP2Connection.headBound(bytes: lines.count, fields: count)) { connection, writer in
            if !isEmpty {
                connection.writeTrailers(slot, lines, section, into: &writer)
            } else {
                connection.writeData(slot, .nothing, isEnd: true, into: &writer)
            }
        }
    }

    /// Content and a frame header for each piece of the smallest frame size.
    private static func dataRoom(_ count: Int) -> Int { count &+ 9 &* (count / 16384 &+ 2) }

    private mutating func enqueue(_ x: Exchange, _ s: Session) {
        let out = output(x, s)
        guard !out.pointee.isQueued && !out.pointee.isHeld else { return }
        out.pointee.isQueued = true
        out.pointee.next = Slab.none
        if s.pointee.lastQueued == Slab.none {
            s.pointee.firstQueued = x.pointee.index
        } else {
            output(exchange(s.pointee.lastQueued), s).pointee.next = x.pointee.index
        }
        s.pointee.lastQueued = x.pointee.index
    }

    /// Queues every stream that has something to send: which of them may is found when it is their turn.
    mutating func enqueueAll(_ s: Session) {
        let connection = s.pointee.connection
        var next = connection.pointee.firstSlot
        while let slot = next {
            next = connection.pointee.slot(after: slot)
            enqueueIfNeeded(exchange(connection.pointee.user(slot)), s)
        }
    }

    mutating func enqueueIfNeeded(_ x: Exchange, _ s: Session) {
        if hasOutput(x, s) { enqueue(x, s) }
    }

    /// Takes the first of the queue.
    private mutating func dequeue(_ s: Session) -> Exchange {
        let x = exchange(s.pointee.firstQueued)
        let out = output(x, s)
        s.pointee.firstQueued = out.pointee.next
        if s.pointee.firstQueued == Slab.none { s.pointee.lastQueued = Slab.none }
        out.pointee.isQueued = false
        return x
    }

    /// Takes an exchange out of the queue, wherever it is.
    mutating func unqueue(_ x: Exchange, _ s: Session) {
        let out = output(x, s)
        guard out.pointee.isQueued else { return }
        out.pointee.isQueued = false
        var previous = Slab.none
        var index = s.pointee.firstQueued
        while index != x.pointee.index {
            previous = index
            index = output(exchange(index), s).pointee.next
        }
        if previous == Slab.none {
            s.pointee.firstQueued = out.pointee.next
        } else {
            output(exchange(previous), s).pointee.next = out.pointee.next
        }
        if s.pointee.lastQueued == x.pointee.index { s.pointee.lastQueued = previous }
    }

    /// Lets the streams that wait send in turn, a frame each, while there is room. One whose window is closed leaves the
    /// queue until it opens; when the connection's is, all keep their places.
    private mutating func pump(_ s: Session) {
        while s.pointee.firstQueued != Slab.none && s.pointee.output.count < Self.outputLimit {
            let first = exchange(s.pointee.firstQueued)
            let out = output(first, s)
            if s.pointee.connection.pointee.sendableInAll == 0 && !out.pointee.queue.isVacant { return }
            let x = dequeue(s)
            let slot = s.pointee.role == .client ? x.pointee.clientStream : x.pointee.upstreamStream
            let allowed = min(
                min(s.pointee.connection.pointee.sendable(slot), out.pointee.queue.count), Self.quantum)
            if allowed == 0 && !out.pointee.queue.isVacant { continue }
            if s.pointee.role == .client { x.pointee.lastProgress = now }
            let isAll = allowed == out.pointee.queue.count
            if isAll && out.pointee.ends && !out.pointee.trailers.isVacant || allowed == 0 {
                if allowed > 0 { writePiece(s, slot, out, allowed, isEnd: false) }
                if out.pointee.ends && !out.pointee.hasEnded {
                    writeEnd(s, slot, out, out.pointee.trailers.bytes)
                    out.pointee.trailers.clear(&buffers)
                }
            } else {
                let isEnd = isAll && out.pointee.ends
                writePiece(s, slot, out, allowed, isEnd: isEnd)
                if isEnd { out.pointee.hasEnded = true }
            }
            if !isAll {
                enqueue(x, s)
            } else if x.pointee.isTunnel && out.pointee.hasEnded {
                finishTunnelIfOver(x)
            } else if s.pointee.role == .client {
                if out.pointee.hasEnded && x.pointee.isResponseComplete { finish(x) } else { pullResponse(x) }
            } else if !out.pointee.hasEnded {
                pullRequest(x)
            }
        }
    }

    private mutating func writePiece(
        _ s: Session, _ slot: UInt32, _ out: UnsafeMutablePointer<StreamOutput>, _ count: Int, isEnd: Bool
    ) {
        let piece = UnsafeRawBufferPointer(rebasing: out.pointee.queue.bytes[..<count])
        write(s, Self.dataRoom(count)) { connection, writer in
            connection.writeData(slot, piece, isEnd: isEnd, into: &writer)
        }
        out.pointee.queue.consume(count, &buffers)
    }

    /// Sends what was written, and lets the waiting streams write more.
    mutating func flush(_ s: Session) {
        guard s.pointee.writable, s.pointee.state != .connecting else { return }
        while true {
            pump(s)
            guard s.pointee.state != .closed else { return }
            if s.pointee.output.isVacant { break }
            let bytes = s.pointee.output.bytes
            let sent = clinux_send(s.pointee.fd, bytes.baseAddress, bytes.count)
            if sent == -Int(EAGAIN) {
                s.pointee.writable = false
                return
            }
            guard sent >= 0 else { return sessionBroke(s) }
            count(s.pointee.role == .client ? .bytesToClients : .bytesToUpstreams, UInt64(sent))
            s.pointee.lastProgress = now
            let isFull = sent < bytes.count
            s.pointee.output.consume(sent, &buffers)
            if isFull {
                s.pointee.writable = false
                return
            }
        }
        if s.pointee.state == .closing { endSession(s) }
        if s.pointee.isRetiring && s.pointee.state == .open && isRetired(s) { closeIfRetired(s) }
        // Reading had stopped for what waited here.
        if s.pointee.readable { makeReady(s) }
    }
}
