// SPDX-License-Identifier: BSD-3-Clause
// How workers hear that a representation which they have observations of has changed: its loop sets
// a bit in the slot for each worker, and puts the slot into the worker's ring only if the bit was
// not set. So a ring that holds all slots of the table is never full, and nothing is lost.

#ifndef POSTERN_DATAPLANE_SHARED_CHANGE_H
#define POSTERN_DATAPLANE_SHARED_CHANGE_H

#include "dataplane/shared/representation.h"

// The table's loop, behind dp_rep_publish(): has all workers look at what observes the slot, if
// anything does. Their loop is `loop`.
void dp_change_tell(struct dp_rep_table *table, uint32_t slot, struct dp_loop *loop);
// Worker: takes a slot that changed, of the loop that this port and table are of; false: there is
// none. What is in the slot is to be read behind this.
bool dp_change_take(struct dp_rep_table *table, struct dp_loop_port *port, unsigned worker,
	uint32_t *slot) __attribute__((warn_unused_result));

#endif
