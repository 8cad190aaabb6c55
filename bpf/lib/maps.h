// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Everything the programs know is in these maps; there are no globals, so that a link's program can be
// replaced while the maps stay.
#pragma once

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WEIR_MAX_PODS);
	__type(key, __u64);
	__type(value, struct weir_pod);
} pods SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, WEIR_MAX_LISTENERS);
	__type(key, struct weir_listener_key);
	__type(value, __u64);
} listeners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WEIR_MAX_SERVICES);
	__type(key, struct weir_service_key);
	__type(value, struct weir_service);
} svcs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_MAX_SLOTS);
	__type(key, __u32);
	__type(value, struct weir_slot);
} slots SEC(".maps");

// The Service address of each frontend index.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_MAX_FRONTENDS);
	__type(key, __u32);
	__type(value, struct weir_address);
} rev SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WEIR_MAX_REVERSE);
	__type(key, struct weir_reverse_key);
	__type(value, struct weir_reverse);
} revu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct weir_config);
} cfg SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WEIR_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} stats SEC(".maps");

// One pod's listeners, IPv4 then IPv6. Each pod's instance of the sk_lookup program has a map of its own
// here, because that program type can learn neither the namespace's cookie nor the pod.
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} podl SEC(".maps");
