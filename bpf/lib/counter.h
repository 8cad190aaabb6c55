// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#pragma once

static __always_inline void count(enum weir_counter counter)
{
	__u32 key = counter;
	__u64 *value = bpf_map_lookup_elem(&stats, &key);

	if (value)
		*value += 1;
}
