// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#pragma once

// The entry that holds for a client of `scope`: its own, else that of all clients.
static __always_inline const struct weir_service *service_for(const struct destination *to, __u8 protocol,
							      __u32 scope)
{
	struct weir_service_key key = {
		.address = to->address,
		.port = to->port,
		.protocol = protocol,
		.scope = scope,
	};
	const struct weir_service *service = bpf_map_lookup_elem(&svcs, &key);

	if (service)
		return service;
	key.scope = 0;
	return bpf_map_lookup_elem(&svcs, &key);
}

// IPPROTO_TCP or IPPROTO_UDP, or 0 for what is not steered. An MPTCP socket is TCP to its peer.
static __always_inline __u8 protocol_of(struct bpf_sock_addr *ctx)
{
	if (ctx->type == SOCK_STREAM && (ctx->protocol == IPPROTO_TCP || ctx->protocol == IPPROTO_MPTCP))
		return IPPROTO_TCP;
	if (ctx->type == SOCK_DGRAM && ctx->protocol == IPPROTO_UDP)
		return IPPROTO_UDP;
	return 0;
}
