// What reading a folder needs: leases, so that no half-written file is read (fcntl(2), F_SETLEASE).
#pragma once

#include "clinux.h"

/// Takes a read lease on `fd`, opened for reading only: until it is given back, whoever opens the file for writing
/// waits (up to /proc/sys/fs/lease-break-time). 0; 1 when the file is open for writing now; -1 with errno set where
/// leases do not exist. The signal of a broken lease is one that is ignored by default.
static inline int clinux_take_read_lease(int fd)
{
	enum { set_signal = 10, set_lease = 1024, urgent = 23 }; // F_SETSIG, F_SETLEASE, SIGURG
	if (fcntl(fd, set_signal, urgent) != 0)
		return -1;
	if (fcntl(fd, set_lease, F_RDLCK) == 0)
		return 0;
	return errno == EAGAIN ? 1 : -1;
}

/// Gives the lease on `fd` back.
static inline void clinux_give_lease_back(int fd)
{
	enum { set_lease = 1024 }; // F_SETLEASE
	fcntl(fd, set_lease, F_UNLCK);
}
