// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The app sees the Service's address, whatever its connection was rewritten to.
#pragma once

static __always_inline bool original_of(struct bpf_sock_addr *ctx, struct destination *peer)
{
	return (pod_of(ctx) && unpoint(&peer->address)) || recall(ctx, peer);
}

SEC("cgroup/getpeername4")
int weir_getpeername4(struct bpf_sock_addr *ctx)
{
	struct destination peer = destination4(ctx);

	if (original_of(ctx, &peer))
		rewrite4(ctx, &peer);
	return 1;
}

SEC("cgroup/getpeername6")
int weir_getpeername6(struct bpf_sock_addr *ctx)
{
	struct destination peer = destination6(ctx);

	if (original_of(ctx, &peer))
		rewrite6(ctx, &peer);
	return 1;
}
