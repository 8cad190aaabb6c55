// Kernel interfaces that Glibc's module does not export. Header only; every function is a thin static inline.
#pragma once

// _GNU_SOURCE stays undefined: it changes the layout of fd_set and others, which Glibc's module defines without it.
// What it would declare is declared here.

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 // Linux 5.14
#endif

#ifndef CLONE_NEWNS
#define CLONE_NEWNS 0x00020000
#endif
#ifndef CLONE_NEWNET
#define CLONE_NEWNET 0x40000000
#endif

int setns(int fd, int type);
int unshare(int flags);
int pipe2(int ends[2], int flags);
int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict size, int flags);

/// CLOCK_MONOTONIC in nanoseconds: the clock of bpf_ktime_get_ns().
static inline uint64_t clinux_monotonic_nanoseconds(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/// The cookie of the network namespace that `fd`, a socket, belongs to; 0 with errno set when the kernel refuses.
static inline uint64_t clinux_netns_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);
	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

/// Moves the calling thread into the network namespace that `fd` names. 0, or -1 with errno set.
static inline int clinux_set_netns(int fd)
{
	return setns(fd, CLONE_NEWNET);
}

/// Moves the calling thread into a new, empty network namespace. 0, or -1 with errno set.
static inline int clinux_unshare_netns(void)
{
	return unshare(CLONE_NEWNET);
}
