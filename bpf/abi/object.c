// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The build plugin adds a source that defines weir_object; this one holds the header to C's rules in user
// space.
#include "datapath.h"
