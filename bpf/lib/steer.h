// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The decision that connect and sendmsg share.
#pragma once

enum verdict {
	// Let the call go on as it is.
	PASS,
	// Let it go on to the destination as rewritten.
	REWRITE,
	// Fail it with ECONNREFUSED.
	REFUSE,
};

static __always_inline enum verdict balance(struct bpf_sock_addr *ctx, struct destination *to, __u8 protocol,
					    __u32 scope, const struct weir_service *service)
{
	// A datagram socket stays with one endpoint; a connection takes a fresh one.
	__u64 random = protocol == IPPROTO_UDP ? mix(bpf_get_socket_cookie(ctx))
					       : (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32();

	for (int i = 0; i < SWAP_TRIES; i++) {
		if (service->count == 0) {
			count(WEIR_REFUSED_NO_ENDPOINT);
			return REFUSE;
		}
		const struct weir_slot *slot = pick(service, random);

		if (slot) {
			struct destination original = *to;

			to->address = slot->address;
			to->port = slot->port;
			remember(ctx, to, &original);
			count(WEIR_BALANCED);
			return REWRITE;
		}
		service = service_for(to, protocol, scope);
		if (!service || !(service->flags & WEIR_SERVICE_LB))
			return PASS;
	}
	count(WEIR_PASSED_SWAPPED);
	return PASS;
}

static __always_inline enum verdict steer(struct bpf_sock_addr *ctx, struct destination *to)
{
	const struct weir_pod *pod = pod_of(ctx);
	const struct weir_config *config = configuration();
	__u8 protocol = protocol_of(ctx);

	if (!pod || !config || !protocol)
		return PASS;
	const struct weir_service *service = service_for(to, protocol, pod->scope);

	if (!service)
		return PASS;
	if (is_agent(config)) {
		count(WEIR_PASSED_AGENT);
		return PASS;
	}
	// Loopback cannot be reached from a socket that is bound to another device.
	if (ctx->sk && ctx->sk->bound_dev_if != 0) {
		count(WEIR_PASSED_BOUND_DEVICE);
		return PASS;
	}
	if (service->flags & WEIR_SERVICE_L7 && protocol == IPPROTO_TCP &&
	    agent_listens(ctx, config, is_v4(&to->address))) {
		point_at_index(to, service->index);
		count(WEIR_REDIRECTED);
		return REWRITE;
	}
	if (service->flags & WEIR_SERVICE_LB)
		return balance(ctx, to, protocol, pod->scope, service);
	return PASS;
}

// The hook's return value: 1 lets the call go on.
static __always_inline int refuse(void)
{
	bpf_set_retval(-ECONNREFUSED);
	return 0;
}
