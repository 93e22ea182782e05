// SPDX-License-Identifier: BSD-3-Clause
// The two ways to read an inner message, side by side.

#ifndef POSTERN_TESTS_UNIT_DATAPLANE_WORKER_INNER_BOTH_H
#define POSTERN_TESTS_UNIT_DATAPLANE_WORKER_INNER_BOTH_H

#include "dataplane/worker/inner.h"

struct inner_both {
	struct dp_inner usual; // set if it was taken
	struct dp_inner slow;
	struct request_verdict verdict; // of the slow way
	bool taken;                     // by the usual way
	bool is_usual;                  // it should be taken
};

// Routes of all kinds.
struct dp_route_index *inner_routes_create(void);
// What a device may do, which cuts across them.
struct dp_route_index *inner_permits_create(void);
// Reads a message of at least one byte both ways. DP_INNER_OVER bytes are readable behind it.
void inner_both_read(struct inner_both *both, const struct dp_inner_rules *rules,
	const struct coap_body *outer, const uint8_t *plaintext, uint16_t len);
// Whether what was taken should be, and both ways say the same of it.
bool inner_both_agree(const struct inner_both *both);

#endif
