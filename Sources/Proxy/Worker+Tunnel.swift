import CLinux
import Glibc
import HTTPWire
import Reactor

extension Worker {
    private static var tunnelBudget: Int { 16 }

    /// Both sides have agreed on another protocol: bytes go both ways from here on, and each direction ends by itself.
    mutating func openTunnel(
        _ c: Client, _ x: Exchange, _ u: Upstream, head: UnsafeRawBufferPointer, _ behind: UnsafeRawBufferPointer
    ) {
        x.pointee.isHeadSent = true
        c.pointee.phase = .tunnel
        c.pointee.starved = false
        u.pointee.state = .tunnel
        count(.tunnels)
        timers.set(c.pointee.timer, TimerWheel.never)
        timers.set(u.pointee.timer, TimerWheel.never)
        guard send(c, head, behind) else { return }
        record(x)
        releasePlan(x)
        u.pointee.input.clear(&buffers)
        if !c.pointee.input.isVacant {
            send(u, x, c.pointee.input.bytes)
            c.pointee.input.clear(&buffers)
        }
    }

    mutating func tunnel(_ c: Client) {
        let x = exchange(c.pointee.exchange)
        let u = upstream(x.pointee.upstream)
        var turns = 0
        while c.pointee.readable && u.pointee.output.isVacant && !u.pointee.isWriteBroken {
            switch receive(c, into: scratch) {
            case .bytes(let count): send(u, x, UnsafeRawBufferPointer(rebasing: scratch[..<count]))
            case .none, .end: break
            case .failed: return abort(c)
            }
            turns += 1
            if turns == Self.tunnelBudget {
                makeReady(x)
                break
            }
        }
        turns = 0
        while u.pointee.readable && c.pointee.output.isVacant {
            let received = clinux_recv(u.pointee.fd, scratch.baseAddress, scratch.count, 0)
            if received > 0 {
                u.pointee.readable = received == scratch.count || u.pointee.hungUp
                count(.bytesFromUpstreams, UInt64(received))
                let bytes = UnsafeRawBufferPointer(rebasing: scratch[..<received])
                guard send(c, bytes, .nothing) else { return }
            } else {
                u.pointee.readable = false
                if received == 0 { u.pointee.ended = true }
                if received < 0 && received != -Int(EAGAIN) { return abort(c) }
            }
            turns += 1
            if turns == Self.tunnelBudget {
                makeReady(x)
                break
            }
        }
        if u.pointee.isWriteBroken { return abort(c) }
        if c.pointee.ended && u.pointee.output.isVacant && !u.pointee.shutDown {
            u.pointee.shutDown = true
            shutdown(u.pointee.fd, Int32(SHUT_WR))
        }
        if u.pointee.ended && c.pointee.output.isVacant && !c.pointee.shutDown {
            c.pointee.shutDown = true
            shutdown(c.pointee.fd, Int32(SHUT_WR))
        }
        if c.pointee.shutDown && u.pointee.shutDown {
            // Both directions are over and delivered: no reset.
            close(u)
            close(c)
        }
    }
}
