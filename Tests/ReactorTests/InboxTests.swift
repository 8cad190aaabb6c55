import CLinux
import Glibc
import Reactor
import Testing

@Suite struct InboxTests {
    @Test func messagesArriveInOrderAndWakeTheLoop() throws {
        let inbox = try Inbox<Int>()
        let epoll = try Epoll()
        #expect(value(epoll.add(inbox.descriptor, Epoll.input, token: 5)))
        #expect(value(epoll.wait(timeout: 0) == 0))
        for number in 0..<10 { inbox.post(number) }
        #expect(value(epoll.wait(timeout: 1000) == 1))
        #expect(value(epoll.event(0).token == 5))
        #expect(value(epoll.event(0).isReadable))
        #expect(inbox.take() == Array(0..<10))
        #expect(inbox.take().isEmpty)
        #expect(value(epoll.wait(timeout: 0) == 0))
        inbox.post(11)
        #expect(value(epoll.wait(timeout: 1000) == 1))
        #expect(inbox.take() == [11])
    }

    @Test func aRefusedDescriptorIsToldOf() throws {
        let epoll = try Epoll()
        #expect(value(!epoll.add(-1, Epoll.input, token: 0)))
        #expect(errno == EBADF)
    }
}
