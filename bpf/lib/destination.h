// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The address that a socket call names, in the one form that the maps hold, and its way back into the call.
#pragma once

#define V4_MAPPED_WORD bpf_htonl(0xffff)

// What the call talks to; `port` in network order.
struct destination {
	struct weir_address address;
	__u16 port;
};

static __always_inline bool is_v4(const struct weir_address *address)
{
	return address->word[0] == 0 && address->word[1] == 0 && address->word[2] == V4_MAPPED_WORD;
}

static __always_inline struct destination destination4(struct bpf_sock_addr *ctx)
{
	return (struct destination){
		.address.word = {0, 0, V4_MAPPED_WORD, ctx->user_ip4},
		.port = ctx->user_port,
	};
}

static __always_inline struct destination destination6(struct bpf_sock_addr *ctx)
{
	return (struct destination){
		.address.word = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]},
		.port = ctx->user_port,
	};
}

// The verifier takes one store a context field, so the compiler must not merge these.
static __always_inline void rewrite4(struct bpf_sock_addr *ctx, const struct destination *to)
{
	volatile struct bpf_sock_addr *fields = ctx;

	fields->user_ip4 = to->address.word[3];
	fields->user_port = to->port;
}

static __always_inline void rewrite6(struct bpf_sock_addr *ctx, const struct destination *to)
{
	volatile struct bpf_sock_addr *fields = ctx;

	fields->user_ip6[0] = to->address.word[0];
	fields->user_ip6[1] = to->address.word[1];
	fields->user_ip6[2] = to->address.word[2];
	fields->user_ip6[3] = to->address.word[3];
	fields->user_port = to->port;
}
