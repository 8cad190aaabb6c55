// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The weighted choice of an endpoint, and the memory of it for replies and getpeername.
#pragma once

enum { SWAP_TRIES = 3 };

// 64 mixed bits of `seed` (the finaliser of SplitMix64).
static __always_inline __u64 mix(__u64 seed)
{
	seed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9ull;
	seed = (seed ^ (seed >> 27)) * 0x94d049bb133111ebull;
	return seed ^ (seed >> 31);
}

// The slot at `position` of the service's region; null when the region was swapped since `service` was read.
static __always_inline const struct weir_slot *slot_at(const struct weir_service *service, __u32 position)
{
	__u32 key = service->base + position;
	const struct weir_slot *slot = bpf_map_lookup_elem(&slots, &key);

	return slot && slot->generation == service->generation ? slot : 0;
}

// O(1) and exact whatever the weights: one uniform slot, then that slot or its alias.
static __always_inline const struct weir_slot *pick(const struct weir_service *service, __u64 random)
{
	__u32 position = ((random >> 32) * service->count) >> 32;
	const struct weir_slot *slot = slot_at(service, position);

	if (slot && (__u32)random >= slot->threshold)
		slot = slot_at(service, slot->alias);
	return slot;
}

static __always_inline void remember(struct bpf_sock_addr *ctx, const struct destination *backend,
				     const struct destination *original)
{
	struct weir_reverse_key key = {
		.socket_cookie = bpf_get_socket_cookie(ctx),
		.address = backend->address,
		.port = backend->port,
	};
	struct weir_reverse value = {.address = original->address, .port = original->port};

	if (bpf_map_update_elem(&revu, &key, &value, BPF_ANY))
		count(WEIR_REVERSE_FULL);
}

// Turns an endpoint back into what the socket was told; false when the socket was told the endpoint itself.
static __always_inline bool recall(struct bpf_sock_addr *ctx, struct destination *peer)
{
	struct weir_reverse_key key = {
		.socket_cookie = bpf_get_socket_cookie(ctx),
		.address = peer->address,
		.port = peer->port,
	};
	const struct weir_reverse *original = bpf_map_lookup_elem(&revu, &key);

	if (!original)
		return false;
	peer->address = original->address;
	peer->port = original->port;
	return true;
}
