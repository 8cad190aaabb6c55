// What the datapath needs of the node: file systems, locks, rtnetlink.
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/vfs.h>

/// The magic number (statfs(2)) of the file system that holds `path`, or -1 with errno set.
static inline int64_t clinux_file_system(const char *path)
{
	struct statfs information;
	return statfs(path, &information) == 0 ? (int64_t)information.f_type : -1;
}
