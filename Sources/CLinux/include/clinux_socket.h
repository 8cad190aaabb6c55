// What the event loop needs: epoll and TCP sockets, with errors as negative results.
#pragma once

#include "clinux.h"

#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/// Adds `fd` to `epoll` for `events`; `token` comes back with each event. 0, or -1 with errno set.
static inline int clinux_epoll_add(int epoll, int fd, uint32_t events, uint64_t token)
{
	struct epoll_event event = {.events = events, .data = {.u64 = token}};
	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static inline int clinux_epoll_modify(int epoll, int fd, uint32_t events, uint64_t token)
{
	struct epoll_event event = {.events = events, .data = {.u64 = token}};
	return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

static inline int clinux_epoll_remove(int epoll, int fd)
{
	return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, 0);
}

/// `struct epoll_event` is packed, which Swift does not import faithfully: its parts are read here.
static inline uint64_t clinux_event_token(const void *events, int index)
{
	return ((const struct epoll_event *)events)[index].data.u64;
}

static inline uint32_t clinux_event_flags(const void *events, int index)
{
	return ((const struct epoll_event *)events)[index].events;
}

static inline int clinux_epoll_wait(int epoll, void *events, int capacity, int timeout_ms)
{
	return (int)syscall(SYS_epoll_pwait, epoll, events, capacity, timeout_ms, 0, 0);
}

static inline size_t clinux_epoll_event_size(void)
{
	return sizeof(struct epoll_event);
}

/// Accepts one connection, non-blocking and closed on exec. The descriptor, or -errno.
static inline int clinux_accept(int listener)
{
	int fd = accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
	return fd >= 0 ? fd : -errno;
}

/// A non-blocking TCP socket, closed on exec. The descriptor, or -errno.
static inline int clinux_tcp_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return fd >= 0 ? fd : -errno;
}

static inline int clinux_set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

/// Closing `fd` then sends RST and frees what is unsent at once, so that nothing keeps its network namespace alive.
static inline int clinux_set_reset_on_close(int fd)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};
	return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/// The pending error of a socket (0: none), which reading clears.
static inline int clinux_take_error(int fd)
{
	int error = 0;
	socklen_t size = sizeof(error);
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

/// Received bytes, 0 at the end of the stream, or -errno.
static inline long clinux_recv(int fd, void *bytes, size_t count, int flags)
{
	// Not by libc's functions, here and below: those are points of thread cancellation, which costs more than the rest.
	long n = syscall(SYS_recvfrom, fd, bytes, count, flags, 0, 0);
	return n >= 0 ? n : -errno;
}

/// Sent bytes, or -errno. Never raises SIGPIPE.
static inline long clinux_send(int fd, const void *bytes, size_t count)
{
	long n = syscall(SYS_sendto, fd, bytes, count, MSG_NOSIGNAL, 0, 0);
	return n >= 0 ? n : -errno;
}

/// The same for two runs of bytes in one call.
static inline long clinux_send2(int fd, const void *a, size_t a_count, const void *b, size_t b_count)
{
	struct iovec parts[2] = {{(void *)a, a_count}, {(void *)b, b_count}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	long n = syscall(SYS_sendmsg, fd, &message, MSG_NOSIGNAL);
	return n >= 0 ? n : -errno;
}

/// A TCP address as 16 bytes in two big-endian halves (IPv4 as ::ffff:a.b.c.d) and a port.
struct clinux_address {
	uint64_t high;
	uint64_t low;
	uint16_t port;
};

static inline int clinux_is_ipv4(const struct clinux_address *address)
{
	return address->high == 0 && address->low >> 32 == 0xffff;
}

static inline socklen_t clinux_fill(const struct clinux_address *address, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (clinux_is_ipv4(address)) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;
		in->sin_family = AF_INET;
		in->sin_port = htons(address->port);
		in->sin_addr.s_addr = htonl((uint32_t)address->low);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	uint64_t halves[2] = {__builtin_bswap64(address->high), __builtin_bswap64(address->low)};
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(address->port);
	memcpy(&in6->sin6_addr, halves, sizeof(halves));
	return sizeof(*in6);
}

/// 0, or -errno: -EINPROGRESS when the handshake is under way.
static inline int clinux_connect(int fd, const struct clinux_address *address)
{
	struct sockaddr_storage storage;
	socklen_t size = clinux_fill(address, &storage);
	return connect(fd, (struct sockaddr *)&storage, size) == 0 ? 0 : -errno;
}

/// 0, or -errno.
static inline int clinux_bind(int fd, const struct clinux_address *address)
{
	struct sockaddr_storage storage;
	socklen_t size = clinux_fill(address, &storage);
	return bind(fd, (struct sockaddr *)&storage, size) == 0 ? 0 : -errno;
}

/// 0, or -errno.
static inline int clinux_read_address(const struct sockaddr_storage *storage, struct clinux_address *out)
{
	if (storage->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)storage;
		out->high = 0;
		out->low = 0xffff00000000ull | ntohl(in->sin_addr.s_addr);
		out->port = ntohs(in->sin_port);
		return 0;
	}
	if (storage->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)storage;
		uint64_t halves[2];
		memcpy(halves, &in6->sin6_addr, sizeof(halves));
		out->high = __builtin_bswap64(halves[0]);
		out->low = __builtin_bswap64(halves[1]);
		out->port = ntohs(in6->sin6_port);
		return 0;
	}
	return -EAFNOSUPPORT;
}

/// The local address of a TCP socket. 0, or -errno.
static inline int clinux_local_address(int fd, struct clinux_address *out)
{
	struct sockaddr_storage storage;
	socklen_t size = sizeof(storage);
	if (getsockname(fd, (struct sockaddr *)&storage, &size) != 0)
		return -errno;
	return clinux_read_address(&storage, out);
}

/// The address of a TCP socket's peer. 0, or -errno.
static inline int clinux_peer_address(int fd, struct clinux_address *out)
{
	struct sockaddr_storage storage;
	socklen_t size = sizeof(storage);
	if (getpeername(fd, (struct sockaddr *)&storage, &size) != 0)
		return -errno;
	return clinux_read_address(&storage, out);
}

/// No delay, and probes that find a peer that is gone without a word: after 90 s of silence, or when data has not been
/// taken for 5 minutes.
static inline void clinux_tune_upstream(int fd)
{
	clinux_set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	clinux_set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	clinux_set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
	clinux_set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
	clinux_set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
	clinux_set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 300000);
}

/// What the kernel shows for the calling thread; cut to 15 bytes.
static inline void clinux_name_thread(const char *name)
{
	prctl(PR_SET_NAME, name);
}

/// Brings the loopback interface of the calling thread's network namespace up. 0, or -errno.
static inline int clinux_loopback_up(void)
{
	struct ifreq request;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int result;

	if (fd < 0)
		return -errno;
	memset(&request, 0, sizeof(request));
	strcpy(request.ifr_name, "lo");
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	result = ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? 0 : -errno;
	close(fd);
	return result;
}
