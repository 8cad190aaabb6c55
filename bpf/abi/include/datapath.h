// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The contract between the BPF programs and user space: map keys, values and sizes. Every struct has a fixed
// size and no implicit padding, and user space zeroes the explicit padding, because hash maps compare whole
// keys. A change here needs a new version in the path of the pins.
#pragma once

#include <linux/types.h>

#define WEIR_ASSERT_SIZE(type, bytes)                                                                        \
	_Static_assert(sizeof(type) == (bytes), #type " must have " #bytes " bytes")

// A redirected connect goes to 127.64.0.0/10 + index, or fdc0:6d65:7368::/64 + index over native IPv6. Host
// order.
#define WEIR_V4_PREFIX 0x7f400000u
#define WEIR_V4_MASK 0xffc00000u
#define WEIR_V6_PREFIX_0 0xfdc06d65u
#define WEIR_V6_PREFIX_1 0x73680000u

enum {
	WEIR_MAX_PODS = 4096,
	WEIR_MAX_LISTENERS = 2 * WEIR_MAX_PODS,
	WEIR_MAX_SERVICES = 1 << 17,
	// Frontend indices are 0 ..< this; at most 1 << 22, the size of 127.64.0.0/10.
	WEIR_MAX_FRONTENDS = 1 << 17,
	WEIR_MAX_SLOTS = 1 << 18,
	WEIR_MAX_REVERSE = 1 << 16,
	WEIR_MAX_AGENTS = 4,
};

// An IPv6 address, or an IPv4 address as ::ffff:a.b.c.d, in network order.
struct weir_address {
	__u32 word[4];
};
WEIR_ASSERT_SIZE(struct weir_address, 16);

// Map pods: by netns cookie. An enrolled pod.
struct weir_pod {
	// The scope of the pod's namespace; never 0.
	__u32 scope;
	__u32 pad;
};
WEIR_ASSERT_SIZE(struct weir_pod, 8);

// Map listeners: the agent's listening socket for a pod's redirected connects.
struct weir_listener_key {
	__u64 netns_cookie;
	// AF_INET or AF_INET6.
	__u32 family;
	__u32 pad;
};
WEIR_ASSERT_SIZE(struct weir_listener_key, 16);

// Map svcs: what becomes of a connect to an address, port and protocol, for pods of one scope; scope 0 holds
// for all pods that have no entry of their own scope.
struct weir_service_key {
	struct weir_address address;
	// Network order.
	__u16 port;
	// IPPROTO_TCP or IPPROTO_UDP.
	__u8 protocol;
	__u8 pad;
	__u32 scope;
};
WEIR_ASSERT_SIZE(struct weir_service_key, 24);

enum {
	// TCP: to the agent's listener while the agent lives.
	WEIR_SERVICE_L7 = 1 << 0,
	// Balance over `count` slots from `base`; refuse when there is none. With L7, for when the agent is
	// gone.
	WEIR_SERVICE_LB = 1 << 1,
};

struct weir_service {
	__u32 flags;
	__u32 index;
	__u32 base;
	__u32 count;
	// Equals that of the slots in the region; a mismatch means that the region was swapped meanwhile.
	__u32 generation;
	__u32 pad;
};
WEIR_ASSERT_SIZE(struct weir_service, 24);

// Map slots: one endpoint in an alias table (Vose). The slot itself is taken when a uniform 32-bit number is
// below `threshold`, else the slot at `base + alias`.
struct weir_slot {
	struct weir_address address;
	// Network order.
	__u16 port;
	__u16 pad;
	__u32 generation;
	__u32 threshold;
	__u32 alias;
};
WEIR_ASSERT_SIZE(struct weir_slot, 32);

// Map revu: what a socket was told it talks to, for replies and getpeername.
struct weir_reverse_key {
	__u64 socket_cookie;
	struct weir_address address;
	// Network order.
	__u16 port;
	__u16 pad[3];
};
WEIR_ASSERT_SIZE(struct weir_reverse_key, 32);

struct weir_reverse {
	struct weir_address address;
	// Network order.
	__u16 port;
	__u16 pad;
};
WEIR_ASSERT_SIZE(struct weir_reverse, 20);

// Map cfg, one element.
struct weir_config {
	// CLOCK_MONOTONIC nanoseconds of the agent's last sign of life; 0 means that nothing is redirected to
	// it.
	__u64 heartbeat;
	// Nanoseconds after which the heartbeat is stale.
	__u64 max_age;
	// Cgroup ids whose processes are never steered: the agent's own. 0 is none.
	__u64 agents[WEIR_MAX_AGENTS];
};
WEIR_ASSERT_SIZE(struct weir_config, 48);

// Map stats: how often each of these happened.
enum weir_counter {
	WEIR_REDIRECTED,
	WEIR_BALANCED,
	WEIR_REFUSED_NO_ENDPOINT,
	WEIR_PASSED_AGENT,
	WEIR_PASSED_BOUND_DEVICE,
	WEIR_PASSED_NO_LISTENER,
	WEIR_PASSED_STALE,
	WEIR_PASSED_SWAPPED,
	WEIR_REVERSE_FULL,
	WEIR_STEERED,
	WEIR_STEER_NO_LISTENER,
	WEIR_STEER_FAILED,
	WEIR_COUNTERS,
};
