// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The contract between the BPF programs and user space.
#pragma once
