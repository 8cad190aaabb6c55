// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The one translation unit of the datapath.
#include <stdbool.h>
#include <asm/errno.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "datapath.h"

// From <sys/socket.h>, which is not for programs without a C library.
enum { AF_INET = 2, AF_INET6 = 10 };
enum { SOCK_STREAM = 1, SOCK_DGRAM = 2 };

#include "lib/maps.h"
#include "lib/counter.h"
#include "lib/destination.h"
#include "lib/pod.h"
#include "lib/service.h"
#include "lib/redirect.h"
#include "lib/balance.h"
#include "lib/steer.h"

#include "hooks/connect.h"
#include "hooks/sendmsg.h"
#include "hooks/recvmsg.h"
#include "hooks/getpeername.h"
#include "hooks/sk_lookup.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
