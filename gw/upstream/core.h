// SPDX-License-Identifier: BSD-3-Clause
// Requests to builtin:core, which the loop answers by itself. Private to the loop.

#ifndef POSTERN_GW_UPSTREAM_CORE_H
#define POSTERN_GW_UPSTREAM_CORE_H

#include "gw/upstream/call.h"

// Answers a call whose route is builtin:core, in blocks if need be, and hands it back. The caller
// has taken it out of all lists.
void up_core_answer(struct up_call *call);

#endif
