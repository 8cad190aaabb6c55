// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// A datagram's sender as the app sees it: the Service, when that is what it sent to.
#pragma once

SEC("cgroup/recvmsg4")
int weir_recvmsg4(struct bpf_sock_addr *ctx)
{
	struct destination from = destination4(ctx);

	if (recall(ctx, &from))
		rewrite4(ctx, &from);
	return 1;
}

SEC("cgroup/recvmsg6")
int weir_recvmsg6(struct bpf_sock_addr *ctx)
{
	struct destination from = destination6(ctx);

	if (recall(ctx, &from))
		rewrite6(ctx, &from);
	return 1;
}
