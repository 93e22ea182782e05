// SPDX-License-Identifier: BSD-3-Clause
// What a service pushes, on its way from main to the loop that publishes it.

#ifndef POSTERN_GW_UPSTREAM_PUSH_H
#define POSTERN_GW_UPSTREAM_PUSH_H

#include "gw/upstream/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum up_pushed {
	UP_PUSHED_CREATED,
	UP_PUSHED_REPLACED,
	UP_PUSHED_GONE,      // taken away
	UP_PUSHED_NOTHING,   // there was nothing to be taken away
	UP_PUSHED_NO_ROUTE,  // the configuration has it no more, or no `push` for it
	UP_PUSHED_NO_DEVICE, // it is gone
	UP_PUSHED_BAD_PATH,  // no request could have it
	UP_PUSHED_TOO_LARGE, // for a tenth, or half, of the loop's cache.memory
	UP_PUSHED_NO_ROOM,
	UP_PUSHED_TYPE, // no device could be told the type or the coding
	UP_PUSHED_STOPPING,
};

// One push. All that it points to is the caller's, as it is itself, and stays until done() is
// called.
struct up_push {
	struct up_push *next; // the loop's
	uint64_t route;       // conf_cache.id
	uint16_t route_slot;
	bool gone;    // nothing is there any more
	bool private; // for this device alone:
	uint32_t context, generation;
	uint64_t fingerprint;
	const uint8_t *options; // of the GET that it answers, as they stand in a message
	size_t options_len;
	const char *type, *coding; // Content-Type and Content-Encoding; NULL: not said
	int format;                // its Content-Format; -1: as type and coding say
	uint32_t max_age_s;        // 0: until the next push
	const uint8_t *payload;
	size_t payload_len;
	enum up_pushed result;
	// Called once by the loop's thread, or by who stops or frees the loop.
	void (*done)(struct up_push *push);
};

// Main: hands it to the loop that is the home of its route. What one thread pushes is published in
// that order.
void up_loop_push(struct up_loop *loop, struct up_push *push);

// ---- private to the loop

// Publishes what came.
void up_push_turn(struct up_loop *loop);
bool up_push_pending(const struct up_loop *loop);
// The thread has ended: what it did not take is over.
void up_push_stop(struct up_loop *loop);

#endif
