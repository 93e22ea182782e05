// SPDX-License-Identifier: BSD-3-Clause
// What waits for a place of an upstream, single requests and batches. Private to the loop.

#ifndef POSTERN_GW_UPSTREAM_QUEUE_H
#define POSTERN_GW_UPSTREAM_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

struct up_call;
struct up_group;
struct up_loop;

// Sends a call, has it wait, or fails it. It is in no list.
void up_queue_add(struct up_call *call);
// Sends what waits, the oldest first, while there is room.
void up_queue_launch(struct up_group *group);
// Hands back what waited for too long; with no server up, all.
void up_queue_expire(struct up_group *group);
// When the first has; UINT64_MAX: nothing waits.
uint64_t up_queue_next_ms(const struct up_group *group);
// Hands back what workers gave up, waiting or under way.
void up_queue_sweep(struct up_loop *loop);
// Hands back all that waits, and, if `flying`, all that is under way: the loop stops.
void up_queue_stop(struct up_loop *loop, bool flying);

#endif
