// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#pragma once

// The enrolled pod whose namespace the call's socket is in.
static __always_inline const struct weir_pod *pod_of(struct bpf_sock_addr *ctx)
{
	__u64 cookie = bpf_get_netns_cookie(ctx);

	return bpf_map_lookup_elem(&pods, &cookie);
}

// True for the agent's own processes, which open sockets in the pods' namespaces. An app cannot forge its
// cgroup.
static __always_inline bool is_agent(const struct weir_config *config)
{
	__u64 cgroup = bpf_get_current_cgroup_id();

	for (int i = 0; i < WEIR_MAX_AGENTS; i++) {
		if (config->agents[i] == cgroup)
			return true;
	}
	return false;
}

static __always_inline const struct weir_config *configuration(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cfg, &zero);
}
