// SPDX-License-Identifier: BSD-3-Clause
// Asks backends for stored answers that devices observe, as long as anybody does. Private to the
// loop.

#ifndef POSTERN_GW_UPSTREAM_WATCH_H
#define POSTERN_GW_UPSTREAM_WATCH_H

#include "gw/upstream/cache.h"

// Asks for what is due.
void up_watch_turn(struct up_loop *loop);
// When that is to be looked for; UINT64_MAX: nothing is watched.
uint64_t up_watch_next_ms(const struct up_loop *loop);

#endif
