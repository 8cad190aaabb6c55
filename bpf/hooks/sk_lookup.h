// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// A redirected connection meets the agent's listener, whatever its port.
#pragma once

enum { LOOPBACK_INDEX = 1 };

SEC("sk_lookup")
int weir_sk_lookup(struct bpf_sk_lookup *ctx)
{
	__u32 key;

	// The pod's own connections only: another host could otherwise send to these addresses as if it were
	// the pod.
	if (ctx->protocol != IPPROTO_TCP || ctx->ingress_ifindex != LOOPBACK_INDEX)
		return SK_PASS;
	if (ctx->family == AF_INET) {
		if ((ctx->local_ip4 & bpf_htonl(WEIR_V4_MASK)) != bpf_htonl(WEIR_V4_PREFIX))
			return SK_PASS;
		key = 0;
	} else {
		if (ctx->local_ip6[0] != bpf_htonl(WEIR_V6_PREFIX_0) ||
		    ctx->local_ip6[1] != bpf_htonl(WEIR_V6_PREFIX_1))
			return SK_PASS;
		key = 1;
	}
	struct bpf_sock *listener = bpf_map_lookup_elem(&podl, &key);

	if (!listener) {
		count(WEIR_STEER_NO_LISTENER);
		return SK_PASS;
	}
	count(bpf_sk_assign(ctx, listener, 0) ? WEIR_STEER_FAILED : WEIR_STEERED);
	bpf_sk_release(listener);
	return SK_PASS;
}
