// Kernel interfaces that Glibc's module does not export. Header only; every function is a thin static inline.
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

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
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 // Linux 5.14
#endif

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
