// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#pragma once

SEC("cgroup/sendmsg4")
int weir_sendmsg4(struct bpf_sock_addr *ctx)
{
	struct destination to = destination4(ctx);
	enum verdict verdict = steer(ctx, &to);

	if (verdict == REWRITE)
		rewrite4(ctx, &to);
	return verdict == REFUSE ? refuse() : 1;
}

SEC("cgroup/sendmsg6")
int weir_sendmsg6(struct bpf_sock_addr *ctx)
{
	struct destination to = destination6(ctx);
	enum verdict verdict = steer(ctx, &to);

	if (verdict == REWRITE)
		rewrite6(ctx, &to);
	return verdict == REFUSE ? refuse() : 1;
}
