// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// To the agent's listener in the pod: the frontend's index becomes the address, the port stays.
#pragma once

// A listener leaves the map when it is closed, so the agent's death is seen at once; the heartbeat tells a
// hung agent.
static __always_inline bool agent_listens(struct bpf_sock_addr *ctx, const struct weir_config *config,
					  bool v4)
{
	struct weir_listener_key key = {
		.netns_cookie = bpf_get_netns_cookie(ctx),
		.family = v4 ? AF_INET : AF_INET6,
	};
	struct bpf_sock *listener = bpf_map_lookup_elem(&listeners, &key);

	if (!listener) {
		count(WEIR_PASSED_NO_LISTENER);
		return false;
	}
	// shutdown(2) leaves it in the map, but listening no more.
	bool listening = listener->state == BPF_TCP_LISTEN;

	bpf_sk_release(listener);
	if (!listening) {
		count(WEIR_PASSED_NO_LISTENER);
		return false;
	}
	__u64 heartbeat = *(volatile const __u64 *)&config->heartbeat;
	// The heartbeat may be written between this read and the clock's, on another processor; hence the
	// signed age.
	if (heartbeat == 0 || (__s64)(bpf_ktime_get_ns() - heartbeat) > (__s64)config->max_age) {
		count(WEIR_PASSED_STALE);
		return false;
	}
	return true;
}

static __always_inline void point_at_index(struct destination *to, __u32 index)
{
	if (is_v4(&to->address)) {
		to->address.word[3] = bpf_htonl(WEIR_V4_PREFIX | index);
	} else {
		to->address.word[0] = bpf_htonl(WEIR_V6_PREFIX_0);
		to->address.word[1] = bpf_htonl(WEIR_V6_PREFIX_1);
		to->address.word[2] = 0;
		to->address.word[3] = bpf_htonl(index);
	}
}

// Turns an address made by point_at_index back into the Service's; false when it is none.
static __always_inline bool unpoint(struct weir_address *address)
{
	__u32 index = bpf_ntohl(address->word[3]);

	if (is_v4(address)) {
		if ((index & WEIR_V4_MASK) != WEIR_V4_PREFIX)
			return false;
		index &= ~WEIR_V4_MASK;
	} else if (address->word[0] != bpf_htonl(WEIR_V6_PREFIX_0) ||
		   address->word[1] != bpf_htonl(WEIR_V6_PREFIX_1) || address->word[2] != 0) {
		return false;
	}
	const struct weir_address *original = bpf_map_lookup_elem(&rev, &index);

	if (!original || original->word[3] == 0 || is_v4(original) != is_v4(address))
		return false;
	*address = *original;
	return true;
}
